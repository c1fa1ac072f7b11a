//! Standard output and standard error: this is the only place that writes to them.
//!
//! Writing returns no error and never panics; `println!` would panic. So a command does all its work, even if its
//! output can't be written. The exit code tells at the end what was lost ([`ending`]):
//!
//! - A reader that closes its pipe (`head`, `grep -q`, `less`) has read enough. The exit code stays what the command
//!   itself says, so that `loquet doctor | head -1` still fails when something is failing.
//! - After any other failure to write (a full disk), output that somebody wanted is lost. A command that would have
//!   succeeded ends with [`LOST`], and says why on standard error.
//! - A secret that was made and could not be handed over is lost in both cases.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place that writes to standard output and standard error"
)]

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::Table;
use loquet_domain::values::plain_text::{is_printable, visible, visible_lines};

use serde_json::Value;

use crate::cli::Output;
use crate::exit_codes::LOST;
use crate::terminal_table;

/// The first failure to write to standard output. Nothing is written after it, so that the output has no gap.
static FAILED: OnceLock<io::Error> = OnceLock::new();
/// Whether something was lost that can't be printed again.
static SECRET_LOST: AtomicBool = AtomicBool::new(false);
/// Whether results are printed as JSON.
static RESULTS_ARE_JSON: AtomicBool = AtomicBool::new(false);

/// Whether somebody still reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Yes, as far as is known.
    There,
    /// No. Further output would be lost, so a long list can stop.
    Gone,
}

/// Writes a line to standard output.
pub(crate) fn line(text: impl Display) -> Reader {
    write(format!("{}\n", printable(&text.to_string())).as_bytes())
}

/// Writes a table to standard output. On a terminal it is as wide as the terminal at most, and its head is bold, unless
/// the variable `NO_COLOR` is set (<https://no-color.org>).
pub(crate) fn columns(table: &Table) -> Reader {
    let out = io::stdout();
    if !out.is_terminal() {
        return line(table);
    }
    let width = rustix::termios::tcgetwinsize(&out).map_or(80, |size| size.ws_col.max(40));
    write(terminal_table::fitted(table, width, has_colours()).as_bytes())
}

/// Whether a terminal is shown colours: it can, and nobody asked for none.
fn has_colours() -> bool {
    !anstyle_query::no_color() && anstyle_query::term_supports_ansi_color()
}

/// Writes why the command failed to standard error. On a terminal, the name of the program is red.
pub(crate) fn failure(why: impl Display) {
    let name = match io::stderr().is_terminal() && has_colours() {
        true => "\u{1b}[31mloquet:\u{1b}[0m",
        false => "loquet:",
    };
    Log.write_all(format!("{name} {}\n", printable(&why.to_string())).as_bytes()).unwrap_or_default();
}

/// Writes a document to standard output, byte for byte.
pub(crate) fn document(bytes: &[u8]) -> Reader {
    write(bytes)
}

/// Chooses how results are printed from now on.
pub(crate) fn print_results_as(output: Output) {
    RESULTS_ARE_JSON.store(output == Output::Json, Ordering::Relaxed);
}

/// Prints the result of a command: `text` for people, or `value` for programs if the command was asked for JSON.
pub(crate) fn result(text: impl Display, value: &Value) {
    if RESULTS_ARE_JSON.load(Ordering::Relaxed) {
        to_standard_output_or_error(value.to_string());
    } else {
        to_standard_output_or_error(text.to_string());
    }
}

/// Prints what a command shows: `text` for people, or `value` for programs if the command was asked for JSON. It changed
/// nothing, so nothing is said of it elsewhere if nobody reads it.
pub(crate) fn shown(text: impl Display, value: &Value) {
    let _ = match RESULTS_ARE_JSON.load(Ordering::Relaxed) {
        true => line(value),
        false => line(text),
    };
}

/// Prints what a command did: on standard output, or on standard error if that fails. If the command was asked for JSON, it
/// is a remark beside the result.
pub(crate) fn outcome(text: impl Display) {
    if RESULTS_ARE_JSON.load(Ordering::Relaxed) {
        note(text);
    } else {
        to_standard_output_or_error(text.to_string());
    }
}

fn to_standard_output_or_error(text: String) {
    if line(&text) == Reader::Gone {
        note(text);
    }
}

/// Prints a secret that is shown only once. If it can't be written, `lost` says on standard error what was made, and
/// how to revoke it.
pub(crate) fn secret(text: impl Display, lost: impl FnOnce() -> String) {
    if line(text) == Reader::Gone {
        SECRET_LOST.store(true, Ordering::Relaxed);
        note(format_args!("loquet: {}", lost()));
    }
}

/// Prints a message that the program can do without: on standard output, or on standard error if that fails. A lost
/// greeting of a server does not change the exit code.
pub(crate) fn greeting(text: impl Display) {
    let text = format!("{}\n", printable(&text.to_string()));
    let mut out = io::stdout();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        Log.write_all(text.as_bytes()).unwrap_or_default();
    }
}

/// Writes a line to standard error. If that fails, the line is lost.
pub(crate) fn note(text: impl Display) {
    Log.write_all(format!("{}\n", printable(&text.to_string())).as_bytes()).unwrap_or_default();
}

/// Prints what the command line's parser says: help and version on standard output, a fault on standard error.
/// Returns its exit code.
pub(crate) fn usage(said: &clap::Error) -> ExitCode {
    // A fault repeats parts of the command line, which may hold anything. Help and version are our own text
    // and may be coloured.
    if said.use_stderr() && !std::env::args_os().all(|given| given.to_str().is_some_and(is_plain)) {
        note(said.render().to_string().trim_end());
        return ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2));
    }
    let printed = said.print();
    if !said.use_stderr()
        && let Err(error) = printed
    {
        fail(error);
    }
    ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2))
}

/// Returns the exit code of a command that returned `code`, once all of its output is written or lost.
pub(crate) fn ending(code: ExitCode) -> ExitCode {
    if FAILED.get().is_none()
        && let Err(error) = io::stdout().flush()
    {
        fail(error);
    }
    let Some(error) = FAILED.get() else { return code };
    let has_read_enough = error.kind() == ErrorKind::BrokenPipe;
    if !has_read_enough {
        note(format_args!("loquet: standard output could not be written: {error}"));
    }
    let is_lost = !has_read_enough || SECRET_LOST.load(Ordering::Relaxed);
    if is_lost && code == ExitCode::SUCCESS { ExitCode::from(LOST) } else { code }
}

/// Asks whether to do something that can't be undone, if somebody is at the terminal. Elsewhere a command must be told so
/// on its command line, because nobody reads the question.
///
/// # Errors
/// Nobody agreed.
pub(crate) fn agreed(question: impl Display, told: bool) -> anyhow::Result<()> {
    if told {
        return Ok(());
    }
    let question = question.to_string();
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        anyhow::bail!("{question} This can't be undone. Add --yes to do it.");
    }
    Log.write_all(format!("{} This can't be undone. Go on? [y/N] ", printable(&question)).as_bytes())?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => anyhow::bail!("nothing was done"),
    }
}

/// Returns the path of a file, escaped for display.
pub(crate) fn place_of(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}

/// Returns whether standard error is a terminal. If so, progress and colours are shown there.
pub(crate) fn errors_are_watched() -> bool {
    io::stderr().is_terminal()
}

fn is_plain(given: &str) -> bool {
    given.chars().all(is_printable)
}

fn write(bytes: &[u8]) -> Reader {
    if FAILED.get().is_some() {
        return Reader::Gone;
    }
    // Flushed at once, so that a failure is noticed where the text is written and not at the end.
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Reader::There,
        Err(error) => {
            fail(error);
            Reader::Gone
        }
    }
}

fn fail(error: io::Error) {
    // Only the first failure is kept.
    drop(FAILED.set(error));
}

/// Returns the text with its control characters escaped, because a terminal would take them for commands.
/// Printed text comes from files, orders and servers. Tabs and line ends are our own, and stay.
fn printable(text: &str) -> String {
    text.split('\t').map(visible_lines).collect::<Vec<_>>().join("\t")
}

/// Standard error, for the program's log. If a line can't be written, it is lost and nothing stops. A server
/// goes on even if the disk of its log is full, or if the program that reads the log has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        drop(io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_reaches_a_terminal_and_json_stays_json() {
        assert_eq!(printable("one\n\ttwo é"), "one\n\ttwo é");
        assert_eq!(printable("a\u{1b}[2Jb\u{7f}\u{9b}\r"), "a\\u001b[2Jb\\u007f\\u009b\\u000d");
        let json = serde_json::json!({ "name": "a\u{7f}b\u{9b}" }).to_string();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&printable(&json)).unwrap()["name"],
            "a\u{7f}b\u{9b}"
        );
    }
}
