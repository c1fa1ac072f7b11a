//! The signed checkpoints of the log.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loquet_http_ports::log_proof::{Comparison, SignedCheckpoint};
use loquet_http_ports::scope::Scope;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Caller;
use crate::extractors::query::Params;
use crate::responses::faults::Faults;
use crate::responses::problem::Problem;
use crate::state::Shared;

/// A signed statement that the log had these events.
#[derive(Serialize, ToSchema)]
#[schema(as = Checkpoint)]
pub(crate) struct CheckpointBody {
    /// When it was signed.
    at: DateTime<Utc>,
    /// The position of the last event that it covers.
    position: u64,
    /// The number of events that it covers.
    size: u64,
    /// The root of the Merkle tree over them (RFC 6962), in hexadecimal digits. The note has it in Base64.
    root: String,
    /// The checkpoint as a signed note (C2SP tlog-checkpoint).
    note: String,
}

impl From<SignedCheckpoint> for CheckpointBody {
    fn from(checkpoint: SignedCheckpoint) -> Self {
        let SignedCheckpoint { at, position, size, root, note } = checkpoint;
        Self { at, position, size, root, note }
    }
}

/// The last comparison of the read models with the log.
#[derive(Serialize, ToSchema)]
#[schema(as = Comparison)]
pub(crate) struct ComparisonBody {
    /// When it ended.
    at: DateTime<Utc>,
    /// The position up to which they were compared.
    position: u64,
    /// The names of the read models that differed from the log.
    differing: Vec<String>,
}

impl From<Comparison> for ComparisonBody {
    fn from(comparison: Comparison) -> Self {
        let Comparison { at, position, differing } = comparison;
        Self { at, position, differing }
    }
}

/// The state of the proof of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = Checkpoints)]
pub(crate) struct CheckpointsBody {
    /// The public key that checks the checkpoints (C2SP signed-note). Compare it with the one that you kept elsewhere.
    public_key: String,
    /// The number of all checkpoints.
    count: u64,
    /// The newest checkpoints, the newest first.
    items: Vec<CheckpointBody>,
    /// The last comparison of the read models with the log. Absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ComparisonBody>)]
    read_models: Option<ComparisonBody>,
    /// The position of the last event in the log.
    position: u64,
}

/// How many checkpoints.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Newest {
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
}

/// List the newest checkpoints of the log.
///
/// The server that answers signed them. Each server signs checkpoints of its own. Requires the scope `events:read`.
#[utoipa::path(
    get, path = "/v1/audit/checkpoints", operation_id = "list_checkpoints", tag = "audit", params(Newest),
    security(("service" = [])),
    responses((status = 200, description = "The newest checkpoints", body = CheckpointsBody))
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(newest): Params<Newest>,
) -> Result<Json<CheckpointsBody>, Problem> {
    caller.service(Scope::EventsRead)?;
    let mut faults = Faults::default();
    let most = faults.limit(newest.limit);
    faults.finish_query()?;
    let position = api.store.head().await?.0;
    // What was signed while this was read may cover more than the log had a moment ago.
    let up_to = if api.history.as_of.is_some() { position } else { u64::MAX };
    let state = api.proof.state(most, up_to).await?;
    let items = state.newest.into_iter().map(CheckpointBody::from).collect();
    let read_models = state.comparison.map(ComparisonBody::from);
    Ok(Json(CheckpointsBody {
        public_key: state.public_key,
        count: state.count,
        items,
        read_models,
        position,
    }))
}
