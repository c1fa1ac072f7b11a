//! `loquet token create`, `list`, `rotate` and `revoke`.

use anyhow::{Context, bail, ensure};
use chrono::TimeDelta;
use loquet_domain::values::plain_text::is_text;
use loquet_http_ports::scope::scopes_of;
use loquet_http_ports::service_tokens::{Grant, ServiceTokens, TokenEntry, id_of};
use serde_json::json;

use super::show::{moment, moment_or_dash, table};
use crate::adapters;
use crate::cli::{CreateToken, DataDirectory, Output, RotateToken, TokenCommand};
use crate::clock;
use crate::output::{Reader, agreed, columns, line, note, result, secret};

/// The number of days for which a person's token is valid: by default, and at most. They are limited because
/// staff change.
const STAFF_DAYS: u16 = 90;
const STAFF_MOST_DAYS: u16 = 365;

pub(crate) async fn run(directory: &DataDirectory, command: TokenCommand) -> anyhow::Result<()> {
    let is_new = directory.is_unused();
    if is_new && !matches!(command, TokenCommand::Create(_)) {
        bail!("no server has run in {} yet, so it has no tokens", directory.data_dir.display());
    }
    directory.make_folder()?;
    let tokens = adapters::service_tokens(directory).await?;
    match command {
        TokenCommand::Create(wanted) => {
            create(tokens.as_ref(), wanted).await?;
            if is_new {
                note(format_args!(
                    "No server has run in {} yet. A server that uses another data directory does not accept this token.",
                    directory.data_dir.display()
                ));
            }
            Ok(())
        }
        TokenCommand::List(how) => list(tokens.as_ref(), Output::of(how.json)).await,
        TokenCommand::Rotate(which) => rotate(tokens.as_ref(), &which).await,
        TokenCommand::Revoke { id, yes } => {
            agreed(format_args!("This revokes the token {id}."), yes)?;
            match tokens.revoke(&id, clock::now()).await? {
                true => {
                    result(
                        format_args!(
                            "{id} is revoked: it is no longer accepted, and event streams that were opened with it are closed"
                        ),
                        &json!({ "id": id, "revoked": true }),
                    );
                    Ok(())
                }
                false => bail!("no valid token has the id {id}: `loquet token list` shows them"),
            }
        }
    }
}

async fn create(tokens: &dyn ServiceTokens, wanted: CreateToken) -> anyhow::Result<()> {
    let (name, grant, days) = match (wanted.staff, wanted.role, wanted.name) {
        (Some(person), Some(role), _) => {
            let days = wanted.days.unwrap_or(STAFF_DAYS);
            ensure!(days <= STAFF_MOST_DAYS, "a person's token is valid for {STAFF_MOST_DAYS} days at most");
            (person, Grant::Staff(role), Some(days))
        }
        (_, _, Some(program)) => (program, Grant::Program(wanted.scopes.into_iter().collect()), wanted.days),
        _ => {
            bail!("say who uses the token: --name and --scope for a program, --staff and --role for a person")
        }
    };
    ensure!(is_text(&name, 100), "a name has 1 to 100 printable characters");
    let (name, now) = (name.trim(), clock::now());
    let expires_at = days.map(|days| now + TimeDelta::days(days.into()));
    let token = tokens.create(name, &grant, now, expires_at).await?;
    let lost = || {
        let id = id_of(&token);
        format!(
            "the token of '{name}' was created but could not be printed, and it can't be shown again. \
             Revoke it with `loquet token revoke {id} --yes`, and create another"
        )
    };
    if wanted.json {
        let (role, scopes) = match grant {
            Grant::Staff(role) => (Some(role), scopes_of(role)),
            Grant::Program(scopes) => (None, scopes),
        };
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
        let made = json!({
            "name": name, "role": role, "token": token, "scopes": scopes, "expires_at": expires_at,
        });
        secret(made, lost);
    } else {
        secret(&token, lost);
    }
    Ok(())
}

async fn list(tokens: &dyn ServiceTokens, output: Output) -> anyhow::Result<()> {
    let now = clock::now();
    let mut rows = table(&["ID", "NAME", "ROLE", "STATE", "CREATED", "LAST USED", "ENDS", "SCOPES"]);
    for entry in tokens.list().await? {
        let scopes: Vec<_> = entry.service.scopes.iter().map(|scope| scope.name()).collect();
        let state = state(&entry, now);
        if output == Output::Json {
            let shown = json!({
                "id": entry.id, "name": entry.service.name, "role": entry.service.role, "state": state,
                "scopes": scopes,
                "created_at": entry.created_at, "last_used_at": entry.last_used_at,
                "expires_at": entry.expires_at, "revoked_at": entry.revoked_at,
            });
            if line(&shown) == Reader::Gone {
                break;
            }
            continue;
        }
        rows.add_row([
            entry.id,
            entry.service.name.clone(),
            entry.service.role.map_or_else(|| "-".to_owned(), |role| role.to_string()),
            state.to_owned(),
            moment(entry.created_at),
            moment_or_dash(entry.last_used_at),
            moment_or_dash(entry.revoked_at.or(entry.expires_at)),
            scopes.join(" "),
        ]);
    }
    if output == Output::Text {
        columns(&rows);
    }
    Ok(())
}

fn state(entry: &TokenEntry, now: loquet_domain::Moment) -> &'static str {
    match (entry.revoked_at.is_some(), entry.holds(now)) {
        (true, _) => "revoked",
        (false, true) => "holds",
        (false, false) => "expired",
    }
}

async fn rotate(tokens: &dyn ServiceTokens, which: &RotateToken) -> anyhow::Result<()> {
    let now = clock::now();
    let old_ends = now + TimeDelta::hours(which.keep_hours.into());
    let token = tokens.rotate(&which.id, now, old_ends).await?;
    let token = token
        .with_context(|| format!("no valid token has the id {}: `loquet token list` shows them", which.id))?;
    let until = moment(old_ends);
    let lost = || {
        let id = id_of(&token);
        format!(
            "the new token was created but could not be printed, and it can't be shown again. \
             Revoke it with `loquet token revoke {id} --yes`. The old token is valid until {until} at the latest, and can be \
             rotated again until then"
        )
    };
    if which.json {
        secret(json!({ "token": token, "old_expires_at": old_ends }), lost);
    } else {
        secret(&token, lost);
        note(format_args!("the old token is valid until {until} at the latest"));
    }
    Ok(())
}
