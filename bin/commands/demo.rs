//! `loquet demo`.

use std::sync::Arc;

use anyhow::{bail, ensure};
use chrono::{Datelike, SubsecRound};
use loquet_credentials::password_hasher::{Argon2Pool, Cost};
use loquet_crypto::server_key::ServerKey;
use loquet_domain::Moment;
use loquet_domain::ports::{OneTimeCodes, PasswordHasher, Position};
use loquet_domain::values::password::Password;
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::{Acquired, Fence};
use loquet_projections::reactions;
use loquet_projections::runner::Builder;
use loquet_projections::views;
use serde_json::{Map, Value, json};

use super::show::{moment, progress, table};
use crate::adapters::{self, Access, Reactions};
use crate::cli::{DataDirectory, Demo};
use crate::clock;
use crate::demo::{OnePassword, OneSecret, PASSWORD, Seeded, State, Told, Wanted, midnight, tell};
use crate::output::{columns, line, outcome};
use crate::proof;
use crate::system::{Outside, Parts, System};

/// A position after every event that will ever be written.
const BEHIND_ALL: Position = Position(1 << 62);

pub(crate) async fn run(directory: &DataDirectory, demo: Demo) -> anyhow::Result<()> {
    let until = demo.until.map_or_else(|| midnight(clock::now()), |until| until.trunc_subsecs(6));
    ensure!((2000..2200).contains(&until.year()), "--until must be from 2000 to 2199");
    directory.make_folder()?;
    if !directory.server_key().exists() && !directory.file("keys.db").exists() {
        ServerKey::create(&directory.server_key())?;
    }
    let password = Password::new(PASSWORD.to_owned());
    let hash = Argon2Pool::start(Cost::default(), 1, 1)?.hash(password.clone()).await?;
    // The default rules apply, whatever the configuration says, so that the same seed gives the same data.
    let parts = Parts { node: "demo".to_owned(), ..Parts::default() };
    let hasher = Arc::new(OnePassword::new(password, hash));
    let outside = Outside { hasher, codes: Arc::new(OneSecret), identities: Arc::new(Seeded) };
    let system = System::open_with(directory, Access::Write, parts, outside).await?;
    if system.store.head().await? != Position::default() {
        system.close().await?;
        let folder = directory.data_dir.display();
        bail!("the log in {folder} is not empty: choose another directory with --data-dir");
    }
    let Reactions { journal, lease, holder, .. } = adapters::reactions(directory).await?;
    let fence = match lease.acquire(&holder, clock::now(), Moment::MAX_UTC).await? {
        Acquired::Given(fence) => fence,
        Acquired::Taken { .. } => bail!("another process runs the reactions: stop it first"),
    };
    // This comes first, so that no mails are sent if the command is interrupted.
    note(journal.as_ref(), fence, BEHIND_ALL).await?;
    let wanted = Wanted { seed: demo.seed, accounts: demo.accounts, until };
    let bar = progress(0, "days written")?;
    let told = tell(system.app.clone(), system.keys.as_ref(), wanted, |day, days| {
        bar.set_length(days.unsigned_abs());
        bar.set_position(day.unsigned_abs());
    });
    let told = told.await;
    bar.finish_and_clear();
    let head = system.store.head().await?;
    if told.is_ok() {
        build_views(directory, &system, head).await?;
    }
    system.close().await?;
    let told = told?;
    note(journal.as_ref(), fence, head).await?;
    lease.release(fence).await?;
    proof::begin(directory, "localhost", head).await?;
    match demo.json {
        true => outcome(as_json(&told, wanted, head)),
        false => print(directory, &told, wanted, head),
    }
    Ok(())
}

/// Builds the read models, so that every command works on the data before a server has run.
async fn build_views(directory: &DataDirectory, system: &System, head: Position) -> anyhow::Result<()> {
    let rows = adapters::read_models(directory, Access::Write)?;
    let bar = progress(head.0, "read models built")?;
    let (store, codec) = (system.store.clone(), system.codec.clone());
    let mut builder = Builder::begin(store, codec, rows, views::all()).await?;
    builder.build(head, |position| bar.set_position(position.0)).await?;
    builder.take_over().await?;
    bar.finish_and_clear();
    Ok(())
}

/// Records that the reactions have handled every event up to this position.
async fn note(journal: &dyn MailLedger, fence: Fence, position: Position) -> anyhow::Result<()> {
    for reaction in reactions::NAMES {
        journal.advance(fence, reaction, position, Vec::new(), clock::now()).await?;
    }
    Ok(())
}

fn name(state: State) -> &'static str {
    match state {
        State::Administrator => "administrator",
        State::User => "user",
        State::SecondStep => "second_step",
        State::Locked => "locked",
        State::ResetOpen => "reset_link_open",
        State::AwaitingActivation => "awaiting_activation",
        State::AwaitingConversion => "awaiting_conversion",
        State::Deleted => "deleted",
        State::Erased => "erased",
    }
}

/// Returns the secret of every second step, in the format of an authenticator app.
fn secret() -> String {
    OneSecret.otp_auth(&OneSecret.secret(), "Loquet", "demo").map(|shown| shown.secret).unwrap_or_default()
}

fn as_json(told: &Told, wanted: Wanted, head: Position) -> Value {
    let states = told.states.iter().map(|(state, examples)| {
        let examples: Vec<_> = examples
            .iter()
            .map(|example| json!({ "email": example.email, "account_id": example.account }))
            .collect();
        let count = told.counts.get(state);
        (name(*state).to_owned(), json!({ "accounts": count, "examples": examples }))
    });
    json!({
        "seed": wanted.seed, "until": wanted.until, "companies": told.companies, "sites": told.sites,
        "terminals": told.terminals, "takeovers": told.takeovers, "accounts": told.accounts, "events": head,
        "password": PASSWORD, "second_step": { "secret": secret(), "recovery_codes": OneSecret.recovery_codes() }, "states": states.collect::<Map<_, _>>(),
    })
}

fn print(directory: &DataDirectory, told: &Told, wanted: Wanted, head: Position) {
    let Told { companies, sites, terminals, takeovers, accounts, .. } = told;
    let until = moment(wanted.until);
    outcome(format_args!(
        "{companies} companies, {sites} sites, {terminals} terminals, {accounts} accounts, {takeovers} take-overs: {head} events up to {until}"
    ));
    let mut rows = table(&["STATE", "ACCOUNTS", "SUCH AS", "ACCOUNT"]);
    for (state, examples) in &told.states {
        let count = told.counts.get(state).copied().unwrap_or_default().to_string();
        for (nth, example) in examples.iter().enumerate() {
            let (state, count) = if nth == 0 { (name(*state), count.as_str()) } else { ("", "") };
            let email = example.email.as_deref().unwrap_or("(erased)");
            rows.add_row([state, count, email, &example.account.to_string()]);
        }
    }
    columns(&rows);
    line(format_args!("Everybody's password is {PASSWORD}"));
    let recovery = OneSecret.recovery_codes().into_iter().next().unwrap_or_default();
    let secret = secret();
    line(format_args!(
        "The secret of every second step, for an authenticator app, is {secret}; a recovery code is {recovery}"
    ));
    line(format_args!("Start the server:  loquet --data-dir {} serve --dev", directory.data_dir.display()));
}
