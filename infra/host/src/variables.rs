//! `spin:variables`: the values that a component was given under `[component.<id>.variables]`.

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::guest::{Guest, HasGuest};
use crate::manifest::is_variable_name;
use crate::settings::{Secret, Settings};
use crate::template::Template;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use wasmtime::component::Accessor;

/// A component's variables; one that needs an undefined variable of the application carries that one's name.
#[derive(Debug)]
pub struct Variables(BTreeMap<String, Result<Secret, String>>);

impl Variables {
    pub fn resolve(
        component: &str,
        templates: &BTreeMap<String, String>,
        settings: &Settings,
    ) -> Result<Self> {
        let mut values = BTreeMap::new();
        for (name, text) in templates {
            let about = || format!("component {component:?}, variable {name:?}");
            ensure!(is_variable_name(name), "{}: the name must be in lower snake case", about());
            let template = Template::parse(text).with_context(about)?;
            for needed in template.variables() {
                ensure!(settings.is_declared(needed), "{}: add {needed:?} to [variables]", about());
            }
            let value = template.render(|name| settings.get(name).map(Secret::expose));
            values.insert(name.clone(), value.map(Secret::from).map_err(str::to_owned));
        }
        Ok(Self(values))
    }

    fn get(&self, name: &str) -> Result<String, Error> {
        if !is_variable_name(name) {
            return Err(Error::InvalidName(format!("{name:?} is not the name of a variable")));
        }
        match self.0.get(name) {
            Some(Ok(value)) => Ok(value.expose().to_owned()),
            Some(Err(missing)) => Err(Error::Undefined(format!("{missing:?} is not set"))),
            None => Err(Error::Undefined(format!("this component was given no variable {name:?}"))),
        }
    }
}

impl Host for Guest {}

impl<T: Send> HostWithStore<T> for HasGuest {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, Error>> {
        Ok(accessor.with(|mut access| access.get().context.variables.get(&name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Declaration;
    use crate::settings::Environment;

    #[test]
    fn a_component_sees_its_own_variables_only() {
        let declared = [("host", Some("db")), ("secret", None)]
            .map(|(name, value)| {
                let default = value.map(|value| Secret::from(value.to_owned()));
                (name.to_owned(), Declaration { default })
            })
            .into();
        let environment = Environment::read(None).unwrap();
        let settings = Settings::resolve(&declared, &environment);
        let templates = [("url", "postgres://{{ host }}/x"), ("key", "{{ secret }}")]
            .map(|(name, template)| (name.to_owned(), template.to_owned()))
            .into();

        let variables = Variables::resolve("orders", &templates, &settings).unwrap();

        assert_eq!(variables.get("url").unwrap(), "postgres://db/x");
        assert!(matches!(variables.get("key"), Err(Error::Undefined(text)) if text.contains("secret")));
        assert!(matches!(variables.get("host"), Err(Error::Undefined(_))));
        assert!(matches!(variables.get("Host!"), Err(Error::InvalidName(_))));
        assert!(!format!("{variables:?}").contains("postgres://"));
        let unknown = [("url".to_owned(), "{{ other }}".to_owned())].into();
        assert!(Variables::resolve("orders", &unknown, &settings).is_err());
    }
}
