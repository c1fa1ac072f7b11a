//! The rooms of the house: which crate may depend on which, and what the domain may not name.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use loquet_tests::environment;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The packages in a package's own tree, build and test dependencies left out.
#[track_caller]
fn tree(package: &str, depth: &str) -> BTreeSet<String> {
    let mut cargo = environment::cargo();
    cargo.args(["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--depth", depth]);
    let output = cargo.args(["--package", package]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().skip(1).filter_map(|line| line.split(' ').next()).map(ToOwned::to_owned).collect()
}

#[track_caller]
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// What each crate may depend on of ours. A crate that is not listed fails the test.
const DIRECTION: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("projections", &["domain"]),
    ("files", &[]),
    ("subscription", &["domain"]),
    ("http-ports", &["domain", "projections"]),
    ("metrics", &["domain", "projections"]),
    ("memory", &["domain", "projections", "files", "subscription"]),
    ("crypto", &["domain", "files"]),
    ("proof", &["domain"]),
    ("credentials", &["domain", "metrics"]),
    ("mail", &["domain", "projections", "http-ports"]),
    ("sqlite", &["domain", "projections", "crypto", "files", "http-ports", "metrics", "subscription"]),
    ("postgres", &["domain", "projections", "crypto", "http-ports", "subscription"]),
    ("public-events", &["domain"]),
    ("webhooks", &["domain", "projections", "metrics", "public-events"]),
    ("kurrentdb", &["domain", "subscription"]),
    ("kafka", &["domain", "projections", "metrics", "public-events"]),
    ("http", &["domain", "projections", "http-ports", "metrics", "public-events"]),
];

#[test]
fn dependencies_point_one_way_and_the_domain_has_six() {
    let names = |of: &[&str]| of.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(
        tree("loquet-domain", "1"),
        names(&["chrono", "futures-util", "serde", "thiserror", "unicode-normalization", "uuid"])
    );
    let ours = |package: &str| {
        let all = tree(package, "1").into_iter();
        all.filter_map(|name| name.strip_prefix("loquet-").map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    for (room, may) in DIRECTION {
        assert_eq!(ours(&format!("loquet-{room}")), names(may), "{room}");
    }
    let folders = std::fs::read_dir(root().join("adapters")).unwrap();
    let folders = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap().replace('_', "-"));
    let listed: BTreeSet<_> = DIRECTION.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(folders.filter(|folder| !listed.contains(folder)).collect::<Vec<_>>(), Vec::<String>::new());
}

/// The HTTP interface knows ports alone: what keeps or hashes is not in its tree, however it would come there.
#[test]
fn the_http_interface_names_no_technology_that_keeps_or_hashes() {
    let whole = tree("loquet-http", "9");
    for technology in ["rusqlite", "argon2", "lettre", "totp-rs", "chacha20poly1305", "lru", "quick_cache"] {
        assert!(!whole.contains(technology), "{technology} is in the tree of http");
    }
}

/// Stores, tests and later adapters read events and rows; none of them needs what serves HTTP or sends mail.
#[test]
fn a_small_build_stays_small() {
    let heavy = ["axum", "hyper", "image", "lettre", "utoipa"];
    for package in ["loquet-sqlite", "loquet-memory", "loquet-crypto", "loquet-credentials"] {
        let whole = tree(package, "9");
        for other in heavy {
            assert!(!whole.contains(other), "{other} is in the tree of {package}");
        }
    }
}

/// The program alone chooses technologies, in one file; what works on SQLite's own files is listed.
#[test]
fn the_program_chooses_its_stores_in_one_place() {
    let of_files = [
        "adapters/embedded.rs",
        "adapters/moved.rs",
        "adapters/rotation.rs",
        "commands/backup.rs",
        "commands/doctor/mod.rs",
    ];
    let of_servers =
        ["adapters/shared.rs", "adapters/moved.rs", "adapters/rotation.rs", "engine.rs", "clock.rs"];
    for (path, text) in sources("bin") {
        let is_one = |of: &[&str]| of.iter().any(|file| path.ends_with(file));
        assert!(is_one(&of_files) || !text.contains("loquet_sqlite"), "{} names SQLite", path.display());
        assert!(
            is_one(&of_servers) || !text.contains("loquet_postgres"),
            "{} names PostgreSQL",
            path.display()
        );
    }
}

#[test]
fn the_domain_reads_no_clock_and_rolls_no_dice() {
    let whole = tree("loquet-domain", "9");
    for outside in ["iana-time-zone", "getrandom", "rand", "tokio", "serde_json"] {
        assert!(!whole.contains(outside), "{outside} is in the domain's tree");
    }
    for (path, text) in sources("domain") {
        for word in
            ["Utc::now", "SystemTime", "Instant::now", "std::fs", "std::net", "std::env::var(", "println!"]
        {
            let in_tests = path.ends_with("tests.rs");
            assert!(in_tests || !text.contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn aggregates_and_policies_import_neither_ports_nor_use_cases() {
    for (path, text) in sources("domain") {
        let relative = path.strip_prefix(root().join("domain")).unwrap();
        let outer = relative.starts_with("app")
            || relative == Path::new("ports.rs")
            || relative == Path::new("lib.rs");
        for word in ["crate::ports", "crate::app", ", ports}", ", app}", "{ports", "{app", "ports::", "app::"]
        {
            assert!(outer || !text.contains(word), "{} imports {word}", path.display());
        }
    }
}

/// Which modules of a crate each of them imports, tests and comments left out.
fn imports_in(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let sources = sources(folder);
    let of_tests: BTreeSet<&str> = sources
        .iter()
        .flat_map(|(_, text)| text.split("#[cfg(test)]\nmod ").skip(1))
        .filter_map(|rest| rest.split([';', ' ']).next())
        .collect();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in &sources {
        let relative = path.strip_prefix(root().join(folder)).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if of_tests.contains(stem) || ["lib.rs", "main.rs"].iter().any(|top| relative == Path::new(top)) {
            continue;
        }
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        let code = text.split("mod tests {").next().unwrap();
        let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let found = imports.entry(module.to_owned()).or_default();
        for named in code.join("\n").split("crate::").skip(1) {
            let names = match named.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap().split(',').collect(),
                None => vec![named],
            };
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let names = names.into_iter().map(|name| name.trim().split(|c| !is_word(c)).next().unwrap());
            found.extend(names.filter(|name| *name != module).map(ToOwned::to_owned));
        }
    }
    let modules: BTreeSet<_> = imports.keys().cloned().collect();
    imports.values_mut().for_each(|found| found.retain(|name| modules.contains(name)));
    imports
}

/// Every crate of the product, by its folder.
fn crates() -> Vec<String> {
    let adapters = std::fs::read_dir(root().join("adapters")).unwrap();
    let adapters = adapters.map(|entry| format!("adapters/{}", entry.unwrap().file_name().to_str().unwrap()));
    ["domain", "projections", "bin"].map(str::to_owned).into_iter().chain(adapters).collect()
}

/// In `projections`, the folder `ports` names files of `mail` and the other way round. Its files make no circle.
#[test]
fn no_modules_of_a_crate_import_each_other_in_a_circle() {
    for folder in crates().into_iter().filter(|folder| folder != "projections") {
        let mut left = imports_in(&folder);
        loop {
            let free: Vec<_> =
                left.iter().filter(|(_, found)| found.is_empty()).map(|(of, _)| of.clone()).collect();
            if free.is_empty() {
                break;
            }
            for module in free {
                left.remove(&module);
                left.values_mut().for_each(|found| {
                    found.remove(&module);
                });
            }
        }
        assert!(left.is_empty(), "in circles, or above one, in {folder}: {left:?}");
    }
}

/// A dependency that nothing names is compiled, audited and updated for nothing.
#[test]
fn every_dependency_is_named_by_the_crate_that_takes_it() {
    let mut taken = BTreeSet::new();
    for folder in
        crates().into_iter().chain(["tests", "tests/event_store_server", "benches"].map(str::to_owned))
    {
        let manifest = std::fs::read_to_string(root().join(&folder).join("Cargo.toml")).unwrap();
        let mut code: String = sources(&folder).into_iter().map(|(_, text)| text).collect();
        if folder == "tests" {
            // It is built there as an example.
            code += &std::fs::read_to_string(root().join("docs/consumers/consumer.rs")).unwrap();
        }
        let sections = manifest.split("\n[").filter(|section| section.contains("dependencies]"));
        for line in sections.flat_map(|section| section.lines().skip(1)) {
            let Some(name) =
                line.split(['.', ' ']).next().filter(|name| !name.is_empty() && !name.starts_with('#'))
            else {
                continue;
            };
            let path = name.replace('-', "_");
            let named =
                [format!("{path}::"), format!("use {path}")].iter().any(|use_of| code.contains(use_of));
            assert!(named, "{folder} takes {name} and never names it");
            taken.insert(name.to_owned());
        }
    }
    let table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = table.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let offered =
        table.lines().filter(|line| line.contains(" = ")).map(|line| line.split(' ').next().unwrap());
    let offered: BTreeSet<_> = offered.map(ToOwned::to_owned).collect();
    assert_eq!(offered.difference(&taken).collect::<Vec<_>>(), Vec::<&String>::new(), "taken by no crate");
}

#[test]
fn the_ground_floor_of_the_domain_imports_nothing_above_it() {
    let imports = imports_in("domain");
    let names = |of: &[&str]| of.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(imports["ids"], names(&[]));
    assert_eq!(imports["stream"], names(&[]));
    assert_eq!(imports["values"], names(&["ids"]));
    assert_eq!(imports["policies"], names(&["values"]));
}

/// Law 5: what rebuilds names nothing that sends. That a view can do no more than write rows is in its
/// type, `View::apply`; this keeps the imports so.
#[test]
fn views_name_nothing_that_sends() {
    let mut files = sources("projections/views");
    files.extend(sources("projections/runner"));
    files.extend(
        [
            "view.rs",
            "index.rs",
            "table.rs",
            "held_rows.rs",
            "row.rs",
            "erased_view.rs",
            "event_envelope.rs",
            "reading.rs",
        ]
        .map(|name| {
            let path = root().join("projections").join(name);
            let text = std::fs::read_to_string(&path).unwrap();
            (path, text)
        }),
    );
    for (path, text) in files {
        for word in ["Mailer", "ReactionJournal", "crate::mail", "crate::reactions", "::app"] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn only_the_program_reads_the_clock_and_the_environment() {
    for folder in ["domain", "projections", "adapters"] {
        for (path, text) in sources(folder) {
            for word in ["Utc::now", "SystemTime::now", "env::var"] {
                let allowed = path.ends_with("tests.rs");
                assert!(allowed || !text.contains(word), "{} names {word}", path.display());
            }
        }
    }
}
