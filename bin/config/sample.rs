//! The annotated sample of a configuration file.

use std::fmt::Write;

use super::{SETTINGS, Setting};

/// A file with every setting at its default, commented out, each with what it does and may be.
pub(crate) fn sample() -> String {
    let mut text = String::from(
        "# A configuration of Loquet with every setting at its default. Take the # off what you change.\n\
         # Each can also be given as a variable (lockout.attempts is LOQUET_LOCKOUT_ATTEMPTS) or as a\n\
         # flag (--lockout-attempts); a flag wins over a variable, a variable over this file.\n\
         # `loquet config check` names every fault, `loquet config show` says what holds.\n",
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
    let _ = writeln!(text, "\n# {} ({})", setting.help, setting.kind.range());
    let value = setting.default.unwrap_or(setting.example);
    let quote = if setting.kind.is_bare() { "" } else { "\"" };
    let _ = writeln!(text, "#{name} = {quote}{value}{quote}");
}
