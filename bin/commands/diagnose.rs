//! `loquet diagnose`.

use anyhow::Context;
use loquet_adapters::http::DiagnosisBody;
use loquet_domain::email_address::EmailAddress;
use loquet_domain::ports::EventStore;
use loquet_projections::diagnosis::diagnose;
use std::sync::Arc;

use crate::cli::{Diagnose, Place};
use crate::clock;
use crate::output::line;
use crate::system::System;

/// Prints the diagnosis as JSON, as the API gives it, beside a running server or without one.
pub(crate) async fn run(place: &Place, whose: Diagnose) -> anyhow::Result<()> {
    let email = EmailAddress::parse(&whose.email)
        .with_context(|| format!("'{}' is no e-mail address", whose.email))?;
    let system = System::open_to_read(place)?;
    let position = system.store.head().await?;
    let store: Arc<dyn EventStore> = Arc::new(system.store.clone());
    let told = diagnose(&system.app, &store, system.codec.as_ref(), &email, clock::now()).await?;
    line(serde_json::to_string_pretty(&DiagnosisBody::of(email.as_str(), told, position.0))?);
    system.close().await
}
