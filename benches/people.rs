//! How many people log in in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loquet_domain::app::{App, Credentials, Login};
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::password::Password;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::{Outcome, rate_since};
use loquet_instructions::engine::context;
use loquet_instructions::people::PASSWORD;

/// Logs in with one account after another until the window ends. Every login that began is counted.
///
/// # Errors
/// An error if a login fails.
pub fn logins_a_second(
    runtime: &Runtime,
    app: &Arc<App>,
    addresses: &Arc<Vec<EmailAddress>>,
    callers: usize,
    window: Duration,
) -> Outcome<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    runtime.block_on(async {
        let mut running = JoinSet::new();
        for _ in 0..callers {
            let (app, addresses, next) = (app.clone(), addresses.clone(), next.clone());
            running.spawn(async move {
                let mut logins = 0;
                while start.elapsed() < window {
                    let turn = next.fetch_add(1, Ordering::Relaxed) % addresses.len();
                    let email = addresses.get(turn).ok_or("no such account")?.clone();
                    log_in(&app, email).await?;
                    logins += 1;
                }
                Ok(logins)
            });
        }
        let logins = running.join_all().await.into_iter().sum::<Outcome<u32>>()?;
        Ok(rate_since(start, logins))
    })
}

async fn log_in(app: &App, email: EmailAddress) -> Outcome<()> {
    let credentials = Credentials {
        email,
        password: Password::new(PASSWORD.to_owned()),
        second: None,
        devices: Vec::new(),
    };
    match app.log_in(&context(), credentials).await? {
        Login::Succeeded { .. } => Ok(()),
        other => Err(format!("the right password led to {other:?}").into()),
    }
}
