//! The annotated sample of a configuration file.

use std::fmt::Write;

use super::{SETTINGS, Setting};

/// The width of a comment, in bytes.
const WIDTH: usize = 100;

/// A file with every setting at its default. Each is commented out, and has its description and its range.
pub(crate) fn sample() -> String {
    let mut text = String::from(
        "# The configuration of Loquet. It lists every setting with its default. To change a setting, remove\n\
         # the # in front of it. You can also set it with an environment variable (lockout.attempts is\n\
         # LOQUET_LOCKOUT_ATTEMPTS) or with a flag (--lockout-attempts). A flag overrides a variable, and a\n\
         # variable overrides this file. The range of each value is in parentheses.\n\
         # `loquet config check` reports every fault. `loquet config show` prints the values in force.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let (own, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if own != section {
            section = own;
            let _ = write!(text, "\n[{section}]\n");
        }
        write_setting(&mut text, setting, name);
    }
    text
}

fn write_setting(text: &mut String, setting: &Setting, name: &str) {
    text.push('\n');
    write_comment(text, &format!("{} ({})", setting.help, setting.kind.range()));
    let value = setting.default.unwrap_or(setting.example);
    let quote = if setting.kind.is_bare() { "" } else { "\"" };
    let _ = writeln!(text, "#{name} = {quote}{value}{quote}");
}

/// Writes a comment, with line breaks between words.
fn write_comment(text: &mut String, comment: &str) {
    let mut width = 0;
    for word in comment.split(' ') {
        let fits = width > 0 && width + 1 + word.len() <= WIDTH;
        if width > 0 && !fits {
            text.push('\n');
        }
        if !fits {
            text.push('#');
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.len();
    }
    text.push('\n');
}
