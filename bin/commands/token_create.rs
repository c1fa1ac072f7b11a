//! `loquet token create`.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use loquet_adapters::service_tokens::ServiceTokens;

use crate::cli::{CreateToken, Place};
use crate::clock;

pub(crate) fn run(place: &Place, create: CreateToken) -> anyhow::Result<()> {
    anyhow::ensure!(
        !create.name.trim().is_empty() && create.name.len() <= 100,
        "a name has 1 to 100 characters"
    );
    place.make_folder()?;
    let tokens = ServiceTokens::open(&place.file("tokens.db"))?;
    let scopes: BTreeSet<_> = create.scopes.into_iter().collect();
    let now = clock::now();
    let expires_at = create.days.map(|days| now + TimeDelta::days(days.into()));
    let token = tokens.create(&create.name, &scopes, now, expires_at).map_err(anyhow::Error::msg)?;
    if create.json {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
        let made = serde_json::json!({
            "name": create.name, "token": token, "scopes": scopes, "expires_at": expires_at,
        });
        println!("{made}");
    } else {
        println!("{token}");
    }
    Ok(())
}
