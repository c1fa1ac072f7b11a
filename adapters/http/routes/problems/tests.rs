//! `docs/problems.md` is what the texts say.

use std::fmt::Write;

use super::*;

/// The catalogue as `docs/problems.md` has it.
fn catalogue() -> String {
    let mut text = "# Problems\n\nAn answer that refuses something is `application/problem+json` (RFC 9457). Its `type` is \
                    `urn:loquet:problem:` and one of\nthese names. `detail` says it in the reader's language. A server \
                    shows each of them at `/problems/NAME`. In the texts below,\n`…` stands for a value.\n\n\
                    | Problem | Title | Detail |\n|---|---|---|\n"
        .to_owned();
    let cell = |name: &str| meaning(Language::En, name).replace('|', "\\|");
    for slug in slugs() {
        let (title, detail) = (cell(&format!("{slug}-title")), cell(&format!("{slug}-detail")));
        writeln!(text, "| `{slug}` | {title} | {detail} |").unwrap();
    }
    text.push_str(
        "\n## Rules\n\nWhere a request breaks rules, `errors` has an entry for each: its `pointer`, its `rule` and a \
         `message`.\n\n| Rule | Message |\n|---|---|\n",
    );
    let rules = TEXTS.split("# Rules of bodies\n").nth(1).and_then(|rest| rest.split("# Pages\n").next());
    for (rule, _) in rules.unwrap().lines().filter_map(|line| line.split_once(" = ")) {
        writeln!(text, "| `{rule}` | {} |", cell(rule)).unwrap();
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes a text asks for the file so")]
fn the_catalogue_in_docs_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems.md");
    if std::env::var_os("LOQUET_WRITE_PROBLEMS").is_some() {
        std::fs::write(path, catalogue()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let made = catalogue();
    let differs = made.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(
        written == made,
        "run: LOQUET_WRITE_PROBLEMS=1 cargo test --package loquet-http catalogue; the first difference: {differs:?}"
    );
}

#[test]
fn every_problem_has_a_title_and_a_detail_with_all_variables_known() {
    for slug in slugs() {
        for language in Language::ALL {
            for part in ["title", "detail"] {
                let name = format!("{slug}-{part}");
                let told = meaning(language, &name);
                assert!(told != name && !told.contains("{ $"), "{name} in {language:?}: {told}");
            }
        }
    }
    assert!(slugs().count() > 70);
}
