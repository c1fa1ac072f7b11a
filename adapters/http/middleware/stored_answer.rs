//! How an answer to a command with an idempotency key is stored, and where it names positions of the log.

use axum::http::HeaderName;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::responses::done::POSITION;

/// A stored answer.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The part of a body that names the position of the command's events.
#[derive(Deserialize)]
struct Positioned<'a> {
    #[serde(borrow)]
    position: Option<&'a RawValue>,
}

/// Returns the log positions that a stored answer names. There are none in what is no stored answer.
#[must_use]
pub fn positions_of_answer(answer: &[u8]) -> Vec<u64> {
    let Some(stored) = read(answer) else { return Vec::new() };
    let in_headers = stored.headers.iter().filter(|(name, _)| is_position(name));
    let in_headers = in_headers.filter_map(|(_, value)| value.parse().ok());
    in_headers.chain(in_body(&stored.body).and_then(|text| text.parse().ok())).collect()
}

/// Returns a stored answer in which `of` replaces each position. Everything else stays as it is, byte by byte.
#[must_use]
pub fn answer_with_positions(answer: &[u8], of: impl Fn(u64) -> u64) -> Vec<u8> {
    let Some(mut stored) = read(answer) else { return answer.to_vec() };
    let replaced = |text: &str| text.parse().ok().map(|position| of(position).to_string());
    for (_, value) in stored.headers.iter_mut().filter(|(name, _)| is_position(name)) {
        if let Some(position) = replaced(value) {
            *value = position;
        }
    }
    if let Some(body) = in_body(&stored.body).and_then(|found| with(&stored.body, found, &replaced(found)?)) {
        stored.body = body;
    }
    serde_json::to_vec(&stored).unwrap_or_else(|_| answer.to_vec())
}

fn read(answer: &[u8]) -> Option<StoredAnswer> {
    serde_json::from_slice(answer).ok()
}

fn is_position(header: &str) -> bool {
    HeaderName::try_from(header).is_ok_and(|name| name == POSITION)
}

/// The position in a body, as it is written there.
fn in_body(body: &str) -> Option<&str> {
    serde_json::from_str::<Positioned<'_>>(body).ok()?.position.map(RawValue::get)
}

/// Replaces a part of a text. `part` must be a slice of the text.
fn with(text: &str, part: &str, new: &str) -> Option<String> {
    let at = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let (before, after) = (text.get(..at)?, text.get(at.checked_add(part.len())?..)?);
    Some([before, new, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        serde_json::to_vec(&StoredAnswer { status: 201, headers, body: body.to_owned() }).unwrap()
    }

    #[test]
    fn positions_in_the_header_and_in_the_body_are_replaced_and_nothing_else() {
        let header = stored(&[("loquet-position", "7"), ("content-type", "7")], "");
        assert_eq!(positions_of_answer(&header), [7]);
        let expected = stored(&[("loquet-position", "700"), ("content-type", "7")], "");
        assert_eq!(answer_with_positions(&header, |position| position * 100), expected);

        let body = |position: &str| {
            format!(
                r#"{{ "b": 7, "a": {{ "position": 7 }}, "position": {position}, "text": "\"position\":7" }}"#
            )
        };
        let in_body = stored(&[], &body("7"));
        assert_eq!(positions_of_answer(&in_body), [7]);
        assert_eq!(answer_with_positions(&in_body, |position| position * 100), stored(&[], &body("700")));
    }

    #[test]
    fn what_names_no_position_stays_as_it_is() {
        for answer in [stored(&[], ""), stored(&[], r#"[{"position":7}]"#), b"no answer".to_vec()] {
            assert_eq!(positions_of_answer(&answer), Vec::<u64>::new());
            assert_eq!(answer_with_positions(&answer, |_| 0), answer);
        }
    }
}
