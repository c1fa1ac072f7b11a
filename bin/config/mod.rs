//! The configuration: one TOML file, overridden by `LOQUET_*` variables, overridden by flags.
//!
//! Every setting is a row of [`table`]. The file, the variables, the flags, `config show` and the sample all follow
//! from it. All faults are collected and reported together.

mod file;
mod kind;
mod profiles;
mod sample;
pub(crate) mod secret_files;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::ArgMatches;

pub(crate) use kind::{Kind, duration, networks};
pub(crate) use profiles::lockout_profile;
pub(crate) use sample::sample;
pub(crate) use table::{SETTINGS, Setting, flags, flags_everywhere};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(PathBuf, usize),
    Variable(String),
    Flag(String),
    /// A profile. This is for settings that are not given explicitly.
    Profile(&'static str, String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, 0) => path.display().fmt(f),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::Profile(of, name) => write!(f, "{of} = {name}"),
        }
    }
}

/// A fault in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Source,
    /// The setting at fault. Empty when the fault belongs to no setting.
    pub(crate) key: String,
    pub(crate) why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.at, self.key.as_str()) {
            (at, "") => write!(f, "{at}: {}", self.why),
            (Source::Default, key) => write!(f, "{key}: {}", self.why),
            (at, key) => write!(f, "{at}: {key}: {}", self.why),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) text: String,
    pub(crate) from: Source,
}

impl Held {
    /// Whether it was given explicitly.
    pub(crate) fn is_set(&self) -> bool {
        !matches!(self.from, Source::Default | Source::Profile(..))
    }
}

/// Every setting's value.
#[derive(Debug, Default)]
pub(crate) struct Config {
    values: BTreeMap<&'static str, Held>,
    /// The faults, in the order in which they were found.
    pub(crate) faults: Vec<Fault>,
    /// Unknown variables. They do not prevent a start, because Kubernetes sets such variables for a service
    /// called `loquet`.
    pub(crate) notices: Vec<Fault>,
    /// Files with secrets that other users of this machine can read.
    pub(crate) open_secrets: Vec<Fault>,
}

/// The files that are tried if no file is named.
const USUAL: [&str; 2] = ["loquet.toml", "/etc/loquet/loquet.toml"];
/// Variables of ours that are not settings.
const OTHER_VARIABLES: [&str; 1] = ["LOQUET_CONFIG"];

impl Config {
    /// Reads the configuration from the file, the environment and the command line.
    pub(crate) fn read(
        said: Option<&Path>,
        flags: &ArgMatches,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let mut config = Self::default();
        config.hold_defaults();
        let usual = || USUAL.iter().map(Path::new).find(|path| path.exists());
        if let Some(path) = said.or_else(usual) {
            config.read_file(path);
        }
        config.read_variables(variables);
        config.read_flags(flags);
        config.read_profiles();
        config.check();
        secret_files::note_open_secrets(&mut config);
        config
    }

    /// Reads the configuration from a file alone.
    pub(crate) fn of_file(path: &Path) -> Self {
        let mut config = Self::default();
        config.hold_defaults();
        config.read_file(path);
        config.read_profiles();
        config.check();
        config
    }

    fn hold_defaults(&mut self) {
        for setting in SETTINGS {
            if let Some(text) = setting.default {
                self.hold(setting, text.to_owned(), Source::Default);
            }
        }
    }

    fn hold(&mut self, setting: &Setting, text: String, from: Source) {
        self.values.insert(setting.key, Held { text, from });
    }

    fn read_file(&mut self, path: &Path) {
        let (values, faults) = file::read(path);
        self.faults.extend(faults);
        for (setting, text, line) in values {
            self.hold(setting, text, Source::File(path.to_owned(), line));
        }
    }

    fn read_variables(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        let named = variables.into_iter().map(|(name, text)| (name.to_string_lossy().into_owned(), text));
        let mut ours: Vec<_> = named
            .filter(|(name, _)| name.starts_with("LOQUET_") && !OTHER_VARIABLES.contains(&name.as_str()))
            .collect();
        ours.sort();
        for (name, text) in ours {
            let setting = SETTINGS.iter().find(|setting| setting.variable() == name);
            match (setting, text.into_string()) {
                (Some(setting), Ok(text)) => self.hold(setting, text, Source::Variable(name)),
                (Some(setting), Err(_)) => {
                    let why = "it is not UTF-8".to_owned();
                    self.faults.push(Fault { at: Source::Variable(name), key: setting.key.to_owned(), why });
                }
                (None, _) => self.unknown_variable(name),
            }
        }
    }

    /// Reports an unknown variable. It is a fault when its name is nearly a setting's name: then it is probably a
    /// spelling mistake, and its value would be lost.
    fn unknown_variable(&mut self, name: String) {
        let known = || SETTINGS.iter().map(Setting::variable);
        let why = unknown("setting", &name, known());
        let is_misspelled = known().any(|known| strsim::damerau_levenshtein(&name, &known) <= 2);
        let told = if is_misspelled { &mut self.faults } else { &mut self.notices };
        told.push(Fault { at: Source::Variable(name), key: String::new(), why });
    }

    /// Reads the flags of the command, before and after the names of subcommands.
    fn read_flags(&mut self, flags: &ArgMatches) {
        for setting in SETTINGS {
            let said = flags.try_get_one::<String>(setting.key).ok().flatten();
            if let Some(text) = said {
                self.hold(setting, text.clone(), Source::Flag(setting.flag()));
            }
        }
        if let Some((_, deeper)) = flags.subcommand() {
            self.read_flags(deeper);
        }
    }

    /// Applies the profiles to settings that were not given explicitly.
    fn read_profiles(&mut self) {
        for profiles::Profile { of, name, says } in profiles::PROFILES {
            if self.values.get(of).is_none_or(|held| held.text != name) {
                continue;
            }
            for (key, value) in says {
                let is_set = self.values.get(key).is_some_and(Held::is_set);
                if !is_set {
                    let from = Source::Profile(of, name.to_owned());
                    self.values.insert(key, Held { text: (*value).to_owned(), from });
                }
            }
        }
    }

    /// Checks every value against the bounds of its setting.
    fn check(&mut self) {
        for setting in SETTINGS {
            let Some(held) = self.values.get(setting.key) else { continue };
            if let Err(why) = setting.kind.check(&held.text) {
                let (at, key) = (held.from.clone(), setting.key.to_owned());
                let shown = if setting.is_secret() { String::new() } else { format!("'{}': ", held.text) };
                self.faults.push(Fault { at, key, why: format!("{shown}{why}") });
            }
        }
    }

    /// Adds a fault of a setting that is not visible in its value alone. Does nothing if the setting has a fault
    /// already.
    pub(crate) fn fault(&mut self, key: &'static str, why: impl fmt::Display) {
        if self.is_faulty(key) {
            return;
        }
        let at = self.values.get(key).map_or(Source::Default, |held| held.from.clone());
        self.faults.push(Fault { at, key: key.to_owned(), why: why.to_string() });
    }

    /// Adds a fault of two settings together, at the first of them that was given explicitly.
    pub(crate) fn fault_of_either(&mut self, keys: [&'static str; 2], why: impl fmt::Display) {
        let is_set = |key: &&str| self.values.get(key).is_some_and(Held::is_set);
        let [first, _] = keys;
        let key = keys.into_iter().find(is_set).unwrap_or(first);
        self.fault(key, why);
    }

    /// Every fault. Those of the file come first, in the order of the file. If the file can't be read, there is only that
    /// fault: what seems to be missing may be in the file.
    pub(crate) fn faults_in_order(&self) -> Vec<&Fault> {
        let unread = |fault: &&Fault| matches!(fault.at, Source::File(_, 0));
        if let Some(unread) = self.faults.iter().find(unread) {
            return vec![unread];
        }
        let mut faults: Vec<_> = self.faults.iter().collect();
        faults.sort_by_key(|fault| match fault.at {
            Source::File(_, line) => line,
            _ => usize::MAX,
        });
        faults
    }

    /// Whether a setting has a fault.
    pub(crate) fn is_faulty(&self, key: &str) -> bool {
        self.faults.iter().any(|fault| fault.key == key)
    }

    /// A setting's value. `None` when it has no value and no default.
    pub(crate) fn get(&self, key: &'static str) -> Option<&Held> {
        debug_assert!(SETTINGS.iter().any(|setting| setting.key == key), "{key} is no setting");
        self.values.get(key)
    }

    /// A setting's text. `None` when it has a fault, or no value.
    pub(crate) fn text(&self, key: &'static str) -> Option<&str> {
        self.get(key).map(|held| held.text.as_str()).filter(|_| !self.is_faulty(key))
    }

    /// A setting's text as a value of its type. `None` in the same cases as [`Config::text`].
    pub(crate) fn parsed<T: FromStr>(&self, key: &'static str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    /// A setting's duration.
    pub(crate) fn duration(&self, key: &'static str) -> Option<Duration> {
        duration(self.text(key)?).ok()
    }
}

/// "unknown ...", with the known name that was probably meant.
fn unknown(what: &str, name: &str, known: impl Iterator<Item = String>) -> String {
    let near = known
        .map(|known| (strsim::damerau_levenshtein(name, &known), known))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    match near {
        Some((_, near)) => format!("unknown {what} '{name}': did you mean '{near}'?"),
        None => format!("unknown {what} '{name}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loquet.toml");
        std::fs::write(&path, file).unwrap();
        let matches = super::table::flags(clap::Command::new("loquet"))
            .try_get_matches_from(std::iter::once(&"loquet").chain(flags))
            .unwrap();
        let variables = variables.iter().map(|(name, text)| (name.into(), text.into()));
        Config::read(Some(&path), &matches, variables)
    }

    #[test]
    fn a_flag_wins_over_a_variable_a_variable_over_the_file_and_the_file_over_the_default() {
        let file = "[lockout]\nattempts = 3\n";
        let held = |variables: &[_], flags: &[_]| {
            let config = config(file, variables, flags);
            assert_eq!(config.faults, []);
            let held = config.get("lockout.attempts").unwrap();
            (held.text.clone(), held.from.to_string().rsplit('/').next().unwrap().to_owned())
        };
        let variable = [("LOQUET_LOCKOUT_ATTEMPTS", "4")];
        assert_eq!(held(&[], &[]), ("3".to_owned(), "loquet.toml:2".to_owned()));
        assert_eq!(held(&variable, &[]), ("4".to_owned(), "LOQUET_LOCKOUT_ATTEMPTS".to_owned()));
        let flag = ["--lockout-attempts", "5"];
        assert_eq!(held(&variable, &flag), ("5".to_owned(), "--lockout-attempts".to_owned()));
        let default = config(file, &[], &[]);
        assert_eq!(default.get("lockout.duration").unwrap().from, Source::Default);
    }

    #[test]
    fn a_setting_that_would_switch_a_protection_off_is_refused() {
        for line in [
            "lockout.attempts = 0",
            "lockout.attempts = -1",
            "lockout.attempts = 4294967296",
            "lockout.attempts = 99999999999999999999999",
            "lockout.duration = \"0s\"",
            "lockout.duration = \"-15m\"",
            "lockout.duration = \"9999999999999999d\"",
            "lockout.duration = 900",
            "password.min_length = 1",
            "links.reset = \"100d\"",
            "sessions.lifetime = \"0h\"",
            "limits.strangers_per_second = 0",
            "argon2.memory_kib = 8",
            "smtp.security = \"off\"",
            "http.trusted_proxies = \"0.0.0.0/0\"",
            "http.trusted_proxies = \"10.0.0.0/8, ::/0\"",
            "public_url = \"https://[::1\"",
            "public_url = \"https://portal.example:99999\"",
        ] {
            assert_eq!(config(line, &[], &[]).faults.len(), 1, "{line}");
        }
    }

    #[test]
    fn what_is_misspelled_is_named_with_what_was_meant() {
        let config = config(
            "[lockout]\natempts = 7\n[lokout]\n",
            &[
                ("LOQUET_LOCKOUT_ATTEMPT", "x"),
                ("LOQUET_CONFIG", "x"),
                ("PATH", "x"),
                // Kubernetes sets this for a service called `loquet`.
                ("LOQUET_PORT", "tcp://10.0.0.1:8080"),
                ("LOQUET_PORT_8080_TCP_ADDR", "10.0.0.1"),
                ("LOQUET_SERVICE_HOST", "10.0.0.1"),
                ("LOQUET_SERVICE_PORT_HTTP", "8080"),
            ],
            &[],
        );
        let whys: Vec<_> = config.faults.iter().map(|fault| fault.why.as_str()).collect();
        assert!(whys.iter().any(|why| why.contains("'lockout.attempts'?")), "{whys:?}");
        assert!(whys.iter().any(|why| why.contains("'lockout'?")), "{whys:?}");
        assert!(whys.iter().any(|why| why.contains("'LOQUET_LOCKOUT_ATTEMPTS'?")), "{whys:?}");
        assert_eq!(whys.len(), 3, "{whys:?}");
        assert_eq!(config.notices.len(), 4, "{:?}", config.notices);
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_a_fault_and_its_setting_not_the_default_in_silence() {
        use std::os::unix::ffi::OsStringExt;
        let variables = [("LOQUET_LOCKOUT_ATTEMPTS".into(), OsString::from_vec(vec![b'3', 0xff]))];
        let matches = super::table::flags(clap::Command::new("loquet")).get_matches_from(["loquet"]);
        let config = Config::read(None, &matches, variables);
        let [fault] = config.faults.as_slice() else { panic!("{:?}", config.faults) };
        assert_eq!(fault.to_string(), "LOQUET_LOCKOUT_ATTEMPTS: lockout.attempts: it is not UTF-8");
    }

    #[test]
    fn a_profile_says_what_nobody_sets_and_whatever_is_set_wins() {
        let config = config(
            "[lockout]\nprofile = \"pci\"\nattempts = 6\n[password]\nhistory = 2\n",
            &[("LOQUET_PASSWORD_PROFILE", "nist")],
            &["--password-min-length", "20"],
        );
        assert_eq!(config.faults, []);
        let held = |key| config.get(key).map(|held| (held.text.as_str(), held.from.to_string())).unwrap();
        assert_eq!(held("lockout.attempts").0, "6");
        assert_eq!(held("lockout.duration"), ("30m", "lockout.profile = pci".to_owned()));
        assert_eq!(held("lockout.cap"), ("0", "lockout.profile = pci".to_owned()));
        assert_eq!(held("password.min_length").0, "20");
        assert_eq!(held("password.history").0, "2");
        assert_eq!(held("password.blocklist"), ("on", "password.profile = nist".to_owned()));
        assert_eq!(held("password.composition").0, "free");
    }

    #[test]
    fn the_default_profile_is_what_every_setting_is_by_itself() {
        let config = config("[lockout]\nprofile = \"default\"\n", &[], &[]);
        for (key, value) in [
            ("lockout.attempts", "7"),
            ("lockout.duration", "15m"),
            ("lockout.cap", "0"),
            ("password.min_length", "8"),
            ("password.composition", "required"),
            ("password.history", "0"),
            ("password.blocklist", "off"),
            ("password.context", "off"),
        ] {
            let held = config.get(key).unwrap();
            assert_eq!((held.text.as_str(), &held.from), (value, &Source::Default), "{key}");
        }
    }

    #[test]
    fn every_value_of_every_profile_holds_and_every_profile_names_the_same_settings() {
        for section in ["lockout", "password"] {
            let mut named = std::collections::BTreeSet::new();
            for profile in profiles::PROFILES.iter().filter(|profile| profile.of.starts_with(section)) {
                named.insert(profile.says.iter().map(|(key, _)| *key).collect::<Vec<_>>());
                let name = profile.name;
                let config = config(&format!("[{section}]\nprofile = \"{name}\"\n"), &[], &[]);
                assert_eq!(config.faults, [], "{section}.profile = {name}");
            }
            assert_eq!(named.len(), 1, "{named:?}");
        }
    }

    #[test]
    fn every_default_holds_and_every_name_is_used_once() {
        let config = config("", &[], &[]);
        assert_eq!(config.faults, []);
        let names: std::collections::BTreeSet<_> = SETTINGS.iter().map(Setting::variable).collect();
        assert_eq!(names.len(), SETTINGS.len());
    }
}
