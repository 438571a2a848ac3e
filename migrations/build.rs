//! Lists the SQL files that the tool carries: `migrations/NNNN_*.sql`, then `components/<family>/src/*.sql`.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let root = here.parent().ok_or("migrations/ has no parent directory")?;
    let components = root.join("components");

    // Cargo looks through a directory named here for any newer file, so that an added one is noticed.
    println!("cargo::rerun-if-changed={}", here.display());
    println!("cargo::rerun-if-changed={}", components.display());

    let mut functions = Vec::new();
    for family in sorted(&components)? {
        functions.extend(sql_files(&family.join("src"))?);
    }
    // The shared functions first; then by family and name. The order decides nothing else: see functions.rs.
    functions.sort_by_key(|path| (!path.starts_with(components.join("service")), path.clone()));

    let mut list = String::new();
    list.push_str(&constant("MIGRATIONS", root, &sql_files(&here)?)?);
    list.push_str(&constant("FUNCTIONS", root, &functions)?);
    fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("files.rs"), list)?;
    Ok(())
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths =
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn sql_files(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = sorted(directory)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    Ok(paths)
}

fn constant(name: &str, root: &Path, paths: &[PathBuf]) -> Result<String, Box<dyn Error>> {
    let mut text = format!("pub(crate) const {name}: &[File] = &[\n");
    for path in paths {
        let shown =
            path.strip_prefix(root)?.to_str().ok_or("an SQL file's name is not UTF-8")?.replace('\\', "/");
        writeln!(text, "    File {{ path: {shown:?}, sql: include_str!({path:?}) }},")?;
    }
    text.push_str("];\n");
    Ok(text)
}
