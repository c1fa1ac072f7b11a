//! Records in the log what operators did: the tokens, the server key, a restore, and the policies of this server.
//!
//! The commands of the operator run beside a server, or while none runs, and can't write to its log. So they note in the
//! data directory what their stores do not keep, and the server looks.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::Duration;

use loquet_crypto::account_keys::AccountKeys;
use loquet_domain::Moment;
use loquet_domain::administration::{ExportNotice, Observed, RestoreNotice, ServerKeyNotice, TokenNotice};
use loquet_domain::app::App;
use loquet_domain::fact::{Actor, Context};
use loquet_domain::ids::CorrelationId;
use loquet_domain::policies::in_force::PoliciesInForce;
use loquet_domain::ports::Identities;
use loquet_files::{give_as_its_directory, snapshot_file};
use loquet_http_ports::service_tokens::{ServiceTokens, TokenEntry, id_of_hash};
use loquet_projections::causes::Causes;
use loquet_projections::ports::Clock;
use serde::{Deserialize, Serialize};

use crate::cli::DataDirectory;

/// How often a server looks for what operators did.
const LOOK: Duration = Duration::from_secs(2);
/// The file with the notes of the commands.
const NOTES: &str = "administration.json";
/// The file that is locked while the notes are changed.
const LOCK: &str = "administration.lock";

/// How many extracts are noted until a server has recorded them.
const EXPORTS: usize = 1000;

/// What commands note in the data directory.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    restore: Option<RestoreNotice>,
    rotation: Option<RotationNote>,
    /// The newest extracts of the history, the newest last.
    #[serde(default)]
    exports: Vec<ExportNotice>,
}

/// The last rotation of the server key.
#[derive(Serialize, Deserialize)]
struct RotationNote {
    generation: u32,
    at: Moment,
    by: Option<String>,
    compromised: bool,
}

/// The name of the system's user who runs this program. `None` if the system does not say.
pub(crate) fn operator() -> Option<String> {
    whoami::username().ok().filter(|name| !name.is_empty())
}

/// Notes that a backup was restored into the directory.
pub(crate) fn note_restore(directory: &DataDirectory, restore: RestoreNotice) -> std::io::Result<()> {
    change(directory, |notes| notes.restore = Some(restore))
}

/// Notes that an extract of the history is taken.
pub(crate) fn note_export(directory: &DataDirectory, export: ExportNotice) -> std::io::Result<()> {
    change(directory, |notes| {
        notes.exports.push(export);
        notes.exports.drain(..notes.exports.len().saturating_sub(EXPORTS));
    })
}

/// Changes the notes, durably. One command at a time does it. Notes that can't be read are not replaced.
fn change(directory: &DataDirectory, change: impl FnOnce(&mut Notes)) -> std::io::Result<()> {
    let lock_file = directory.file(LOCK);
    let lock = File::options().create(true).append(true).mode(0o600).open(&lock_file)?;
    give_as_its_directory(&lock, &lock_file)?;
    lock.lock()?;
    let path = directory.file(NOTES);
    let mut notes: Notes = match std::fs::read(&path) {
        Ok(json) => serde_json::from_slice(&json)?,
        Err(error) if error.kind() == ErrorKind::NotFound => Notes::default(),
        Err(error) => return Err(error),
    };
    change(&mut notes);
    snapshot_file::save(&path, &notes)?;
    File::open(&path)?.sync_all()
}

/// Notes that a server key of this number was put in use by this process.
pub(crate) fn note_rotation(
    directory: &DataDirectory,
    generation: u32,
    at: Moment,
    compromised: bool,
) -> std::io::Result<()> {
    let rotation = RotationNote { generation, at, by: operator(), compromised };
    change(directory, |notes| notes.rotation = Some(rotation))
}

/// Looks for what operators did, and records it.
pub(crate) struct Administration {
    pub(crate) app: Arc<App>,
    pub(crate) tokens: Arc<dyn ServiceTokens>,
    pub(crate) keys: Arc<dyn AccountKeys>,
    pub(crate) identities: Arc<dyn Identities>,
    pub(crate) directory: DataDirectory,
    pub(crate) clock: Clock,
    /// The name of this server.
    pub(crate) node: String,
}

impl Administration {
    /// Looks once when the server starts, and then every two seconds, until the task is dropped. What can't be recorded now
    /// is recorded later: it stays in its store.
    pub(crate) async fn keep(self) {
        let policies = Some((PoliciesInForce::of(self.app.policies()), self.node.clone()));
        let mut first = policies;
        let mut is_failing = false;
        loop {
            match self.record(first.clone()).await {
                Ok(()) => {
                    first = None;
                    is_failing = false;
                }
                Err(error) if !is_failing => {
                    is_failing = true;
                    tracing::error!(error = %Causes(error.as_ref()), "acts of administration can't be recorded; trying again");
                }
                Err(_) => {}
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Records what is new. `policies` are recorded too, if they are others than before.
    async fn record(&self, policies: Option<(PoliciesInForce, String)>) -> anyhow::Result<()> {
        let notes: Notes = snapshot_file::load(&self.directory.file(NOTES));
        let tokens = self.tokens.list().await?.into_iter().map(notice).collect();
        let server_key = self.keys.server_key().map(|(generation, fingerprint)| {
            let note = notes.rotation.filter(|note| note.generation == generation);
            ServerKeyNotice {
                generation,
                fingerprint: fingerprint.to_string(),
                compromised: note.as_ref().map(|note| note.compromised),
                rotated_at: note.as_ref().map(|note| note.at),
                rotated_by: note.and_then(|note| note.by),
            }
        });
        let observed =
            Observed { tokens, server_key, restore: notes.restore, policies, exports: notes.exports };
        let context = Context {
            at: (self.clock)(),
            actor: Actor::Operator,
            correlation: CorrelationId(self.identities.fresh()),
            causation: None,
            client: None,
            reason: None,
        };
        self.app.record_administration(&context, observed).await?;
        Ok(())
    }
}

fn notice(entry: TokenEntry) -> TokenNotice {
    let service = entry.service;
    TokenNotice {
        id: entry.id,
        first: id_of_hash(&service.family.0),
        name: service.name.clone(),
        role: service.role,
        scopes: match service.role {
            Some(_) => Vec::new(),
            None => service.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        },
        created_at: entry.created_at,
        expires_at: entry.expires_at,
        created_by: entry.created_by,
        revoked_at: entry.revoked_at,
        revoked_by: entry.revoked_by,
    }
}
