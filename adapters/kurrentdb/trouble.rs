//! What is wrong with the server or with the log, in words that say what to do.

use eventstore::{Error, GrpcConnectionError};
use loquet_domain::ports::ReadError;

/// The log can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is wrong.
    #[error("{0}")]
    Settings(String),
    /// The server can't be used. The text says why and what to do.
    #[error("the event store can't be used: {0}")]
    Unusable(String),
    /// No node answers. The text says why and what to do.
    #[error("the event store can't be reached: {0}")]
    Unreachable(String),
    /// The metadata of a stream lets the server remove events.
    #[error(
        "the metadata of the stream {stream} has {what}. With it, the server hides old events and removes them for good at its \
         next scavenge. The log has to stay whole. Take {what} out of the metadata of {stream}. If events are gone already, \
         restore a backup"
    )]
    NotWhole {
        /// The stream.
        stream: String,
        /// The entry of its metadata.
        what: &'static str,
    },
    /// A stream of the log was deleted.
    #[error(
        "the stream {stream} was deleted. The log has to stay whole, and the server may remove the events for good at its next \
         scavenge. Restore a backup, or use another stream prefix for a new log"
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

/// What became of a request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The stream is at another revision. Nothing was written.
    WrongRevision,
    /// The server refused for good. Nothing was written.
    Refused(String),
    /// The server did not take the request, and may take it later. Nothing was written.
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
    /// What an error of the client means.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::WrongExpectedVersion { .. } => Self::WrongRevision,
            Error::ResourceNotFound => Self::NotFound,
            Error::ResourceDeleted => Self::Refused(DELETED.to_owned()),
            Error::AccessDenied => Self::Refused(DENIED.to_owned()),
            Error::UnsupportedFeature => Self::Refused(
                "the server does not know a request that is needed. Use EventStoreDB 21.10 or later, or KurrentDB".to_owned(),
            ),
            Error::NotLeaderException(leader) => {
                Self::NotLeader(format!("another node leads: {}:{}", leader.host, leader.port))
            }
            Error::GrpcConnectionError(GrpcConnectionError::MaxDiscoveryAttemptReached(_)) => Self::NotTaken(
                "no node of the cluster answers".to_owned(),
            ),
            Error::GrpcConnectionError(GrpcConnectionError::Grpc(said)) => Self::NotTaken(unreachable(said)),
            Error::ConnectionClosed => Self::NotTaken("the connection was closed".to_owned()),
            Error::Grpc { code, message } => Self::of_status(&format!("{code:?}"), message),
            Error::DeadlineExceeded => Self::Lost("the server did not answer in time".to_owned()),
            Error::ServerError(said) => Self::Lost(unreachable(said)),
            other => Self::Lost(other.to_string()),
        }
    }

    /// What a status within a batch, or one that the client does not know, means. Its details do not reach us, and the
    /// code of what the server did not take is "OK".
    fn of_status(code: &str, message: &str) -> Self {
        match (code, message) {
            ("AlreadyExists", _) | (_, "WrongExpectedVersion") => Self::WrongRevision,
            ("PermissionDenied" | "Unauthenticated", _) => Self::Refused(DENIED.to_owned()),
            (_, "StreamDeleted") => Self::Refused(DELETED.to_owned()),
            (_, "MaximumAppendSizeExceeded" | "MaximumAppendEventSizeExceeded") => Self::Refused(
                "the events of one step are larger than the server takes. Raise MaxAppendSize (and MaxAppendEventSize) in the \
                 server's configuration"
                    .to_owned(),
            ),
            ("InvalidArgument", said) if said.contains("invalid position") => Self::NoSuchPosition,
            ("InvalidArgument", said) => Self::Refused(format!("the server refuses the request: {said}")),
            ("Ok", said) => Self::NotTaken(format!("the server says: {said}")),
            (code, said) => Self::Lost(format!("the server says: {said} ({code})")),
        }
    }

    /// Whether the same request may succeed a little later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::NotTaken(_) | Self::NotLeader(_) | Self::Lost(_))
    }

    /// Whether the client itself has to be replaced. It never leaves a node that is gone, and it ends where no node can
    /// be reached. It goes to another leader by itself.
    pub(crate) fn needs_a_new_client(&self) -> bool {
        matches!(self, Self::NotTaken(_) | Self::Lost(_))
    }

    /// In words.
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

const DENIED: &str = "the server denies access. Check user and password. The user has to be allowed to read $all (the group \
     $admins is, others by the metadata of $all), and to read and write the streams with our prefix";
const DELETED: &str = "the stream was deleted. The log has to stay whole: restore a backup";

/// The first part of what the client says of a connection that failed. It keeps the cause to itself: an open looks for it.
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
