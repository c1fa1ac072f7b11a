//! `loquet token create`, `list`, `rotate` and `revoke`.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use chrono::TimeDelta;
use loquet_adapters::service_tokens::{ServiceTokens, TokenEntry};
use serde_json::json;

use super::show::{line, moment, moment_or_dash, table};
use crate::cli::{CreateToken, Output, Place, RotateToken, TokenCommand};
use crate::clock;

pub(crate) fn run(place: &Place, command: TokenCommand) -> anyhow::Result<()> {
    place.make_folder()?;
    let tokens = ServiceTokens::open(&place.file("tokens.db"))?;
    match command {
        TokenCommand::Create(wanted) => create(&tokens, wanted),
        TokenCommand::List(how) => list(&tokens, Output::of(how.json)),
        TokenCommand::Rotate(which) => rotate(&tokens, &which),
        TokenCommand::Revoke { id } => match tokens.revoke(&id, clock::now()).map_err(anyhow::Error::msg)? {
            true => {
                println!(
                    "{id} is revoked: it opens nothing more, and who follows the events with it is cut off"
                );
                Ok(())
            }
            false => bail!("no token that holds has the id {id}: `loquet token list` shows them"),
        },
    }
}

fn create(tokens: &ServiceTokens, wanted: CreateToken) -> anyhow::Result<()> {
    ensure!(!wanted.name.trim().is_empty() && wanted.name.len() <= 100, "a name has 1 to 100 characters");
    let scopes: BTreeSet<_> = wanted.scopes.into_iter().collect();
    let now = clock::now();
    let expires_at = wanted.days.map(|days| now + TimeDelta::days(days.into()));
    let token = tokens.create(&wanted.name, &scopes, now, expires_at).map_err(anyhow::Error::msg)?;
    if wanted.json {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
        let made = json!({
            "name": wanted.name, "token": token, "scopes": scopes, "expires_at": expires_at,
        });
        println!("{made}");
    } else {
        println!("{token}");
    }
    Ok(())
}

fn list(tokens: &ServiceTokens, output: Output) -> anyhow::Result<()> {
    let now = clock::now();
    let mut rows = table(&["ID", "NAME", "STATE", "CREATED", "LAST USED", "ENDS", "SCOPES"]);
    for entry in tokens.list().map_err(anyhow::Error::msg)? {
        let scopes: Vec<_> = entry.service.scopes.iter().map(|scope| scope.name()).collect();
        let state = state(&entry, now);
        if output == Output::Json {
            let shown = json!({
                "id": entry.id, "name": entry.service.name, "state": state, "scopes": scopes,
                "created_at": entry.created_at, "last_used_at": entry.last_used_at,
                "expires_at": entry.expires_at, "revoked_at": entry.revoked_at,
            });
            line(&shown.to_string())?;
            continue;
        }
        rows.add_row([
            entry.id,
            entry.service.name.clone(),
            state.to_owned(),
            moment(entry.created_at),
            moment_or_dash(entry.last_used_at),
            moment_or_dash(entry.revoked_at.or(entry.expires_at)),
            scopes.join(" "),
        ]);
    }
    if output == Output::Text {
        line(&rows.to_string())?;
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

fn rotate(tokens: &ServiceTokens, which: &RotateToken) -> anyhow::Result<()> {
    let now = clock::now();
    let old_ends = now + TimeDelta::hours(which.keep_hours.into());
    let token = tokens.rotate(&which.id, now, old_ends).map_err(anyhow::Error::msg)?;
    let token = token.with_context(|| {
        format!("no token that holds has the id {}: `loquet token list` shows them", which.id)
    })?;
    if which.json {
        println!("{}", json!({ "token": token, "old_expires_at": old_ends }));
    } else {
        println!("{token}");
        eprintln!("the old one holds until {} at the latest", moment(old_ends));
    }
    Ok(())
}
