use std::collections::BTreeSet;
use std::path::Path;

use loquet_domain::values::language::Language;

use super::catalogue;

fn names(files: [&str; 2]) -> Vec<String> {
    let lines = files.into_iter().flat_map(str::lines);
    let named = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    named.filter_map(|line| line.split_once(" =")).map(|(name, _)| name.to_owned()).collect()
}

/// The sources of all pages.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["portal", "design", "responses", "routes"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths =
        files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "rs"));
    paths.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The texts between `before` and `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(found, _)| found).collect()
}

#[test]
fn every_sentence_of_the_portal_exists_in_every_language_and_is_used() {
    let en = names([include_str!("portal.en.ftl"), include_str!("help.en.ftl")]);
    assert_eq!(names([include_str!("portal.fr.ftl"), include_str!("help.fr.ftl")]), en);
    assert_eq!(names([include_str!("portal.nl.ftl"), include_str!("help.nl.ftl")]), en);
    let words = catalogue().unwrap();
    let known: BTreeSet<&str> = en.iter().map(String::as_str).collect();
    assert_eq!(known.len(), en.len(), "a name is there twice");
    for language in Language::ALL {
        for name in &en {
            assert!(words.has(language, name), "{language:?} lacks {name}");
        }
    }
    let sources = sources();
    let mut used: BTreeSet<&str> = between(&sources, "look.t(\"", "\"");
    for before in ["look.say(\"", "look().t(\"", "self.t(\"", "send(look, \"", "ask_first(look, \""] {
        used.extend(between(&sources, before, "\""));
    }
    for name in &used {
        assert!(known.contains(name), "{name} is used, and there are no words for it");
    }
    let done: BTreeSet<String> =
        between(&sources, "done=", "\"").iter().map(|name| format!("done-{name}")).collect();
    for name in done.iter().filter(|name| !name.contains('{')) {
        assert!(known.contains(name.as_str()), "{name} is used, and there are no words for it");
    }
    // Names that are made of a kind and a value, and names in tables.
    let kinds = between(&sources, "t_of(\"", "\"");
    let is_used = |name: &str| {
        used.contains(name)
            || done.contains(name)
            || sources.contains(&format!("\"{name}\""))
            || kinds.iter().any(|kind| name.starts_with(&format!("{kind}-")))
            || ["help-", "do-", "done-", "moment", "day"].iter().any(|begin| name.starts_with(begin))
    };
    let unused: Vec<_> = en.iter().filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "nothing uses {unused:?}");
}

/// Every article has a title, a lead and a body, and its links lead to pages.
#[test]
fn every_help_article_is_whole_in_every_language() {
    let words = catalogue().unwrap();
    let pages = [
        "login",
        "forgot",
        "activation",
        "contact",
        "profile",
        "password",
        "second-step",
        "devices",
        "sites",
        "terminals",
        "users",
        "groups",
        "company",
        "takeovers",
    ];
    let places = [
        ("brand", "B"),
        ("attempts", "7"),
        ("minutes", "15"),
        ("activation_days", "90"),
        ("reset_minutes", "60"),
    ];
    for language in Language::ALL {
        for article in crate::portal::ARTICLES {
            for part in ["title", "lead", "body"] {
                let name = format!("help-{article}-{part}");
                let text = words.say(language, &name, &places);
                assert!(text != name && text.len() > 10, "{language:?} {name}: {text}");
                assert!(!text.contains('{'), "{name}: {text}");
                for page in between(&text, "](", ")") {
                    let is_article = page
                        .strip_prefix("help/")
                        .is_some_and(|slug| crate::portal::ARTICLES.contains(&slug));
                    assert!(is_article || pages.contains(&page), "{name} leads to {page}");
                }
            }
        }
    }
}
