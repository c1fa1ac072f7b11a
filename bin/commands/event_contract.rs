//! `loquet asyncapi` and `loquet schema`: the contract of the public events.

use std::path::Path;

use anyhow::Context;
use loquet_public_events::{EventType, asyncapi, types};
use serde_json::{Map, Value};

use crate::cli::Schema;
use crate::output::line;
use crate::system::VERSION;

/// Prints the description of the topics.
pub(crate) fn asyncapi() -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(&asyncapi::document(VERSION))?);
    Ok(())
}

/// Prints or writes the JSON Schemas.
pub(crate) fn schemas(asked: &Schema) -> anyhow::Result<()> {
    if let Some(folder) = &asked.to {
        return types().try_for_each(|known| write(folder, known));
    }
    let Some(name) = &asked.r#type else {
        let all: Map<String, Value> =
            types().map(|known| (known.name.to_owned(), Value::from(known.schema()))).collect();
        line(serde_json::to_string_pretty(&all)?);
        return Ok(());
    };
    // The command line accepts no other name.
    for known in types().filter(|known| known.name == name) {
        line(serde_json::to_string_pretty(&known.schema())?);
    }
    Ok(())
}

fn write(folder: &Path, known: &EventType) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
    let file = folder.join(format!("{}.json", known.name));
    let text = serde_json::to_string_pretty(&known.schema())? + "\n";
    std::fs::write(&file, text).with_context(|| format!("can't write {}", file.display()))
}
