//! `ARCHITECTURE.md` is true: who may depend on whom, and which crate alone names which library.
//!
//! Both are read out of that file, so that neither can drift from the other. Dependencies of tests are free.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Libraries that the sentence on "one library, one crate" names in prose, by the start of their packages' names.
/// `None`: what the sentence means is no dependency, so nothing is compared.
const LIBRARIES: [(&str, Option<&str>); 7] = [
    ("sled", Some("sled")),
    ("libp2p", Some("libp2p")),
    ("wasmtime", Some("wasmtime")),
    ("axum", Some("axum")),
    ("Malachite", Some("arc-malachitebft")),
    ("JSON", None), // of the interface: the command line writes JSON of its own
    ("bincode's configuration", None), // wire types derive with bincode everywhere
];
/// Who may start tasks: the shell, and the two parts that hold sockets. All others are plain structures.
const TOKIO: (&str, [&str; 3]) = ("tokio", ["node", "net", "api"]);
/// Packages whose dependencies are free: they put everything together.
const FREE: [&str; 2] = ["tests", "benches"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Which of our crates each may depend on, by the names that `ARCHITECTURE.md` uses.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package lies in the workspace")
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let output = Command::new(cargo)
        .current_dir(root())
        .args(arguments)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice::<Metadata>(&output.stdout)
        .expect("cargo metadata writes JSON")
        .packages
}

fn document() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is here")
}

/// The name of a package of ours in `ARCHITECTURE.md`.
fn short(package: &str) -> Option<&str> {
    match package {
        "salus" => Some("node"),
        "salus-bench" => Some("benches"),
        "xtask" => Some("xtask"),
        other => other.strip_prefix("salus-"),
    }
}

/// Reads the block under "Allowed arrows".
fn arrows(document: &str) -> Result<Arrows, String> {
    let (_, rest) = document
        .split_once("## Allowed arrows")
        .ok_or("no section \"Allowed arrows\"")?;
    let block = rest.split("```").nth(1).ok_or("no block of arrows")?;
    let mut arrows = Arrows::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let (from, to) = line
            .split_once("->")
            .ok_or_else(|| format!("no arrow in {line:?}"))?;
        let to = match to.trim() {
            "nothing of ours" => BTreeSet::new(),
            "all of the above" | "node and any" => arrows.keys().cloned().collect(),
            list => names(list),
        };
        for from in names(from) {
            if arrows.insert(from.clone(), to.clone()).is_some() {
                return Err(format!("{from} stands on two lines"));
            }
        }
    }
    Ok(arrows)
}

fn names(list: &str) -> BTreeSet<String> {
    list.split(',').map(|name| name.trim().to_owned()).collect()
}

/// What is against the list, one readable line each.
fn offences(arrows: &Arrows, packages: &[Package]) -> Vec<String> {
    let mut offences = Vec::new();
    for package in packages {
        let Some(from) = short(&package.name) else {
            continue;
        };
        let allowed = arrows.get(from);
        for dependency in package
            .dependencies
            .iter()
            .filter(|one| one.kind.as_deref() != Some("dev"))
        {
            let Some(to) = short(&dependency.name).filter(|_| is_ours(&dependency.name, packages)) else {
                continue;
            };
            if FREE.contains(&from) || allowed.is_some_and(|allowed| allowed.contains(to)) {
                continue;
            }
            let list = allowed.map_or_else(
                || format!("{from} does not stand there at all"),
                |allowed| {
                    format!(
                        "{from} -> {}",
                        allowed.iter().cloned().collect::<Vec<_>>().join(", ")
                    )
                },
            );
            offences.push(format!(
                "{from} -> {to} is no allowed arrow ({} depends on {}); ARCHITECTURE.md says: {list}",
                package.name, dependency.name
            ));
        }
    }
    offences
}

fn is_ours(name: &str, packages: &[Package]) -> bool {
    packages.iter().any(|package| package.name == name)
}

/// Reads the sentence "one library, one crate": owner and library of each clause.
fn owners(document: &str) -> Result<Vec<(String, String)>, String> {
    let (_, rest) = document
        .split_once("one library, one crate.**")
        .ok_or("no invariant on libraries")?;
    let sentence = rest
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .trim_end_matches('.');
    let mut owners = Vec::new();
    let mut owner = String::new();
    for clause in sentence.split(", ") {
        let clause = clause.trim_start_matches("Only ").trim_start_matches("only ");
        let (named, library) = clause.trim_start_matches('`').split_once("` ").ok_or(clause)?;
        owner.clear();
        owner.push_str(named);
        for library in library.trim_start_matches("names ").split(" and ") {
            owners.push((owner.clone(), library.to_owned()));
        }
    }
    Ok(owners)
}

/// Uses of a library outside the crates that may name it, one readable line each.
fn strangers(prefix: &str, owners: &[&str], packages: &[Package]) -> Vec<String> {
    let mut strangers = Vec::new();
    for package in packages {
        let Some(name) = short(&package.name) else {
            continue;
        };
        if owners.contains(&name) || FREE.contains(&name) {
            continue;
        }
        let uses = package
            .dependencies
            .iter()
            .filter(|one| one.kind.as_deref() != Some("dev"));
        for dependency in uses.filter(|one| one.name.starts_with(prefix)) {
            strangers.push(format!(
                "{name} depends on {}; only {} may",
                dependency.name,
                owners.join(", ")
            ));
        }
    }
    strangers
}

#[test]
fn crates_depend_on_one_another_only_as_the_architecture_allows() {
    let arrows = arrows(&document()).unwrap();
    let packages = packages();
    let missing: Vec<&str> = arrows
        .keys()
        .filter(|name| !packages.iter().any(|package| short(&package.name) == Some(name)))
        .map(String::as_str)
        .collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md lists crates that do not exist: {}",
        missing.join(", ")
    );
    let offences = offences(&arrows, &packages);
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn only_one_crate_names_each_library() {
    let packages = packages();
    let mut found = Vec::new();
    for (owner, library) in owners(&document()).unwrap() {
        let known = LIBRARIES.iter().find(|(name, _)| *name == library);
        let (_, prefix) =
            known.unwrap_or_else(|| panic!("say in LIBRARIES which packages {library:?} means"));
        let Some(prefix) = prefix else { continue };
        assert!(
            packages.iter().any(|package| short(&package.name) == Some(&owner)
                && package
                    .dependencies
                    .iter()
                    .any(|one| one.name.starts_with(prefix))),
            "{owner} does not use {library}: the sentence is out of date"
        );
        found.extend(strangers(prefix, &[&owner], &packages));
    }
    found.extend(strangers(TOKIO.0, &TOKIO.1, &packages));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_forbidden_arrow_is_named() {
    let arrows = arrows("## Allowed arrows\n```\ntypes -> nothing of ours\nseal, store -> types\nnode -> all of the above\n```").unwrap();
    let package = |name: &str, dependencies: &[(&str, Option<&str>)]| Package {
        name: name.into(),
        dependencies: dependencies
            .iter()
            .map(|(name, kind)| Dependency {
                name: (*name).into(),
                kind: kind.map(Into::into),
            })
            .collect(),
    };
    let good = [
        package("salus-types", &[("blake3", None)]),
        package(
            "salus-seal",
            &[("salus-types", None), ("salus-store", Some("dev"))],
        ),
        package("salus-store", &[("salus-types", None)]),
        package("salus", &[("salus-seal", None), ("salus-store", None)]),
    ];
    assert_eq!(offences(&arrows, &good), Vec::<String>::new());
    let [types, _, store, node] = good;
    let bad = [
        types,
        package("salus-seal", &[("salus-store", None), ("sled", None)]),
        store,
        node,
    ];
    assert_eq!(
        offences(&arrows, &bad),
        [
            "seal -> store is no allowed arrow (salus-seal depends on salus-store); ARCHITECTURE.md says: seal -> types"
        ]
    );
    assert_eq!(
        strangers("sled", &["store"], &bad),
        ["seal depends on sled; only store may"]
    );
}
