//! Compares the read models with the log at intervals, as `loquet projections verify` does, and keeps the result.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loquet_crypto::event_codec::JsonCodec;
use loquet_domain::Moment;
use loquet_domain::ports::{EventStore, Position};
use loquet_files::snapshot_file;
use loquet_metrics::Metrics;
use loquet_projections::causes::Causes;
use loquet_projections::erased_view::ErasedView;
use loquet_projections::ports::Clock;
use loquet_projections::runner::{ServiceState, Status, Verdict, verify};
use loquet_projections::views;
use serde::{Deserialize, Serialize};

use crate::adapters;
use crate::cli::DataDirectory;

/// The name under which the comparison shows its state.
const NAME: &str = "verification";
/// The file with the last result.
const LAST: &str = "last-verify.json";
/// How often it is looked whether a comparison is due.
const LOOK: Duration = Duration::from_secs(30);

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checked {
    /// When it ended.
    pub(crate) at: Moment,
    /// The position up to which the read models were compared.
    pub(crate) position: Position,
    /// The first keys that differ, for each read model that differs.
    pub(crate) differing: BTreeMap<String, Vec<String>>,
}

impl Checked {
    /// The last result in a data directory. `None`: there was no comparison.
    pub(crate) fn last(directory: &DataDirectory) -> Option<Self> {
        snapshot_file::load(&directory.file(LAST))
    }

    fn of(verdicts: &[Verdict], at: Moment) -> Self {
        let differing = verdicts.iter().filter(|verdict| !verdict.differing.is_empty());
        let differing = differing.map(|verdict| (verdict.view.to_owned(), verdict.differing.clone()));
        let position = verdicts.iter().map(|verdict| verdict.position).max().unwrap_or_default();
        Self { at, position, differing: differing.collect() }
    }

    /// What is wrong. `None` if the read models are what the log says.
    pub(crate) fn fault(&self) -> Option<String> {
        let names: Vec<&str> = self.differing.keys().map(String::as_str).collect();
        (!names.is_empty()).then(|| {
            format!(
                "at {}, these read models differed from the log: {}. `loquet projections rebuild` repairs them",
                self.at.format("%Y-%m-%d %H:%M UTC"),
                names.join(", ")
            )
        })
    }
}

/// Compares read models with the log, in a copy that is deleted afterwards. Calls `reached` with the name of the read model,
/// the position and the goal. A read model of another version, which can't be compared, has no verdict.
pub(crate) async fn compare(
    directory: &DataDirectory,
    open: impl AsyncFnOnce() -> anyhow::Result<(Arc<dyn EventStore>, Arc<JsonCodec>)>,
    wanted: Vec<Arc<dyn ErasedView>>,
    mut reached: impl FnMut(&'static str, Position, Position) + Send,
) -> anyhow::Result<Vec<(&'static str, Option<Verdict>)>> {
    let scratch = directory.file(&format!("verify-{}.db", std::process::id()));
    // The copy takes as long as the disk takes.
    let (copy, _file) =
        tokio::task::block_in_place(|| adapters::copy_of_read_models(directory, Path::new(&scratch)))?;
    // The log is opened after the copy, so that it has every event that the copy includes.
    let (store, codec) = open().await?;
    let mut verdicts = Vec::new();
    for view in wanted {
        let name = view.id().name;
        let told = |position, goal| reached(name, position, goal);
        verdicts.push((name, verify(store.clone(), codec.clone(), copy.clone(), view, told).await?));
    }
    Ok(verdicts)
}

/// Compares at intervals beside a server.
pub(crate) struct SelfCheck {
    pub(crate) directory: DataDirectory,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) codec: Arc<JsonCodec>,
    /// The time between two comparisons. Zero: never.
    pub(crate) every: Duration,
    pub(crate) clock: Clock,
    pub(crate) status: Status,
    pub(crate) metrics: Arc<Metrics>,
}

impl SelfCheck {
    /// Compares whenever it is due, until the task is dropped. On new data, the first comparison is due after one interval.
    pub(crate) async fn keep(self) {
        let started = Instant::now();
        if let Some(last) = Checked::last(&self.directory) {
            self.show(&last);
        }
        loop {
            tokio::time::sleep(LOOK.min(self.every.max(Duration::from_secs(1)))).await;
            let is_due = match Checked::last(&self.directory) {
                Some(last) => ((self.clock)() - last.at).to_std().is_ok_and(|age| age >= self.every),
                None => started.elapsed() >= self.every,
            };
            if is_due && !self.every.is_zero() {
                self.check().await;
            }
        }
    }

    async fn check(&self) {
        let open = async || Ok((self.store.clone(), self.codec.clone()));
        match compare(&self.directory, open, views::all(), |_, _, _| ()).await {
            Ok(verdicts) => {
                let verdicts: Vec<_> = verdicts.into_iter().filter_map(|(_, verdict)| verdict).collect();
                let checked = Checked::of(&verdicts, (self.clock)());
                if let Err(error) = snapshot_file::save(&self.directory.file(LAST), &Some(&checked)) {
                    tracing::warn!(%error, "the result of the verification of the read models could not be saved");
                }
                match checked.fault() {
                    Some(why) => tracing::error!(%why, "read models are not what the log says"),
                    None => {
                        tracing::info!(
                            position = checked.position.0,
                            "the read models are what the log says"
                        );
                    }
                }
                self.show(&checked);
            }
            Err(error) => {
                let why = Causes(error.as_ref()).to_string();
                if self.status.tell(NAME, ServiceState::Failing(why.clone())) {
                    tracing::error!(%why, "the read models can't be verified");
                }
            }
        }
    }

    fn show(&self, checked: &Checked) {
        let asked = &self.metrics.asked;
        asked.verified.set(checked.at.timestamp());
        asked.views_differing.set(i64::try_from(checked.differing.len()).unwrap_or(i64::MAX));
        let state = checked.fault().map_or(ServiceState::Working, ServiceState::Failing);
        self.status.tell(NAME, state);
    }
}
