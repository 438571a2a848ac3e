//! What the rooms promise each other (the README of each says why): who may know whom, what lies where, and that a
//! component is granted what its code asks for and nothing else. Only files are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use local::root;
use serde_json::Value;

type Names = BTreeSet<String>;

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Names {
    names.into_iter().map(str::to_owned).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What lies in a folder, by name.
fn entries(folder: impl AsRef<Path>) -> Names {
    let folder = root().join(folder);
    fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The files beneath a folder whose names end so.
fn files(folder: impl AsRef<Path>, end: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    found
}

/// A package of this workspace.
struct Package {
    /// Where it is, from the root.
    room: String,
    is_component: bool,
    /// The packages of this workspace that it depends on, be it for its tests only.
    ours: Names,
    dependencies: Names,
}

fn packages() -> BTreeMap<String, Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let mut packages = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let manifest = text(&package["manifest_path"]);
        let room = Path::new(&manifest).parent().unwrap().strip_prefix(root()).unwrap();
        let dependencies = list(&package["dependencies"]);
        let (ours, others): (Vec<_>, Vec<_>) =
            dependencies.iter().partition(|dependency| dependency["path"].is_string());
        packages.insert(
            text(&package["name"]),
            Package {
                room: room.to_str().unwrap().to_owned(),
                is_component: list(&package["targets"])
                    .iter()
                    .any(|target| list(&target["crate_types"]).contains(&"cdylib".into())),
                ours: ours.iter().map(|dependency| text(&dependency["name"])).collect(),
                dependencies: others.iter().map(|dependency| text(&dependency["name"])).collect(),
            },
        );
    }
    packages
}

/// The families: the components of the service, not the one that the tests bring.
fn families() -> Names {
    let packages = packages();
    let families = packages
        .iter()
        .filter(|(_, package)| package.is_component && package.room.starts_with("components/"));
    families.map(|(name, _)| name.clone()).collect()
}

fn manifest() -> toml::Table {
    read("spin.toml").parse().unwrap()
}

/// The source of a component or library, without its tests.
fn source(package: &str) -> String {
    let mut source = String::new();
    for file in files(format!("components/{package}/src"), ".rs") {
        let text = fs::read_to_string(file).unwrap();
        source.push_str(text.split("\n#[cfg(test)]\nmod tests {").next().unwrap());
    }
    source
}

/// The words that stand in quotes behind one of these beginnings.
fn quoted_after<'a>(source: &'a str, beginnings: &[&str]) -> Vec<&'a str> {
    let behind = beginnings.iter().flat_map(|beginning| source.match_indices(beginning));
    let behind = behind.map(|(at, beginning)| source[at + beginning.len()..].trim_start());
    behind.filter_map(|rest| rest.strip_prefix('"')?.split('"').next()).collect()
}

#[test]
fn the_root_shows_what_the_product_is_made_of() {
    let known = names([
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "components",
        "infra",
        "migrations",
        "rust-toolchain.toml",
        "spin.toml",
        "tests",
    ]);
    let ignored: Names = read(".gitignore").lines().map(|line| line.trim_matches('/').to_owned()).collect();
    // The configuration of tools is in dotfiles.
    let shown: Names =
        entries("").into_iter().filter(|entry| !entry.starts_with('.') && !ignored.contains(entry)).collect();
    assert_eq!(shown, known);
}

#[test]
fn rooms_depend_on_each_other_one_way() {
    let packages = packages();
    let families = families();
    assert!(families.len() > 4, "{families:?}");
    for (name, package) in &packages {
        let allowed = match (name.as_str(), package.room.as_str()) {
            ("domain", _) => names([]),
            ("service", _) => names(["domain"]),
            // It speaks DIMSE and is native.
            ("gateway", _) => names(["domain"]),
            // The tests use everything that can be used from outside.
            ("tests", _) => names(["domain", "host", "local", "migrate"]),
            ("local", _) => names(["migrate"]),
            (_, room) if room.starts_with("components/") => names(["domain", "service"]),
            _ => names([]),
        };
        let forbidden: Vec<_> = package.ours.difference(&allowed).collect();
        assert!(forbidden.is_empty(), "{name} must not depend on {forbidden:?}");
    }
    // Only what runs as a component knows the runtime.
    for (name, package) in &packages {
        let may = package.is_component || name == "service";
        assert!(may || !package.dependencies.contains("spin-sdk"), "{name} must not depend on spin-sdk");
    }
    for (name, package) in &packages {
        if package.room.starts_with("components/") {
            assert_eq!(package.room, format!("components/{name}"), "a package is named as its room");
        }
    }
}

#[test]
fn domain_reaches_nothing_outside_of_it() {
    let domain = source("domain");
    for outside in [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "std::time::SystemTime",
        "async fn",
        ".await",
    ] {
        assert!(!domain.contains(outside), "domain has {outside}");
    }
}

#[test]
fn the_lib_of_a_family_is_its_route_table_and_nothing_else() {
    for family in families() {
        let lib = read(format!("components/{family}/src/lib.rs"));
        let mut functions = Vec::new();
        for line in lib.lines().filter(|line| !line.starts_with([' ', '}', ']', '/']) && !line.is_empty()) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "mod" | "use" => {}
                "async" => functions.push(rest.trim_start_matches("fn ").split('(').next().unwrap()),
                _ => assert_eq!(line, "#[http_service]", "in the lib.rs of {family}"),
            }
        }
        assert_eq!(functions, ["handle", "routes"], "in the lib.rs of {family}");
    }
}

#[test]
fn every_file_of_sql_lies_in_the_room_of_its_schema() {
    let of_service = names(["audit", "idempotency", "imaging", "outbox"]);
    let families = families();
    let mut functions = 0;
    for file in files("components", ".sql") {
        let place = file.strip_prefix(root().join("components")).unwrap().to_str().unwrap().to_owned();
        let sql = fs::read_to_string(&file).unwrap();
        let (room, _) =
            place.split_once("/src/").unwrap_or_else(|| panic!("{place} does not lie beside an action"));
        for (at, beginning) in sql.match_indices("create or replace function ") {
            let name = sql[at + beginning.len()..].split('(').next().unwrap();
            let (schema, _) = name.split_once('.').unwrap_or_else(|| panic!("{name} has no schema: {place}"));
            let fits = match room {
                // A schema that a family has as well holds what all families need of it.
                "service" => of_service.contains(schema),
                room => families.contains(room) && schema == room,
            };
            assert!(fits, "{name} does not belong in {place}");
            functions += 1;
        }
        let others = sql
            .lines()
            .filter(|line| line.starts_with("create ") && !line.starts_with("create or replace function "));
        assert_eq!(
            others.collect::<Vec<_>>(),
            Vec::<&str>::new(),
            "tables are made in migrations/, not in {place}"
        );
    }
    assert!(functions > 50, "{functions} functions");
    for file in files("migrations", ".sql") {
        assert!(
            !fs::read_to_string(&file).unwrap().contains("create or replace function"),
            "functions lie beside the actions, not in {}",
            file.display()
        );
    }
}

#[test]
fn a_component_calls_the_functions_of_its_own_room() {
    // A study that images made is filled in by the one who has their header.
    let known = BTreeMap::from([("ingest", "studies.fill")]);
    for family in families() {
        let source = source(&family);
        let called = quoted_after(&source, &[".call(", ".once("]);
        for function in called.into_iter().filter(|function| function.contains('.')) {
            let (schema, _) = function.split_once('.').unwrap();
            let own = schema == family || known.get(family.as_str()) == Some(&function);
            assert!(own, "{family} calls {function}");
        }
    }
}

#[test]
fn every_component_is_in_the_manifest_and_everything_in_the_manifest_is_a_component() {
    let manifest = manifest();
    let components = manifest["component"].as_table().unwrap();
    assert_eq!(components.keys().cloned().collect::<Names>(), families());
    let routed: Names = manifest["trigger"]["http"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trigger| trigger["component"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(routed, families());
    for (name, component) in components {
        let source = format!("target/wasm32-wasip2/guest/{name}.wasm");
        assert_eq!(component["source"].as_str(), Some(&*source));
        let command = format!("cargo build --profile guest --target wasm32-wasip2 --package {name}");
        assert_eq!(component["build"]["command"].as_str(), Some(&*command));
    }
}

/// Which calls of `service` ask for which variables. What a component's code does not call, it does not ask for.
const DOORS: &[(&str, &[&str])] = &[
    ("service::serve(", &["log_level"]),
    ("service::serve_in(", &["log_level"]),
    (".require(", &["jwt_secret", "jwks_url", "jwt_issuer", "jwt_audience", "development", "phi_keys"]),
    ("auth::check_settings(", &["jwt_secret", "jwks_url", "development"]),
    (".require_event_key(", &["event_key"]),
    (".call(", &["database_url"]),
    (".once(", &["database_url"]),
    (".call_as(", &["database_url"]),
    ("service::wake(", &["event_key"]),
    ("Seal::of(", &["phi_keys"]),
    ("seal::check_keys(", &["phi_keys"]),
    (
        "Storage::from_settings(",
        &["azure_storage_connection_string", "azure_storage_container_name", "development"],
    ),
    (
        "Storage::of_the_audit(",
        &[
            "azure_storage_connection_string",
            "azure_storage_container_name",
            "azure_storage_audit_container_name",
            "development",
        ],
    ),
];

const SETTINGS: &[&str] = &["setting(", "optional(", "variables::get("];

#[test]
fn a_component_is_granted_the_variables_that_its_code_asks_for_and_no_others() {
    // The table above knows every setting of `service`, and nothing that is not there.
    let service = source("service");
    let asked = names(quoted_after(&service, SETTINGS));
    assert_eq!(asked, names(DOORS.iter().flat_map(|(_, asked)| asked.iter().copied())));
    for (door, _) in DOORS {
        let name = door.trim_end_matches('(').rsplit(['.', ':']).next().unwrap();
        assert!(
            service.contains(&format!("fn {name}(")) || service.contains(&format!("fn {name}<")),
            "{door}"
        );
    }

    let manifest = manifest();
    let declared: Names = manifest["variables"].as_table().unwrap().keys().cloned().collect();
    for (name, component) in manifest["component"].as_table().unwrap() {
        let source = source(name);
        let mut asked = names(quoted_after(&source, SETTINGS));
        for (door, variables) in DOORS {
            if source.contains(door) {
                asked.extend(names(variables.iter().copied()));
            }
        }
        let granted = component["variables"].as_table().unwrap();
        assert_eq!(granted.keys().cloned().collect::<Names>(), asked, "the variables of {name}");
        assert!(asked.is_subset(&declared), "spin.toml declares what {name} asks for");
        for (variable, value) in granted {
            assert_eq!(value.as_str(), Some(&*format!("{{{{ {variable} }}}}")), "of {name}");
        }
    }
}

/// What a component may reach, by the calls of `service` that reach it.
const REACHES: [(&str, &[&str]); 5] = [
    ("database_host", &[".call(", ".once(", ".call_as("]),
    // Signing a URL reaches nobody.
    (
        "storage_host",
        &[
            "storage.list(",
            "await?.list(",
            "storage.exists(",
            "storage.read(",
            "storage.create(",
            "storage.delete(",
        ],
    ),
    // The keys that tokens are checked with are fetched when one is checked.
    ("jwks_host", &[".require("]),
    ("notification_host", &["Receiver::of(Channel::Notification)"]),
    ("ehr_host", &["Receiver::of(Channel::Ehr)"]),
];

#[test]
fn a_component_may_reach_what_its_code_calls_and_nothing_else() {
    let manifest = manifest();
    for (name, component) in manifest["component"].as_table().unwrap() {
        let source = source(name);
        let granted = component["allowed_outbound_hosts"].as_array().unwrap();
        let granted: Names = granted.iter().map(|host| host.as_str().unwrap().to_owned()).collect();
        for (host, doors) in REACHES {
            let granted = granted.iter().any(|granted| granted.contains(&format!("{{{{ {host} }}}}")));
            let reaches = doors.iter().any(|door| source.contains(door));
            assert_eq!(granted, reaches, "{name} and {host}");
        }
        assert_eq!(granted.contains("http://self"), source.contains("service::wake("), "{name} and itself");
        for host in granted {
            let (_, host) = host.split_once("://").unwrap();
            // No address is written down: what is reached is for whoever runs it to say.
            assert!(
                host == "self" || host.starts_with("{{ ") && host.ends_with("_host }}"),
                "{name} reaches {host}"
            );
        }
    }
}
