//! The service `Streams`: who may ask which node, and the requests that write.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::cluster::{Cluster, access_denied};
use crate::faults::{AppendFault, Denied};
use crate::log::{Expected, Proposed, Refused, Written};
use crate::messages::{batch_refusal, batch_status, id, proposed, refusal, stream_identifier, stream_name};
use crate::protocol::rpc;
use crate::protocol::shared::{self, AllStreamPosition, Empty};
use crate::protocol::streams::streams_server::Streams;
use crate::protocol::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp,
    TombstoneReq, TombstoneResp, append_req, append_resp, batch_append_req, batch_append_resp, delete_req,
    delete_resp, read_req, tombstone_req, tombstone_resp,
};
use crate::reads;

pub(crate) type Responses = Pin<Box<dyn Stream<Item = Result<ReadResp, Status>> + Send>>;
type BatchResponses = Pin<Box<dyn Stream<Item = Result<BatchAppendResp, Status>> + Send>>;

/// The service as one node offers it.
pub(crate) struct StreamsService {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) node: usize,
}

#[tonic::async_trait]
impl Streams for StreamsService {
    type ReadStream = Responses;
    type BatchAppendStream = BatchResponses;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Responses>, Status> {
        self.cluster.faults.pass().await;
        self.cluster.authenticate(request.metadata())?;
        self.cluster.lead(self.node, request.metadata())?;
        let options = request.into_inner().options.ok_or_else(|| Status::invalid_argument("no options"))?;
        let all = matches!(options.stream_option, Some(read_req::options::StreamOption::All(_)));
        if all && self.cluster.faults.denied() == Denied::WholeLog {
            return Err(access_denied());
        }
        reads::read(&self.cluster, self.node, options).map(Response::new)
    }

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        self.cluster.faults.pass().await;
        self.cluster.authenticate(request.metadata())?;
        self.cluster.lead(self.node, request.metadata())?;
        let mut parts = request.into_inner();
        let Some(append_req::Content::Options(options)) =
            parts.message().await?.and_then(|part| part.content)
        else {
            return Err(Status::invalid_argument("an append begins with its options"));
        };
        let stream = stream_name(options.stream_identifier)?;
        let expected = match options.expected_stream_revision {
            Some(append_req::options::ExpectedStreamRevision::Any(_)) => Expected::Any,
            Some(append_req::options::ExpectedStreamRevision::NoStream(_)) => Expected::NoStream,
            Some(append_req::options::ExpectedStreamRevision::StreamExists(_)) => Expected::Exists,
            Some(append_req::options::ExpectedStreamRevision::Revision(at)) => Expected::Revision(at),
            None => return Err(Status::invalid_argument("the expected revision is missing")),
        };
        let mut events = Vec::new();
        while let Some(part) = parts.message().await? {
            let Some(append_req::Content::ProposedMessage(event)) = part.content else {
                return Err(Status::invalid_argument("after its options an append has events alone"));
            };
            events.push(proposed(event.id.as_ref(), &event.metadata, event.custom_metadata, event.data)?);
        }
        let appended = self.append_with_faults(&stream, expected, events).await;
        match appended {
            Appended::Done(Ok(written)) => Ok(Response::new(success(written))),
            Appended::Done(Err(Refused::WrongExpectedVersion { current })) => {
                Ok(Response::new(wrong_expected_version(expected, current)))
            }
            Appended::Done(Err(refused)) => Err(refusal("Append", &stream, expected, refused)),
            Appended::TimedOut => Err(Status::aborted("Operation timed out: injected")),
            Appended::TooBusy => Err(Status::unavailable("Server Is Too Busy")),
            Appended::Denied => Err(access_denied()),
        }
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        self.cluster.authenticate(request.metadata())?;
        self.cluster.lead(self.node, request.metadata())?;
        let options = request.into_inner().options.ok_or_else(|| Status::invalid_argument("no options"))?;
        let stream = stream_name(options.stream_identifier)?;
        let expected = match options.expected_stream_revision {
            Some(delete_req::options::ExpectedStreamRevision::NoStream(_)) => Expected::NoStream,
            Some(delete_req::options::ExpectedStreamRevision::StreamExists(_)) => Expected::Exists,
            Some(delete_req::options::ExpectedStreamRevision::Revision(at)) => Expected::Revision(at),
            _ => Expected::Any,
        };
        let written = self.cluster.log.delete(&stream, expected);
        let written = written.map_err(|refused| refusal("Delete", &stream, expected, refused))?;
        let position = written.position.map(|at| {
            let at = delete_resp::Position { commit_position: at, prepare_position: at };
            delete_resp::PositionOption::Position(at)
        });
        Ok(Response::new(DeleteResp { position_option: position }))
    }

    async fn tombstone(&self, request: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        self.cluster.authenticate(request.metadata())?;
        self.cluster.lead(self.node, request.metadata())?;
        let options = request.into_inner().options.ok_or_else(|| Status::invalid_argument("no options"))?;
        let stream = stream_name(options.stream_identifier)?;
        let expected = match options.expected_stream_revision {
            Some(tombstone_req::options::ExpectedStreamRevision::NoStream(_)) => Expected::NoStream,
            Some(tombstone_req::options::ExpectedStreamRevision::StreamExists(_)) => Expected::Exists,
            Some(tombstone_req::options::ExpectedStreamRevision::Revision(at)) => Expected::Revision(at),
            _ => Expected::Any,
        };
        let written = self.cluster.log.tombstone(&stream, expected);
        let written = written.map_err(|refused| refusal("Tombstone", &stream, expected, refused))?;
        let position = written.position.map(|at| {
            let at = tombstone_resp::Position { commit_position: at, prepare_position: at };
            tombstone_resp::PositionOption::Position(at)
        });
        Ok(Response::new(TombstoneResp { position_option: position }))
    }

    async fn batch_append(
        &self,
        request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<BatchResponses>, Status> {
        self.cluster.faults.pass().await;
        self.cluster.authenticate(request.metadata())?;
        let (metadata, _, parts) = request.into_parts();
        let service = Self { cluster: self.cluster.clone(), node: self.node };
        let mut session = BatchSession { service, metadata, parts, begun: HashMap::new() };
        // As with the real server, the client hears nothing before the first answer. A refusal is the whole response.
        let first = session.next().await.transpose()?;
        let rest = stream::unfold(Some(session), |session| async {
            let mut session = session?;
            match session.next().await? {
                Ok(answer) => Some((Ok(answer), Some(session))),
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(Response::new(stream::iter(first.map(Ok)).chain(rest).boxed()))
    }
}

/// The appends that go through one request.
struct BatchSession {
    service: StreamsService,
    metadata: MetadataMap,
    parts: Streaming<BatchAppendReq>,
    begun: HashMap<Uuid, Batch>,
}

impl BatchSession {
    async fn next(&mut self) -> Option<Result<BatchAppendResp, Status>> {
        loop {
            let part = match self.parts.message().await {
                Ok(part) => part?,
                Err(status) => return Some(Err(status)),
            };
            self.service.cluster.faults.pass().await;
            // Another leader ends the whole batch.
            if let Err(status) = self.service.cluster.lead(self.service.node, &self.metadata) {
                return Some(Err(status));
            }
            if let Some(answer) = self.service.take(part, &mut self.begun).await.transpose() {
                return Some(answer);
            }
        }
    }
}

/// An append whose parts are still coming.
struct Batch {
    stream: String,
    expected: Expected,
    events: Vec<Proposed>,
}

/// What became of an append.
enum Appended {
    Done(Result<Written, Refused>),
    TimedOut,
    TooBusy,
    Denied,
}

impl StreamsService {
    /// Appends, unless a fault says otherwise. Does not return where a client is to get no answer.
    async fn append_with_faults(&self, stream: &str, expected: Expected, events: Vec<Proposed>) -> Appended {
        if self.cluster.faults.denied() == Denied::Appends {
            return Appended::Denied;
        }
        let fault = match stream.starts_with('$') {
            true => AppendFault::Nothing,
            false => self.cluster.faults.next_append(),
        };
        let append = || self.cluster.log.append(stream, expected, events);
        match fault {
            AppendFault::Nothing => Appended::Done(append()),
            AppendFault::NoPosition => {
                Appended::Done(append().map(|written| Written { position: None, ..written }))
            }
            AppendFault::TimedOutLate => {
                let _ = append();
                Appended::TimedOut
            }
            AppendFault::TooBusy => Appended::TooBusy,
            AppendFault::LostReply => {
                let _ = append();
                self.cluster.cut();
                std::future::pending().await
            }
            AppendFault::LostRequest => {
                self.cluster.cut();
                std::future::pending().await
            }
            AppendFault::Silence => {
                let _ = append();
                std::future::pending().await
            }
        }
    }

    /// Takes a part of a batch. Returns the answer once the last part of an append is there.
    async fn take(
        &self,
        part: BatchAppendReq,
        begun: &mut HashMap<Uuid, Batch>,
    ) -> Result<Option<BatchAppendResp>, Status> {
        let correlation = id(part.correlation_id.as_ref())
            .ok_or_else(|| Status::invalid_argument("the correlation id is missing"))?;
        if let Some(options) = part.options {
            begun.insert(correlation, batch(options)?);
        }
        let Some(batch) = begun.get_mut(&correlation) else {
            return Ok(None);
        };
        for event in part.proposed_messages {
            let event = proposed(event.id.as_ref(), &event.metadata, event.custom_metadata, event.data)?;
            batch.events.push(event);
        }
        if !part.is_final {
            return Ok(None);
        }
        let Some(Batch { stream, expected, events }) = begun.remove(&correlation) else {
            return Ok(None);
        };
        let result = match self.append_with_faults(&stream, expected, events).await {
            Appended::Done(Ok(written)) => batch_append_resp::Result::Success(batch_success(written)),
            Appended::Done(Err(refused)) => {
                batch_append_resp::Result::Error(batch_refusal(&stream, expected, refused))
            }
            Appended::TimedOut => {
                let status = batch_status(rpc::Code::DeadlineExceeded, "Timeout", &shared::Timeout {});
                batch_append_resp::Result::Error(status)
            }
            // The real server leaves the code out here, so that it reads as "OK".
            Appended::TooBusy => {
                let status = batch_status(rpc::Code::Ok, "Server Is Busy", &Empty {});
                batch_append_resp::Result::Error(status)
            }
            Appended::Denied => {
                let status =
                    batch_status(rpc::Code::PermissionDenied, "AccessDenied", &shared::AccessDenied {});
                batch_append_resp::Result::Error(status)
            }
        };
        let expected = match expected {
            Expected::Any => batch_append_resp::ExpectedStreamPosition::Any(()),
            Expected::Exists => batch_append_resp::ExpectedStreamPosition::StreamExists(()),
            Expected::NoStream => batch_append_resp::ExpectedStreamPosition::NoStream(()),
            Expected::Revision(at) => batch_append_resp::ExpectedStreamPosition::StreamPosition(at),
        };
        Ok(Some(BatchAppendResp {
            correlation_id: part.correlation_id,
            stream_identifier: Some(stream_identifier(&stream)),
            expected_stream_position: Some(expected),
            result: Some(result),
        }))
    }
}

fn batch(options: batch_append_req::Options) -> Result<Batch, Status> {
    let stream = stream_name(options.stream_identifier)?;
    let expected = match options.expected_stream_position {
        Some(batch_append_req::options::ExpectedStreamPosition::Any(())) => Expected::Any,
        Some(batch_append_req::options::ExpectedStreamPosition::NoStream(())) => Expected::NoStream,
        Some(batch_append_req::options::ExpectedStreamPosition::StreamExists(())) => Expected::Exists,
        Some(batch_append_req::options::ExpectedStreamPosition::StreamPosition(at)) => Expected::Revision(at),
        None => return Err(Status::invalid_argument("the expected position is missing")),
    };
    Ok(Batch { stream, expected, events: Vec::new() })
}

fn batch_success(written: Written) -> batch_append_resp::Success {
    use batch_append_resp::success::{CurrentRevisionOption, PositionOption};
    let revision = written.revision.map_or(CurrentRevisionOption::NoStream(()), |revision| {
        CurrentRevisionOption::CurrentRevision(revision)
    });
    let position = written.position.map_or(PositionOption::NoPosition(()), |at| {
        PositionOption::Position(AllStreamPosition { commit_position: at, prepare_position: at })
    });
    batch_append_resp::Success { current_revision_option: Some(revision), position_option: Some(position) }
}

fn success(written: Written) -> AppendResp {
    use append_resp::success::{CurrentRevisionOption, PositionOption};
    let revision = written.revision.map_or(CurrentRevisionOption::NoStream(Empty {}), |revision| {
        CurrentRevisionOption::CurrentRevision(revision)
    });
    let position = written.position.map_or(PositionOption::NoPosition(Empty {}), |at| {
        PositionOption::Position(append_resp::Position { commit_position: at, prepare_position: at })
    });
    let success =
        append_resp::Success { current_revision_option: Some(revision), position_option: Some(position) };
    AppendResp { result: Some(append_resp::Result::Success(success)) }
}

/// The refusal of an append, for clients of now and of the first version of the protocol.
fn wrong_expected_version(expected: Expected, current: Option<u64>) -> AppendResp {
    use append_resp::wrong_expected_version as wrong;
    let (expected, old_expected) = match expected {
        Expected::Any => (
            wrong::ExpectedRevisionOption::ExpectedAny(Empty {}),
            wrong::ExpectedRevisionOption2060::Any2060(Empty {}),
        ),
        Expected::Exists => (
            wrong::ExpectedRevisionOption::ExpectedStreamExists(Empty {}),
            wrong::ExpectedRevisionOption2060::StreamExists2060(Empty {}),
        ),
        Expected::NoStream => (
            wrong::ExpectedRevisionOption::ExpectedNoStream(Empty {}),
            wrong::ExpectedRevisionOption2060::ExpectedRevision2060(u64::MAX),
        ),
        Expected::Revision(at) => (
            wrong::ExpectedRevisionOption::ExpectedRevision(at),
            wrong::ExpectedRevisionOption2060::ExpectedRevision2060(at),
        ),
    };
    let (current, old_current) = match current {
        Some(at) => (
            wrong::CurrentRevisionOption::CurrentRevision(at),
            wrong::CurrentRevisionOption2060::CurrentRevision2060(at),
        ),
        None => (
            wrong::CurrentRevisionOption::CurrentNoStream(Empty {}),
            wrong::CurrentRevisionOption2060::NoStream2060(Empty {}),
        ),
    };
    let refused = append_resp::WrongExpectedVersion {
        current_revision_option_20_6_0: Some(old_current),
        expected_revision_option_20_6_0: Some(old_expected),
        current_revision_option: Some(current),
        expected_revision_option: Some(expected),
    };
    AppendResp { result: Some(append_resp::Result::WrongExpectedVersion(refused)) }
}
