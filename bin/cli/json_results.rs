//! `--json` of the commands that do something and say what came of it. Commands that list or show something declare the flag
//! themselves, because it changes what they read.

use clap::{Arg, ArgAction, ArgMatches, Command};

/// The words of the commands whose result is printed as JSON with `--json`.
const COMMANDS: &[&str] = &[
    "account convert",
    "account erase",
    "account export",
    "account release",
    "account reset-second-step",
    "account send-activation",
    "account send-reset",
    "staff invite",
    "audit check-consistency",
    "audit check-export",
    "audit check-proof",
    "audit checkpoint",
    "audit consistency",
    "audit export",
    "audit key",
    "audit prove",
    "audit verify",
    "backup",
    "company erase",
    "config check",
    "health",
    "kafka set-position",
    "keys create",
    "keys prepare",
    "keys rotate",
    "log copy",
    "mail retry",
    "order dead-letters discard",
    "order dead-letters retry",
    "projections rebuild",
    "projections verify",
    "restore",
    "terminal release",
    "token revoke",
    "webhook remove",
    "webhook retry",
    "webhook set-position",
];
const FLAG: &str = "json_result";

/// Adds the flag to these commands.
pub(super) fn with_json(command: Command) -> Command {
    COMMANDS.iter().fold(command, |command, words| added(command, words, flag))
}

fn flag() -> Arg {
    Arg::new(FLAG)
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print the result as JSON. Remarks go to standard error")
}

/// Adds an argument to the command with these words, if there is such a command.
pub(super) fn added(command: Command, words: &str, argument: fn() -> Arg) -> Command {
    let (name, below) = words.split_once(' ').unwrap_or((words, ""));
    // Without Kafka, its commands do not exist.
    if command.find_subcommand(name).is_none() {
        return command;
    }
    command.mut_subcommand(name, |found| match below {
        "" => found.arg(argument()),
        below => added(found, below, argument),
    })
}

/// Whether the command that was given has the flag set.
pub(crate) fn is_asked(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, below)) => is_asked(below),
        None => matches!(matches.try_get_one::<bool>(FLAG), Ok(Some(true))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_listed_command_exists_and_takes_the_flag() {
        let command = super::super::command();
        for words in super::COMMANDS {
            let mut found = Some(&command);
            for word in words.split(' ') {
                found = found.and_then(|command| command.find_subcommand(word));
            }
            let is_kafkas = words.starts_with("kafka") || words.contains("dead-letters");
            assert!(found.is_some() || (is_kafkas && cfg!(not(feature = "kafka"))), "{words}");
            assert!(found.is_none_or(|command| command.get_arguments().any(|a| a.get_id() == super::FLAG)));
        }
    }
}
