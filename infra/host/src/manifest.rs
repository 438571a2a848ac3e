//! `spin.toml`, manifest version 2: what this host honours of it, and a plain error for the rest.

use crate::settings::Secret;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An application as its manifest describes it.
#[derive(Debug)]
pub struct Manifest {
    pub name: String,
    pub variables: BTreeMap<String, Declaration>,
    pub triggers: Vec<Trigger>,
    pub components: BTreeMap<String, Component>,
}

/// One entry of `[variables]`.
#[derive(Debug)]
pub struct Declaration {
    pub default: Option<Secret>,
}

/// One `[[trigger.http]]`: the route and the component that answers it.
#[derive(Debug)]
pub struct Trigger {
    pub route: String,
    pub component: String,
}

/// One `[component.<id>]`; paths are absolute or relative to where the host was started.
#[derive(Debug)]
pub struct Component {
    pub source: PathBuf,
    pub allowed_outbound_hosts: Vec<String>,
    pub variables: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
}

/// What Spin reads of a component that concerns building and tooling, not running.
const FOR_TOOLS: [&str; 4] = ["build", "description", "targets", "tool"];

impl Manifest {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}: name the spin.toml with --manifest", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).with_context(|| format!("in {}", path.display()))
    }

    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        ensure!(
            file.spin_manifest_version == 2,
            "spin_manifest_version is {}: this host reads version 2",
            file.spin_manifest_version
        );
        if let Some(kind) = file.application.trigger.keys().next() {
            bail!("[application.trigger.{kind}]: this host has no settings for triggers, remove the table");
        }

        let mut manifest = Self {
            name: file.application.name,
            variables: BTreeMap::new(),
            triggers: Vec::new(),
            components: BTreeMap::new(),
        };
        for (name, variable) in file.variables {
            manifest.variables.insert(name.clone(), variable.check(&name)?);
        }
        for (id, table) in file.component {
            let component = Component::parse(&id, table, folder)?;
            manifest.components.insert(id, component);
        }
        for (kind, triggers) in file.trigger {
            ensure!(kind == "http", "[[trigger.{kind}]]: this host serves http triggers only, remove it");
            for trigger in triggers {
                manifest.add_trigger(trigger, folder)?;
            }
        }
        ensure!(!manifest.triggers.is_empty(), "no [[trigger.http]]: add one, there is nothing to serve");
        Ok(manifest)
    }

    fn add_trigger(&mut self, table: toml::Table, folder: &Path) -> Result<()> {
        let shown = table.get("route").map(ToString::to_string).unwrap_or_default();
        let trigger: HttpTrigger =
            table.try_into().with_context(|| format!("[[trigger.http]] with route {shown}"))?;
        let route = match trigger.route {
            toml::Value::String(route) => route,
            other => {
                bail!("[[trigger.http]]: route {other} is not a path, and private routes are not supported")
            }
        };
        let component = match trigger.component {
            toml::Value::String(id) => id,
            toml::Value::Table(inline) => {
                let id = format!("inline-{}", self.triggers.len() + 1);
                let component = Component::parse(&id, inline, folder)?;
                self.components.insert(id.clone(), component);
                id
            }
            other => bail!("route {route}: component {other} is neither the id of a component nor a table"),
        };
        ensure!(
            self.components.contains_key(&component),
            "route {route} names component {component:?}: add [component.{component}]"
        );
        self.triggers.push(Trigger { route, component });
        Ok(())
    }
}

impl Component {
    fn parse(id: &str, mut table: toml::Table, folder: &Path) -> Result<Self> {
        for key in FOR_TOOLS {
            table.remove(key);
        }
        // Something asked for and left empty asks for nothing.
        table.retain(|_, value| {
            !value.as_array().is_some_and(Vec::is_empty)
                && !value.as_table().is_some_and(toml::Table::is_empty)
        });
        const HONOURED: [&str; 4] = ["allowed_outbound_hosts", "environment", "source", "variables"];
        if let Some(key) = table.keys().find(|key| !HONOURED.contains(&key.as_str())) {
            bail!(
                "component {id:?} asks for `{key}`, which this host cannot give: \
                 remove it, or run the application under Spin"
            );
        }
        let file: ComponentFile = table.try_into().with_context(|| format!("in component {id:?}"))?;
        let source = match file.source {
            toml::Value::String(path) => folder.join(path),
            _ => bail!("component {id:?}: `source` must be the path of a file, this host downloads nothing"),
        };
        Ok(Self {
            source,
            allowed_outbound_hosts: file.allowed_outbound_hosts,
            variables: file.variables,
            environment: file.environment,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    spin_manifest_version: i64,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    #[serde(default)]
    trigger: BTreeMap<String, Vec<toml::Table>>,
    #[serde(default)]
    component: BTreeMap<String, toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read so that an unknown key is noticed, used by tools only")]
struct Application {
    name: String,
    version: Option<String>,
    description: Option<String>,
    authors: Option<Vec<String>>,
    targets: Option<toml::Value>,
    tool: Option<toml::Value>,
    #[serde(default)]
    trigger: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    #[serde(default)]
    required: bool,
    default: Option<String>,
    /// Every value is a secret to this host, so this changes nothing.
    #[serde(default)]
    #[expect(dead_code, reason = "see above")]
    secret: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "for people")]
    description: Option<String>,
}

impl Variable {
    fn check(self, name: &str) -> Result<Declaration> {
        ensure!(
            is_variable_name(name),
            "variable {name:?}: name it in lower case letters, digits and single underscores"
        );
        ensure!(
            self.required != self.default.is_some(),
            "variable {name:?}: give it either `required = true` or a `default`"
        );
        Ok(Declaration { default: self.default.map(Secret::from) })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the id is for people, an executor other than http is refused by its type")]
struct HttpTrigger {
    route: toml::Value,
    component: toml::Value,
    id: Option<String>,
    executor: Option<Executor>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Executor {
    Http,
    Spin,
}

#[derive(Deserialize)]
struct ComponentFile {
    source: toml::Value,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

/// Spin's rule for the names of variables: lower snake case, beginning with a letter.
pub fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('_')
        && !name.contains("__")
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "imaging"
        version = "1.0.0"
        [variables]
        database_url = { required = true, secret = true }
        log_level = { default = "info" }
        [[trigger.http]]
        route = "/api/orders/..."
        component = "orders"
        [[trigger.http]]
        route = "/"
        component = { source = "portal.wasm" }
        [component.orders]
        source = "target/orders.wasm"
        description = "Orders"
        allowed_outbound_hosts = ["postgres://{{ database_host }}"]
        key_value_stores = []
        [component.orders.variables]
        database_url = "{{ database_url }}"
        [component.orders.build]
        command = "cargo build"
    "#;

    fn refusal(text: &str) -> String {
        format!("{:#}", Manifest::parse(text, Path::new("")).unwrap_err())
    }

    #[test]
    fn a_whole_manifest_is_read() {
        let manifest = Manifest::parse(WHOLE, Path::new("/app")).unwrap();

        assert_eq!(manifest.name, "imaging");
        assert!(manifest.variables["database_url"].default.is_none());
        assert_eq!(manifest.variables["log_level"].default.as_ref().unwrap().expose(), "info");
        assert_eq!(manifest.components["orders"].source, Path::new("/app/target/orders.wasm"));
        assert_eq!(manifest.components["inline-2"].source, Path::new("/app/portal.wasm"));
        let routes: Vec<_> = manifest.triggers.iter().map(|trigger| trigger.route.as_str()).collect();
        assert_eq!(routes, ["/api/orders/...", "/"]);
    }

    #[test]
    fn what_it_cannot_honour_is_named() {
        let with = |line: &str| refusal(&WHOLE.replace("description = \"Orders\"", line));

        assert!(with("files = [\"assets/*\"]").contains("component \"orders\" asks for `files`"));
        assert!(with("sqlite_databases = [\"default\"]").contains("`sqlite_databases`"));
        assert!(with("ai_models = [\"llama\"]").contains("`ai_models`"));
        assert!(with("colour = \"red\"").contains("`colour`"));
    }

    #[test]
    fn other_triggers_and_unknown_keys_are_named() {
        assert!(refusal(&WHOLE.replace("[[trigger.http]]", "[[trigger.redis]]")).contains("trigger.redis"));
        assert!(refusal(&WHOLE.replace("version = \"1.0.0\"", "colour = 1")).contains("colour"));
        assert!(
            refusal(&WHOLE.replace("component = \"orders\"", "component = \"oders\"")).contains("\"oders\"")
        );
        assert!(refusal(&WHOLE.replace("= 2\n", "= 1\n")).contains("version 2"));
    }

    #[test]
    fn a_variable_is_either_required_or_has_a_default() {
        let with = |line: &str| refusal(&WHOLE.replace("log_level = { default = \"info\" }", line));

        assert!(with("log_level = {}").contains("log_level"));
        assert!(with("log_level = { required = true, default = \"info\" }").contains("log_level"));
        assert!(with("LOG_LEVEL = { default = \"info\" }").contains("lower case"));
    }
}
