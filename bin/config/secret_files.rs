//! Files that settings name: passwords, keys and certificates.

use std::path::PathBuf;

use super::Config;

/// Returns a password that is set in one of two settings: itself, or the file that contains it.
pub(crate) fn password(config: &mut Config, own: &'static str, in_file: &'static str) -> Option<String> {
    let given = config.text(own).map(ToOwned::to_owned);
    let of_file = text_file(config, in_file).map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    match (&given, &of_file) {
        (Some(_), Some(_)) => config.fault(own, format!("{in_file} is set too: set only one of them")),
        (None, Some(empty)) if empty.is_empty() => config.fault(in_file, "the file is empty"),
        _ => {}
    }
    given.or(of_file)
}

/// Reads the text file that a setting names.
pub(crate) fn text_file(config: &mut Config, key: &'static str) -> Option<String> {
    file(config, key).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads the file that a setting names.
pub(crate) fn file(config: &mut Config, key: &'static str) -> Option<Vec<u8>> {
    let path = PathBuf::from(config.text(key)?);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            config.fault(key, format!("{} can't be read: {error}", path.display()));
            None
        }
    }
}
