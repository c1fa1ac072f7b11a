//! The envelope: CloudEvents 1.0, with the JSON event format and the Kafka protocol binding.

use chrono::{DateTime, SecondsFormat, Utc};
use loquet_domain::ports::Position;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::topic::Topic;

/// How an event is written (CloudEvents 1.0, section 3 of the Kafka protocol binding).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The data is the value. The other attributes are headers.
    #[default]
    Binary,
    /// The value is a JSON object with all attributes.
    Structured,
}

/// The version of CloudEvents that events follow.
pub const SPEC_VERSION: &str = "1.0";
/// The media type of the data.
pub const JSON: &str = "application/json";
/// The media type of an event with all its attributes.
pub const STRUCTURED: &str = "application/cloudevents+json";

/// A public event in its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvent {
    /// The id of the event in the log. An event that is delivered twice has the same id.
    pub id: Uuid,
    /// The system that published it.
    pub source: String,
    /// Its type.
    pub name: &'static str,
    /// The topic to which it belongs.
    pub topic: Topic,
    /// The aggregate that it concerns: an account, a company or a take-over. It is also the key of the record.
    pub subject: Uuid,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// Its position in the log.
    pub position: Position,
    /// The data, as JSON.
    pub data: Vec<u8>,
    /// Whether it asks consumers to forget its subject.
    pub forgets: bool,
}

/// An event in the JSON event format (CloudEvents 1.0).
#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: Uuid,
    source: &'a str,
    r#type: &'static str,
    subject: Uuid,
    time: String,
    sequence: String,
    datacontenttype: &'static str,
    data: &'a RawValue,
}

impl CloudEvent {
    /// The extension attribute `sequence`: the position in the log with 20 digits. Later events have a greater text.
    #[must_use]
    pub fn sequence(&self) -> String {
        format!("{:020}", self.position.0)
    }

    /// The attribute `time` (RFC 3339, UTC, microseconds).
    #[must_use]
    pub fn time(&self) -> String {
        self.time.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// The attributes as headers of a record in binary mode.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 8] {
        [
            ("content-type", JSON.to_owned()),
            ("ce_specversion", SPEC_VERSION.to_owned()),
            ("ce_id", self.id.to_string()),
            ("ce_source", self.source.clone()),
            ("ce_type", self.name.to_owned()),
            ("ce_subject", self.subject.to_string()),
            ("ce_time", self.time()),
            ("ce_sequence", self.sequence()),
        ]
    }

    /// The whole event in structured mode, as JSON.
    ///
    /// # Errors
    /// The data is not JSON.
    pub fn structured(&self) -> Result<Vec<u8>, serde_json::Error> {
        let data: &RawValue = serde_json::from_slice(&self.data)?;
        serde_json::to_vec(&Envelope {
            specversion: SPEC_VERSION,
            id: self.id,
            source: &self.source,
            r#type: self.name,
            subject: self.subject,
            time: self.time(),
            sequence: self.sequence(),
            datacontenttype: JSON,
            data,
        })
    }
}

/// The data of an event that came in structured mode.
#[derive(Deserialize)]
struct Received<'a> {
    specversion: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The data of an event that another service sent in structured mode.
///
/// # Errors
/// The text is no CloudEvent 1.x with JSON data.
pub fn data_of_structured(event: &[u8]) -> Result<&[u8], String> {
    let received: Received<'_> = serde_json::from_slice(event).map_err(|error| error.to_string())?;
    if !received.specversion.starts_with("1.") {
        return Err(format!("CloudEvents version {} is not supported, only 1.0", received.specversion));
    }
    Ok(received.data.get().as_bytes())
}
