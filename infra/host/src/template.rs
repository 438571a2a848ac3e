//! Spin's templates: text with the values of variables in it, `postgres://{{ database_host }}`.

use anyhow::{Context, Result, ensure};

/// A template, parsed.
#[derive(Debug, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Variable(String),
}

impl Template {
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) =
                after.split_once("}}").with_context(|| format!("{text:?} opens {{{{ and never closes it"))?;
            let name = name.trim();
            ensure!(
                crate::manifest::is_variable_name(name),
                "{text:?}: {name:?} is not the name of a variable"
            );
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The variables it names.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Variable(name) => Some(name.as_str()),
        })
    }

    /// The text with every value filled in, or the first variable that has none.
    pub fn render<'a>(&'a self, value: impl Fn(&str) -> Option<&'a str>) -> Result<String, &'a str> {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(match part {
                Part::Text(part) => part,
                Part::Variable(name) => value(name).ok_or(name.as_str())?,
            });
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in() {
        let template = Template::parse("postgres://{{ host }}:{{port}}/x").unwrap();
        let value = |name: &str| match name {
            "host" => Some("db"),
            "port" => Some("5432"),
            _ => None,
        };

        assert_eq!(template.render(value).unwrap(), "postgres://db:5432/x");
        assert_eq!(template.variables().collect::<Vec<_>>(), ["host", "port"]);
        assert_eq!(Template::parse("plain").unwrap().render(|_| None).unwrap(), "plain");
    }

    #[test]
    fn a_missing_value_is_named() {
        assert_eq!(Template::parse("{{ host }}").unwrap().render(|_| None), Err("host"));
    }

    #[test]
    fn malformed_templates_are_refused() {
        assert!(Template::parse("{{ host").is_err());
        assert!(Template::parse("{{ Host }}").is_err());
        assert!(Template::parse("{{}}").is_err());
    }
}
