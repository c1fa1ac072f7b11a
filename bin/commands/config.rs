//! `loquet config check`, `show` and `sample`.

use std::process::ExitCode;

use loquet_domain::values::plain_text::visible;
use serde_json::json;

use super::show::table;
use crate::cli::Output;
use crate::config::{Config, SETTINGS, sample as sample_file};
use crate::mode::Mode;
use crate::output::{document, line, note, shown};
use crate::settings::Settings;

/// Prints every fault. Fails if there is one.
pub(crate) fn check(mut config: Config, mode: Mode) -> ExitCode {
    let settings = Settings::of(&mut config, mode);
    // A server that starts checks only parts of the list, because reading a list of billions of lines takes
    // minutes.
    if let Some(Err(why)) = settings.as_ref().map(|settings| settings.blocklist.check()) {
        config.fault("password.blocklist_file", why);
    }
    let holds = settings.is_some() && config.faults.is_empty();
    let notices: Vec<_> =
        config.notices.iter().map(|notice| visible(&notice.to_string()).into_owned()).collect();
    let warnings: Vec<_> =
        config.open_secrets.iter().map(|open| visible(&open.to_string()).into_owned()).collect();
    let faults: Vec<_> =
        config.faults_in_order().into_iter().map(|fault| visible(&fault.to_string()).into_owned()).collect();
    let verdict = match holds {
        true => "the configuration is valid".to_owned(),
        false => format!("{} to correct", count(faults.len(), "fault")),
    };
    let text: Vec<String> = notices
        .iter()
        .map(|notice| format!("note: {notice}"))
        .chain(warnings.iter().map(|open| format!("WARNING: {open}")))
        .chain(faults.iter().map(ToString::to_string))
        .chain([verdict])
        .collect();
    let value = json!({ "valid": holds, "faults": faults, "warnings": warnings, "notices": notices });
    shown(text.join("\n"), &value);
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns an error with every fault, if there is one.
pub(crate) fn refuse_faults(config: &Config) -> anyhow::Result<()> {
    if config.faults.is_empty() {
        return Ok(());
    }
    let faults: Vec<_> = config.faults_in_order().into_iter().map(ToString::to_string).collect();
    anyhow::bail!("the configuration has {}:\n{}", count(faults.len(), "fault"), faults.join("\n"))
}

fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("one {of}") } else { format!("{number} {of}s") }
}

/// Prints every setting, its value, and where the value comes from.
pub(crate) fn show(config: &Config, output: Output) -> anyhow::Result<ExitCode> {
    let mut rows = table(&["SETTING", "VALUE", "FROM"]);
    let mut object = serde_json::Map::new();
    for setting in SETTINGS {
        let held = config.get(setting.key);
        let shown = held.map(|held| if setting.is_secret() { "(hidden)" } else { held.text.as_str() });
        let from = held.map_or_else(|| "not set".to_owned(), |held| held.from.to_string());
        rows.add_row([setting.key, shown.unwrap_or("-"), &from]);
        object.insert(setting.key.to_owned(), json!({ "value": shown, "from": from }));
    }
    line(match output {
        Output::Json => serde_json::to_string_pretty(&object)?,
        Output::Text => rows.to_string(),
    });
    for fault in config.faults_in_order() {
        note(visible(&fault.to_string()));
    }
    Ok(if config.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints an annotated file with every setting at its default.
pub(crate) fn sample() {
    document(sample_file().as_bytes());
}
