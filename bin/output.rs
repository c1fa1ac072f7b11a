//! Standard output and standard error: this is the only place that writes to them.
//!
//! Writing returns no error and never panics, as `println!` does. So a command does all that it was asked to do,
//! whatever becomes of its output, and an act that is half done never depends on who reads about it. What was lost
//! is told by the exit code, at the end ([`ending`]):
//!
//! - A reader that closes its pipe (`head`, `grep -q`, `less`) has read enough. The exit code stays what the command
//!   itself says, so that `loquet doctor | head -1` still fails when something is failing.
//! - Any other failure to write (a full disk) lost what somebody wanted to keep. A command that would have succeeded
//!   ends with [`LOST`], and says why on standard error.
//! - A secret that was made and could not be handed over is lost in both cases.

#![allow(clippy::disallowed_methods)] // this is the place

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use loquet_domain::plain_text::{is_printable, visible_lines};

/// The exit code of a command that did what it was asked to do and could not write its output: `EX_IOERR` of BSD's
/// `sysexits.h`. It is another one than that of a command that failed (1), which did nothing.
const LOST: u8 = 74;

/// The first failure to write to standard output. Nothing is written after it: what was written is a whole beginning.
static FAILED: OnceLock<io::Error> = OnceLock::new();
/// Whether something was lost that cannot be had by asking again.
static SECRET_LOST: AtomicBool = AtomicBool::new(false);

/// Whether somebody still takes what is written to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// As far as is known.
    There,
    /// Whatever is written now is lost: a long list need not go on.
    Gone,
}

/// Writes a line to standard output.
pub(crate) fn line(text: impl Display) -> Reader {
    write(format!("{}\n", printable(&text.to_string())).as_bytes())
}

/// Writes a document to standard output, byte for byte.
pub(crate) fn document(bytes: &[u8]) -> Reader {
    write(bytes)
}

/// Tells what was done: on standard output, or else on standard error.
pub(crate) fn outcome(text: impl Display) {
    let text = text.to_string();
    if line(&text) == Reader::Gone {
        note(text);
    }
}

/// Hands over a secret that is shown this once. Where it can't be written, `lost` says on standard error what was
/// made, and how it is taken back.
pub(crate) fn secret(text: impl Display, lost: impl FnOnce() -> String) {
    if line(text) == Reader::Gone {
        SECRET_LOST.store(true, Ordering::Relaxed);
        note(format_args!("loquet: {}", lost()));
    }
}

/// Tells something that the program can go on without: on standard output, or else on standard error. A server whose
/// greeting was lost has lost nothing.
pub(crate) fn greeting(text: impl Display) {
    let text = format!("{}\n", printable(&text.to_string()));
    let mut out = io::stdout();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        Log.write_all(text.as_bytes()).unwrap_or_default();
    }
}

/// Writes a line to standard error; to nobody, where that can't be written.
pub(crate) fn note(text: impl Display) {
    Log.write_all(format!("{}\n", printable(&text.to_string())).as_bytes()).unwrap_or_default();
}

/// What the command line's parser says: help and version on standard output, a fault on standard error. Gives its
/// exit code.
pub(crate) fn usage(said: &clap::Error) -> ExitCode {
    // What it repeats of the command line may hold anything; help and version are our own, and may be coloured.
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

/// The exit code of a command that itself says `code`, once all of its output is written or lost.
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

/// Whether somebody watches standard error, so that progress is shown there, and colours.
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
    // Flushed at once: what can't be written is told where it was written, and not at the end.
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
    // The first one stays.
    drop(FAILED.set(error));
}

/// The text without what a terminal would take for a command. What is printed came from files, orders and servers. Tabs and
/// the ends of lines are our own.
fn printable(text: &str) -> String {
    text.split('\t').map(visible_lines).collect::<Vec<_>>().join("\t")
}

/// Standard error as the program's log is written to it. What can't be written is lost and stops nobody: a server
/// goes on serving when its log's disk is full or who read the log has gone.
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
