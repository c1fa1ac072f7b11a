//! Examples of every command, for its help and its manual page.

use clap::Command;

/// The words of a command, and how it is used. A test parses each example.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("serve", &["serve --dev", "serve --config /etc/loquet/loquet.toml"]),
    ("config check", &["config check --config /etc/loquet/loquet.toml"]),
    ("config show", &["config show", "config show --json"]),
    ("config sample", &["config sample"]),
    ("order import", &["order import orders.jsonl"]),
    ("order dead-letters list", &["order dead-letters list"]),
    ("order dead-letters show", &["order dead-letters show orders/0/42"]),
    ("order dead-letters retry", &["order dead-letters retry orders/0/42"]),
    ("order dead-letters discard", &["order dead-letters discard orders/0/42 --yes"]),
    ("account list", &["account list --company 0123.456.749", "account list --awaiting-conversion --json"]),
    (
        "account release",
        &["account release marie@boulangerie.example --reason 'called back on the number on file'"],
    ),
    (
        "account send-activation",
        &["account send-activation jan@boulangerie.example --reason 'the link has expired'"],
    ),
    ("account send-reset", &["account send-reset jan@boulangerie.example --reason 'forgot the password'"]),
    (
        "account convert",
        &["account convert an@boulangerie.example --to administrator --reason 'the owner asked by letter'"],
    ),
    (
        "account reset-second-step",
        &[
            "account reset-second-step jan@boulangerie.example --reason 'lost the phone' --identity-proof 'named two invoices'",
        ],
    ),
    ("lockout list", &["lockout list", "lockout list --json"]),
    ("account show", &["account show marie@boulangerie.example"]),
    ("account history", &["account history marie@boulangerie.example --json"]),
    (
        "account export",
        &[
            "account export marie@boulangerie.example --reason 'asked by letter' --text --url https://portal.example --token-file support.token",
        ],
    ),
    (
        "staff invite",
        &[
            "staff invite sofie@supplier.example --role support --given-name Sofie --family-name Maes --language nl",
        ],
    ),
    ("account erase", &["account erase marie@boulangerie.example --reason 'asked by letter' --yes"]),
    ("company list", &["company list", "company list --name boul --json"]),
    ("company show", &["company show 0123.456.749"]),
    (
        "company erase",
        &[
            "company erase 0123.456.749 --reason 'asked by letter' --url http://127.0.0.1:8080 --token-file token --yes",
        ],
    ),
    ("site list", &["site list 0123.456.749"]),
    ("site show", &["site show 0198c0de-0000-4000-8000-000000000000"]),
    ("terminal show", &["terminal show 1850-012-345"]),
    (
        "terminal release",
        &["terminal release 1850-012-345 --cause returned --reason 'came back in box 7' --yes"],
    ),
    (
        "terminal import",
        &[
            "terminal import moves.csv --company 0123.456.749 --dry-run --url https://portal.example --token-file support.token",
        ],
    ),
    (
        "permission ask",
        &[
            "permission ask --account jan@boulangerie.example --permission manage_terminals --site 0198c0de-0000-4000-8000-000000000000",
        ],
    ),
    ("audit key", &["audit key"]),
    ("audit checkpoint", &["audit checkpoint", "audit checkpoint --now"]),
    (
        "audit verify",
        &[
            "audit verify",
            "audit verify --public-key public.key --checkpoints checkpoints.jsonl",
            "audit verify --public-key public.key --witness witness.key",
        ],
    ),
    ("audit prove", &["audit prove 1042"]),
    ("audit check-consistency", &["audit check-consistency consistency.json --public-key public.key"]),
    ("audit check-proof", &["audit check-proof event.tlog-proof --public-key public.key"]),
    (
        "audit what-if",
        &[
            "audit what-if --attempts 5 --duration 30m --from 2026-11-01 --to 2026-12-01",
            "audit what-if --profile pci --policy attempts=5,duration=30m --policy devices=off --svg chart.svg",
        ],
    ),
    (
        "audit export",
        &[
            "audit export extract --from 2026-01-01 --to 2027-01-01",
            "audit export extract --personal --reason 'yearly audit'",
            "audit export extract --states --as-of 2026-11-01",
        ],
    ),
    ("audit check-export", &["audit check-export extract --public-key public.key"]),
    ("audit account", &["audit account marie@boulangerie.example --as-of 2026-11-01T08:00:00Z"]),
    ("audit company", &["audit company 0123.456.749 --as-of 2026-11-01"]),
    ("audit site", &["audit site 0198c0de-0000-4000-8000-000000000000 --as-of 1042"]),
    ("audit terminal", &["audit terminal 1850-012-345 --as-of 2026-11-01"]),
    (
        "audit permissions",
        &[
            "audit permissions jan@boulangerie.example 0198c0de-0000-4000-8000-000000000000 --as-of 2026-11-01",
        ],
    ),
    (
        "audit timeline",
        &["audit timeline marie@boulangerie.example --language fr", "audit timeline administration"],
    ),
    ("audit diff", &["audit diff 0123.456.749 --from 2026-11-01 --to 2026-12-01"]),
    ("audit consistency", &["audit consistency 1000 2000"]),
    ("takeover list", &["takeover list --status open"]),
    ("takeover show", &["takeover show 0198c0de-0000-4000-8000-000000000000"]),
    ("events tail", &["events tail", "events tail --after 0 --json", "events tail --follow"]),
    ("log copy", &["log copy --from here.toml --to there.toml"]),
    ("projections list", &["projections list"]),
    ("projections rebuild", &["projections rebuild accounts"]),
    ("projections verify", &["projections verify", "projections verify accounts sites"]),
    ("mail list", &["mail list", "mail list --account marie@boulangerie.example"]),
    ("mail show", &["mail show 0198c0de-0000-4000-8000-000000000000"]),
    ("mail retry", &["mail retry 0198c0de-0000-4000-8000-000000000000"]),
    ("diagnose", &["diagnose marie@boulangerie.example"]),
    ("find", &["find 'dupont boulangerie'", "find 1850012"]),
    ("webhook add", &["webhook add https://crm.example/loquet"]),
    ("webhook list", &["webhook list"]),
    ("webhook rotate", &["webhook rotate 0198c0de-0000-4000-8000-000000000000"]),
    ("webhook failing", &["webhook failing 0198c0de-0000-4000-8000-000000000000"]),
    ("webhook retry", &["webhook retry 0198c0de-0000-4000-8000-000000000000"]),
    ("webhook set-position", &["webhook set-position 0198c0de-0000-4000-8000-000000000000 0 --yes"]),
    ("webhook remove", &["webhook remove 0198c0de-0000-4000-8000-000000000000 --yes"]),
    (
        "token create",
        &["token create --name crm --scope events:read", "token create --staff 'Sofie Maes' --role support"],
    ),
    ("token list", &["token list"]),
    ("token rotate", &["token rotate dbc124091c50"]),
    ("token revoke", &["token revoke dbc124091c50 --yes"]),
    ("keys create", &["keys create"]),
    ("keys prepare", &["keys prepare"]),
    ("keys rotate", &["keys rotate", "keys rotate --compromised --yes"]),
    ("backup", &["backup /backup/today", "backup /backup/today --without-keys"]),
    ("restore", &["restore /backup/today", "restore /backup/today --check"]),
    ("demo", &["demo"]),
    ("doctor", &["doctor --dev", "doctor --config /etc/loquet/loquet.toml --json"]),
    ("health", &["health", "health --live"]),
    ("openapi", &["openapi"]),
    ("kafka status", &["kafka status"]),
    ("kafka set-position", &["kafka set-position 0"]),
    ("publish", &["publish --topic loquet.accounts --to-topic loquet.accounts.again"]),
    ("asyncapi", &["asyncapi"]),
    ("schema", &["schema loquet.account.locked.v1", "schema --to schemas"]),
    ("completions", &["completions bash"]),
    ("man", &["man", "man --to /usr/share/man/man1"]),
];

/// Adds its examples to every command.
pub(super) fn with_examples(command: Command) -> Command {
    under(command, "")
}

fn under(mut command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|held| held.get_name().to_owned()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(name, |held| under(held, &path));
    }
    match EXAMPLES.iter().find(|(words, _)| *words == path) {
        Some((_, examples)) => command.after_help(text(examples)),
        None => command,
    }
}

fn text(examples: &[&str]) -> String {
    let lines = examples.iter().map(|example| format!("  loquet {example}"));
    format!("Examples:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    /// The words of every command that has no further commands.
    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        for held in command.get_subcommands().filter(|held| held.get_name() != "help") {
            let path = format!("{path} {}", held.get_name()).trim().to_owned();
            match held.has_subcommands() {
                true => leaves(held, &path, found),
                false => found.push(path),
            }
        }
    }

    /// The words of a command line. An example quotes with `'` alone.
    fn words(line: &str) -> Vec<String> {
        let parts = line.split('\'').enumerate();
        parts
            .flat_map(|(n, part)| match n % 2 {
                0 => part.split_whitespace().map(ToOwned::to_owned).collect(),
                _ => vec![part.to_owned()],
            })
            .collect()
    }

    #[test]
    fn every_command_has_examples_and_every_example_is_understood() {
        let mut found = Vec::new();
        leaves(&cli::command(), "", &mut found);
        for path in &found {
            let examples = EXAMPLES.iter().find(|(words, _)| words == path);
            let (_, examples) = examples.unwrap_or_else(|| panic!("no example of {path}"));
            for example in *examples {
                assert!(example.starts_with(path.as_str()), "{example} is no example of {path}");
                let line = std::iter::once("loquet".to_owned()).chain(words(example));
                let read = cli::command().try_get_matches_from(line);
                assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
            }
        }
        assert!(found.len() > 50, "{found:?}");
    }
}
