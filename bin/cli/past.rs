//! `--as-of` of the commands that read: they answer what the system knew at an earlier moment.

use clap::{Arg, ArgMatches, Command};

/// The words of the commands that take it.
const COMMANDS: &[&str] = &[
    "account history",
    "account list",
    "account show",
    "audit account",
    "audit company",
    "audit export",
    "audit permissions",
    "audit site",
    "audit terminal",
    "company list",
    "company show",
    "diagnose",
    "find",
    "lockout list",
    "permission ask",
    "site list",
    "site show",
    "takeover list",
    "takeover show",
    "terminal show",
];
const FLAG: &str = "as_of";

/// Adds the flag to these commands.
pub(super) fn with_past(command: Command) -> Command {
    COMMANDS.iter().fold(command, |command, words| super::json_results::added(command, words, flag))
}

fn flag() -> Arg {
    Arg::new(FLAG).long("as-of").value_name("MOMENT").value_parser(super::words::point).help(
        "Answer what the system knew at this moment, date (its beginning, UTC) or position of the log, such as \
         2026-11-01T08:00:00Z or 1042",
    )
}

/// The moment or the position that the command was asked about.
pub(crate) fn asked(matches: &ArgMatches) -> Option<String> {
    match matches.subcommand() {
        Some((_, below)) => asked(below),
        None => matches.try_get_one::<String>(FLAG).ok().flatten().cloned(),
    }
}
