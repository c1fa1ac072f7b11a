//! Lines of the program's own log, in which nothing that was sent to it can pass for a line, a colour or a command to the
//! terminal of whoever reads it (CWE-117, CWE-150).

use std::io::{Result, Write};

use loquet_domain::plain_text::{is_printable, visible};

/// Standard error, to which each event of the log is written as one line.
pub(crate) struct PlainLog<W>(pub(crate) W);

impl<W: Write> Write for PlainLog<W> {
    /// Takes one event, as the formatter hands it over: whole, its line end last.
    fn write(&mut self, event: &[u8]) -> Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", plain(line)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

/// The colours of the formatter stay: an escape in a value is no escape any more when it comes here, since the formatter has
/// written it out (tracing-subscriber 0.3.20, CVE-2025-58160).
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = visible(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        match part.split_once('m').filter(|(code, _)| is_colour(code)) {
            Some((code, rest)) => {
                plain.push_str("\u{1b}");
                plain.push_str(code);
                plain.push('m');
                plain.push_str(&visible(rest));
            }
            None => plain.push_str(&visible(&format!("\u{1b}{part}"))),
        }
    }
    plain
}

/// `[2` and the like (ECMA-48, SGR).
fn is_colour(code: &str) -> bool {
    code.strip_prefix('[').is_some_and(|code| {
        code.chars().all(|letter| is_printable(letter) && (letter.is_ascii_digit() || letter == ';'))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt;

    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = PlainLog<Self>;
        fn make_writer(&'a self) -> PlainLog<Self> {
            PlainLog(self.clone())
        }
    }

    fn logged(said: &str, json: bool) -> String {
        let lines = Lines::default();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(lines.clone());
        let registry = tracing_subscriber::registry();
        let log = || tracing::warn!(why = %said, "a reply: {said}");
        match json {
            true => tracing::subscriber::with_default(registry.with(layer.json()), log),
            false => tracing::subscriber::with_default(registry.with(layer), log),
        }
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn whatever_is_logged_is_one_line_without_a_control_character(said in any::<String>(), json in any::<bool>()) {
            let line = logged(&said, json);
            prop_assert!(line.strip_suffix('\n').unwrap().chars().all(is_printable), "{line:?}");
            if json {
                let read: serde_json::Value = serde_json::from_str(&line).unwrap();
                prop_assert_eq!(read["fields"]["why"].as_str(), Some(said.as_str()));
            }
        }
    }

    #[test]
    fn the_formatters_own_colours_stay() {
        assert_eq!(
            plain("\u{1b}[2mnow\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m"),
            "\u{1b}[2mnow\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m"
        );
        assert_eq!(
            plain("a\u{1b}[2Jb\u{1b}]0;title\u{7}\nc\u{202e}"),
            "a\\u001b[2Jb\\u001b]0;title\\u0007\\u000ac\\u202e"
        );
    }
}
