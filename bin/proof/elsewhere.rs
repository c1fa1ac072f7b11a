//! Sends checkpoints to places outside the data directory: a file, a mailbox, a Kafka topic, and witnesses. Whoever changes the
//! log later does not reach them there.
//!
//! Each place has a task of its own, so that one that can't be reached holds up neither the proof nor the other places. What a
//! place did not accept is sent again.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use loquet_projections::causes::Causes;
use loquet_projections::mail::Message;
use loquet_projections::ports::Mailer;
use loquet_projections::runner::{ServiceState, Status};
use loquet_proof::checkpoint::{self, Checkpoint, KeptCheckpoint};
use loquet_proof::note::{Note, VerifierKey};
use loquet_proof::tree;
use loquet_proof::tree_files::TreeReader;
use loquet_proof::witness::Witness;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::{ProofFiles, read_checkpoints, replace};
use crate::kafka::Checkpoints;
use crate::output::place_of;
use crate::settings::ProofSettings;

/// The pause before what was not accepted is sent again.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a stop waits for all places together.
const STOP: Duration = Duration::from_secs(5);

/// A place outside the data directory.
enum Place {
    /// Each checkpoint is added to a file.
    File(PathBuf),
    /// The newest checkpoint is mailed at intervals.
    Mailbox { mailer: Arc<dyn Mailer>, to: String, every: TimeDelta },
    /// Each checkpoint is written to a topic.
    Topic(Checkpoints),
    /// The newest checkpoint is signed by witnesses too.
    Witnesses(Vec<Witness>),
}

impl Place {
    /// The name under which the place shows its state.
    fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "proof-file",
            Self::Mailbox { .. } => "proof-mail",
            Self::Topic(_) => "proof-topic",
            Self::Witnesses(_) => "proof-witness",
        }
    }

    fn wants_all(&self) -> bool {
        matches!(self, Self::File(_) | Self::Topic(_))
    }
}

/// Sends checkpoints to one place.
struct Courier {
    place: Place,
    files: ProofFiles,
    key: VerifierKey,
    status: Status,
    signed: UnboundedReceiver<KeptCheckpoint>,
    /// What the place does not have yet, the oldest first.
    waiting: VecDeque<KeptCheckpoint>,
}

/// The tasks that send checkpoints.
#[derive(Default)]
pub(super) struct Couriers {
    told: Vec<UnboundedSender<KeptCheckpoint>>,
    tasks: JoinSet<()>,
}

impl Couriers {
    /// Starts a task for each place in the settings. Each begins with the checkpoints that its place does not have yet.
    pub(super) fn start(
        settings: &ProofSettings,
        mailer: &Arc<dyn Mailer>,
        files: &ProofFiles,
        key: &VerifierKey,
        status: &Status,
    ) -> Self {
        let mailbox = settings.mail_to.as_ref().map(|(to, every)| Place::Mailbox {
            mailer: mailer.clone(),
            to: to.clone(),
            every: *every,
        });
        let witnesses: Vec<Witness> =
            settings.witnesses.iter().filter_map(|witness| Witness::parse(witness).ok()).collect();
        let places = [
            settings.copy_to.clone().map(Place::File),
            mailbox,
            settings.topic.clone().map(Place::Topic),
            (!witnesses.is_empty()).then_some(Place::Witnesses(witnesses)),
        ];
        let mut couriers = Self::default();
        for place in places.into_iter().flatten() {
            let (tell, signed) = unbounded_channel();
            let courier = Courier {
                place,
                files: ProofFiles { folder: files.folder.clone() },
                key: key.clone(),
                status: status.clone(),
                signed,
                waiting: VecDeque::new(),
            };
            couriers.told.push(tell);
            couriers.tasks.spawn(courier.run());
        }
        couriers
    }

    /// Tells of a checkpoint that was signed and kept.
    pub(super) fn tell(&self, kept: &KeptCheckpoint) {
        for told in &self.told {
            // A courier ends only when this sender does.
            drop(told.send(kept.clone()));
        }
    }

    /// Lets each place have the last checkpoint, if it answers in time.
    pub(super) async fn stop(self) {
        drop(self.told);
        drop(tokio::time::timeout(STOP, self.tasks.join_all()).await);
    }
}

impl Courier {
    async fn run(mut self) {
        // What was signed before this task began, and is not in the place.
        let mut is_known = false;
        loop {
            let result = match is_known {
                true => self.deliver().await,
                false => match tokio::task::block_in_place(|| self.missing()) {
                    Ok(missing) => {
                        self.waiting = missing;
                        is_known = true;
                        self.deliver().await
                    }
                    Err(error) => Err(error),
                },
            };
            match result {
                Ok(()) => drop(self.status.tell(self.place.name(), ServiceState::Working)),
                Err(error) => {
                    let why = Causes(error.as_ref()).to_string();
                    if self.status.tell(self.place.name(), ServiceState::Failing(why.clone())) {
                        tracing::error!(place = self.place.name(), %why, "a checkpoint can't be sent; trying again");
                    }
                }
            }
            if self.signed.is_closed() && self.signed.is_empty() {
                return;
            }
            let is_waiting = !is_known || !self.waiting.is_empty();
            tokio::select! {
                next = self.signed.recv() => self.waiting.extend(next),
                () = tokio::time::sleep(AGAIN), if is_waiting => {}
            }
            while let Ok(next) = self.signed.try_recv() {
                self.waiting.push_back(next);
            }
        }
    }

    /// The checkpoints that the place does not have, the oldest first.
    fn missing(&self) -> anyhow::Result<VecDeque<KeptCheckpoint>> {
        let has = match &self.place {
            Place::File(path) => read_checkpoints(path)?.last().map_or(0, size_of),
            Place::Mailbox { .. } | Place::Topic(_) => self.sent()?.as_ref().map_or(0, size_of),
            Place::Witnesses(_) => 0,
        };
        Ok(self.files.kept()?.into_iter().filter(|kept| size_of(kept) > has).collect())
    }

    async fn deliver(&mut self) -> anyhow::Result<()> {
        if !self.place.wants_all() {
            self.waiting.drain(..self.waiting.len().saturating_sub(1));
        }
        while let Some(kept) = self.waiting.front() {
            if !self.send(kept).await? {
                return Ok(());
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Sends one checkpoint. Returns whether the place has it now: a mailbox waits for its hour.
    async fn send(&self, kept: &KeptCheckpoint) -> anyhow::Result<bool> {
        match &self.place {
            Place::File(path) => {
                tokio::task::block_in_place(|| checkpoint::add(path, kept))
                    .with_context(|| format!("the checkpoint can't be added to {}", place_of(path)))?;
            }
            Place::Mailbox { mailer, to, every } => {
                if self.sent()?.is_some_and(|sent| kept.at - sent.at < *every) {
                    return Ok(false);
                }
                mailer.send(mail(to, self.key.name(), kept)).await?;
                self.note_sent(kept)?;
            }
            Place::Topic(topic) => {
                topic.send(self.key.name(), &serde_json::to_string(kept)?).await?;
                self.note_sent(kept)?;
            }
            Place::Witnesses(witnesses) => {
                // Each is asked, also if one before it does not answer.
                let mut asked = Vec::new();
                for witness in witnesses {
                    asked.push(self.cosigned(witness, kept).await);
                }
                asked.into_iter().collect::<anyhow::Result<()>>()?;
            }
        }
        Ok(true)
    }

    /// Where it is noted what a place has that can't be read.
    fn note(&self) -> PathBuf {
        self.files.folder.join(format!("sent-{}.json", self.place.name()))
    }

    fn sent(&self) -> anyhow::Result<Option<KeptCheckpoint>> {
        Ok(read_checkpoints(&self.note())?.pop())
    }

    fn note_sent(&self, kept: &KeptCheckpoint) -> anyhow::Result<()> {
        let path = self.note();
        replace(&path, &serde_json::to_string(kept)?)
            .with_context(|| format!("can't write {}", place_of(&path)))
    }

    /// Asks a witness, and keeps what it signed.
    async fn cosigned(&self, witness: &Witness, kept: &KeptCheckpoint) -> anyhow::Result<()> {
        let path = self.files.cosigned();
        let size = size_of(kept);
        let older = tokio::task::block_in_place(|| last_of(&path, witness.key()))?;
        if older >= size {
            return Ok(());
        }
        let folder = &self.files.folder;
        let note = witness
            .cosign(&kept.note, size, older, |older| match older {
                0 => Ok(Vec::new()),
                _ => {
                    tree::consistency(&TreeReader::open(folder)?, older, size).map_err(std::io::Error::other)
                }
            })
            .await?;
        let kept = KeptCheckpoint { note, ..kept.clone() };
        tokio::task::block_in_place(|| checkpoint::add(&path, &kept))
            .with_context(|| format!("what a witness signed can't be kept in {}", place_of(&path)))
    }
}

/// The size of the last checkpoint in the file that the witness signed.
fn last_of(path: &Path, witness: &VerifierKey) -> anyhow::Result<u64> {
    let is_of =
        |kept: &&KeptCheckpoint| Note::parse(&kept.note).is_ok_and(|note| note.check(witness).is_ok());
    Ok(read_checkpoints(path)?.iter().rev().find(is_of).map_or(0, size_of))
}

fn size_of(kept: &KeptCheckpoint) -> u64 {
    let note = Note::parse(&kept.note).and_then(|note| Checkpoint::parse(note.text));
    note.map_or(0, |checkpoint| checkpoint.size)
}

/// The mail with a checkpoint. The same checkpoint is the same mail, so that a second copy is recognised.
fn mail(to: &str, origin: &str, kept: &KeptCheckpoint) -> Message {
    let id = Sha256::digest(&kept.note).first_chunk::<16>().copied().unwrap_or_default();
    let size = size_of(kept);
    let why = "Keep this mail. Its lower part is a signed checkpoint: whoever has it, and the public key of the log, can tell \
        later whether the log still begins with the same events (loquet audit verify --checkpoints FILE --public-key KEY).";
    let text = format!("{why}\n\n{}", kept.note);
    let escaped = kept.note.replace('&', "&amp;").replace('<', "&lt;");
    Message {
        effect: uuid::Builder::from_custom_bytes(id).into_uuid(),
        to: to.to_owned(),
        to_name: String::new(),
        language: "en",
        subject: format!("Checkpoint of the log {origin}: {size} events"),
        text,
        html: format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Checkpoint</title><body><p>{why}</p><pre>{escaped}</pre></body></html>"
        ),
    }
}
