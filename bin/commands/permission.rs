//! `loquet permission ask`.

use std::process::ExitCode;

use anyhow::Context;
use loquet_domain::values::permission::Permission;
use serde_json::json;

use super::account::find;
use crate::cli::{AskPermission, DataDirectory};
use crate::exit_codes::NO;
use crate::output::line;
use crate::system::System;

/// Reads the log itself, so that the answer is up to date.
pub(crate) async fn ask(directory: &DataDirectory, asked: AskPermission) -> anyhow::Result<ExitCode> {
    let permission = Permission::parse(&asked.permission)
        .with_context(|| format!("there is no permission '{}'", asked.permission))?;
    let system = System::open_to_read(directory).await?;
    let account = find(&system, &asked.account).await?;
    let allowed = system.app.may(account, permission, asked.site).await?;
    if asked.json {
        let answer = json!({
            "account_id": account, "permission": permission, "site_id": asked.site, "allowed": allowed,
            "position": system.store.head().await?,
        });
        line(&answer);
    } else {
        line(if allowed { "yes" } else { "no" });
    }
    Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}
