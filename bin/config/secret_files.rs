//! Files that settings name: passwords, keys and certificates.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{Config, Fault, SETTINGS, Source};

/// The settings that name the file of a password or of a private key.
const SECRET_FILES: [&str; 8] = [
    "smtp.password_file",
    "postgres.password_file",
    "postgres.key_file",
    "kafka.password_file",
    "kafka.key_file",
    "kafka.key_password_file",
    "kurrentdb.password_file",
    "kurrentdb.key_file",
];

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

/// Notes every file with a secret that other users of this machine can read: the file of a password, and a configuration
/// file with a password in it.
pub(super) fn note_open_secrets(config: &mut Config) {
    let mut open = Vec::new();
    for setting in SETTINGS {
        let Some(held) = config.get(setting.key).filter(|held| held.is_set()) else { continue };
        let file = match &held.from {
            _ if SECRET_FILES.contains(&setting.key) => PathBuf::from(&held.text),
            Source::File(path, _) if setting.is_secret() => path.clone(),
            _ => continue,
        };
        let mode = std::fs::metadata(&file).map(|held| held.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o004 != 0) {
            let why = format!("every user of this machine can read {0}: chmod o-r {0}", file.display());
            open.push(Fault { at: held.from.clone(), key: setting.key.to_owned(), why });
        }
    }
    config.open_secrets = open;
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
