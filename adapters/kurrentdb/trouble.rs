//! The errors of the event store, with what an operator can do.
//!
//! An error of the client becomes a [`Failure`], which says whether a request may have been carried out, and whether it is
//! tried again. Its text reaches the operator: it names what failed, why, and the remedy.

use eventstore::{Error, GrpcConnectionError};
use loquet_domain::ports::ReadError;

/// The log can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is wrong.
    #[error("{0}")]
    Settings(String),
    /// The server refuses what is needed, or can't do it. The text says why, and what to do.
    #[error("the event store can't be used: {0}")]
    Unusable(String),
    /// No server of the cluster answers. The text says why, and what to do.
    #[error("the event store can't be reached: {0}")]
    Unreachable(String),
    /// The metadata of a stream lets the server remove events.
    #[error(
        "the metadata of the stream {stream} has {what}. With it, the server hides old events, and its next scavenge removes \
         them for good. But accounts are made from all events: remove {what} from the metadata of {stream}. If events are gone \
         already, restore a backup"
    )]
    NotWhole {
        /// The stream.
        stream: String,
        /// The entry of its metadata.
        what: &'static str,
    },
    /// A stream of the log was deleted.
    #[error(
        "the stream {stream} was deleted, and its events are gone or are removed by the server's next scavenge. But accounts \
         are made from all events: restore a backup, or set kurrentdb.stream_prefix to another prefix to begin a new log"
    )]
    Deleted {
        /// The stream.
        stream: String,
    },
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        Self::Unusable(error.0)
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotTaken(_) | Failure::Lost(_) => Self::Unreachable(failure.words()),
            failure => Self::Unusable(failure.words()),
        }
    }
}

/// Why a request failed, and whether it may have been carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The stream is at another revision. Nothing was written.
    WrongRevision,
    /// The server refused the request, and would refuse it again. Nothing was written.
    Refused(String),
    /// The server did not take the request, but may take it later. Nothing was written.
    NotTaken(String),
    /// Another node leads. Nothing was written.
    NotLeader(String),
    /// The answer was lost. The server may have carried the request out.
    Lost(String),
    /// No event begins at the position.
    NoSuchPosition,
    /// The stream does not exist.
    NotFound,
}

impl Failure {
    /// Reads an error of the client.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::WrongExpectedVersion { .. } => Self::WrongRevision,
            Error::ResourceNotFound => Self::NotFound,
            Error::ResourceDeleted => Self::Refused(DELETED.to_owned()),
            Error::AccessDenied => Self::Refused(DENIED.to_owned()),
            Error::UnsupportedFeature => Self::Refused(
                "the server is too old: use EventStoreDB 21.10 or later, or KurrentDB".to_owned(),
            ),
            Error::NotLeaderException(leader) => {
                Self::NotLeader(format!("another server is the leader now: {}:{}", leader.host, leader.port))
            }
            Error::GrpcConnectionError(GrpcConnectionError::MaxDiscoveryAttemptReached(_)) => Self::NotTaken(
                "no server of the cluster answers: check that the servers run, and the network to them"
                    .to_owned(),
            ),
            Error::GrpcConnectionError(GrpcConnectionError::Grpc(said)) => Self::NotTaken(unreachable(said)),
            Error::ConnectionClosed => Self::NotTaken("the connection to the server was closed".to_owned()),
            Error::Grpc { code, message } => Self::of_status(&format!("{code:?}"), message),
            Error::DeadlineExceeded => Self::no_answer(),
            Error::ServerError(said) => Self::Lost(unreachable(said)),
            other => Self::Lost(other.to_string()),
        }
    }

    /// No answer came within the deadline.
    pub(crate) fn no_answer() -> Self {
        Self::Lost("the server did not answer in time: check its load, and the network to it".to_owned())
    }

    /// Reads the status of an append in a batch, or a status that the client does not know. The client drops its details. A
    /// server that is too busy answers an append with the code "OK".
    fn of_status(code: &str, message: &str) -> Self {
        match (code, message) {
            ("AlreadyExists", _) | (_, "WrongExpectedVersion") => Self::WrongRevision,
            ("PermissionDenied" | "Unauthenticated", _) => Self::Refused(DENIED.to_owned()),
            (_, "StreamDeleted") => Self::Refused(DELETED.to_owned()),
            (_, "MaximumAppendSizeExceeded" | "MaximumAppendEventSizeExceeded") => Self::Refused(
                "the events of one step are larger than the server accepts: raise MaxAppendSize and MaxAppendEventSize in the \
                 configuration of each server"
                    .to_owned(),
            ),
            ("InvalidArgument", said) if said.contains("invalid position") => Self::NoSuchPosition,
            ("InvalidArgument", said) => Self::Refused(format!("the server refuses the request: {said}")),
            ("Ok", said) => Self::NotTaken(format!("the server says: {said}")),
            (code, said) => Self::Lost(format!("the server says: {said} ({code})")),
        }
    }

    /// Whether the same request may succeed when it is repeated.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::NotTaken(_) | Self::NotLeader(_) | Self::Lost(_))
    }

    /// Whether the client must be replaced. A client never leaves a server that is gone, and it stops for good when it reaches
    /// none. But it goes to a new leader by itself.
    pub(crate) fn needs_a_new_client(&self) -> bool {
        matches!(self, Self::NotTaken(_) | Self::Lost(_))
    }

    /// The reason, for an operator.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::WrongRevision => "the stream is at another revision".to_owned(),
            Self::NoSuchPosition => "no event begins at the position".to_owned(),
            Self::NotFound => "the stream does not exist".to_owned(),
            Self::Refused(words) | Self::NotTaken(words) | Self::NotLeader(words) | Self::Lost(words) => {
                words.clone()
            }
        }
    }
}

const DENIED: &str = "the server denies access. Check user and password. The user needs the right to read $all, and to read \
     and write the streams with the prefix of kurrentdb.stream_prefix. Members of $admins have these rights. Other users get \
     the first one from the metadata of $all";
const DELETED: &str =
    "a stream of the log was deleted. But accounts are made from all events: restore a backup";

/// Shortens the client's text about a connection that failed. It does not contain the cause: see `diagnosis`.
fn unreachable(said: &str) -> String {
    let reason = said.split(", details:").next().unwrap_or(said);
    reason.chars().filter(|c| *c != '"').take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_refused_for_certain_counts_as_not_written() {
        let status = Failure::of_status;
        assert_eq!(status("AlreadyExists", "WrongExpectedVersion"), Failure::WrongRevision);
        assert!(matches!(status("PermissionDenied", "AccessDenied"), Failure::Refused(_)));
        assert!(matches!(status("InvalidArgument", "MaximumAppendSizeExceeded"), Failure::Refused(_)));
        assert!(matches!(status("NotFound", "StreamDeleted"), Failure::Refused(_)));
        assert!(matches!(status("Ok", "Server Is Busy"), Failure::NotTaken(_)));
        assert!(matches!(status("DeadlineExceeded", "Timeout"), Failure::Lost(_)));
        assert!(matches!(status("Unknown", "Unknown"), Failure::Lost(_)));
        assert!(matches!(Failure::of(&Error::ServerError("gone".to_owned())), Failure::Lost(_)));
    }
}
