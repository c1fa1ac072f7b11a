//! The lines of the program's log. Logged input can't begin a new line, and can't send colours or commands to
//! the reader's terminal (CWE-117, CWE-150).

use std::io::{Result, Write};

use loquet_domain::values::plain_text::visible;

/// Writes each log event to standard error as one line. It has no colours, because the formatter's colours
/// could not be told apart from colours in the input.
pub(crate) struct PlainLog<W>(pub(crate) W);

impl<W: Write> Write for PlainLog<W> {
    /// Writes one event. The formatter passes it whole, with the line end last.
    fn write(&mut self, event: &[u8]) -> Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", visible(line)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loquet_domain::values::plain_text::is_printable;
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

    /// Any text. proptest's own string strategies produce no control characters.
    fn any_text() -> impl Strategy<Value = String> {
        let hidden = prop::sample::select(vec![
            '\0',
            '\n',
            '\r',
            '\u{1b}',
            '\u{9b}',
            '\u{200b}',
            '\u{202e}',
            '\u{e0041}',
        ]);
        let letter = prop_oneof![2 => any::<char>(), 1 => hidden];
        prop::collection::vec(letter, 0..30).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn whatever_is_logged_is_one_line_without_a_control_character(said in any_text(), json in any::<bool>()) {
            let line = logged(&said, json);
            prop_assert!(line.strip_suffix('\n').unwrap().chars().all(is_printable), "{line:?}");
            if json {
                let read: serde_json::Value = serde_json::from_str(&line).unwrap();
                prop_assert_eq!(read["fields"]["why"].as_str(), Some(said.as_str()));
            }
        }
    }

    #[test]
    fn a_colour_that_was_sent_is_none() {
        for json in [true, false] {
            assert!(!logged("\u{1b}[31mred\u{1b}[0m", json).contains('\u{1b}'));
        }
    }
}
