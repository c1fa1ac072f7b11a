//! The leaf of an event: the bytes that its hash covers. **They are part of the format of proofs. Never change them.**

use loquet_domain::ports::{Position, RecordedEvent};

use serde_json::{Value, json};

use crate::tree::{Hash, leaf_hash};

/// The first field of each leaf. A later format begins with another one.
const FORMAT: &str = "loquet/event/v1";

/// Returns the leaf of an event: its fields, each after its length in four bytes (big-endian). The fields are the format,
/// the position, the stream, the revision, the id (16 bytes), the name, the version, the open part, the metadata, the
/// account whose key encrypts the next field (16 bytes, or none), and the encrypted part (or none). Numbers are decimal.
#[must_use]
pub fn leaf(recorded: &RecordedEvent) -> Vec<u8> {
    leaf_at(recorded, recorded.position)
}

/// Returns the leaf that an event would have at another position.
pub(crate) fn leaf_at(recorded: &RecordedEvent, position: Position) -> Vec<u8> {
    let event = &recorded.event;
    let (position, revision, version) =
        (position.0.to_string(), recorded.revision.0.to_string(), event.version.to_string());
    let sealed = event.sealed.as_ref();
    let fields: [&[u8]; 11] = [
        FORMAT.as_bytes(),
        position.as_bytes(),
        recorded.stream.as_str().as_bytes(),
        revision.as_bytes(),
        event.id.0.as_bytes(),
        event.name.as_bytes(),
        version.as_bytes(),
        &event.data,
        &event.metadata,
        sealed.map_or(&[], |sealed| sealed.subject.0.as_bytes()),
        sealed.map_or(&[], |sealed| &sealed.bytes),
    ];
    let mut leaf = Vec::with_capacity(fields.iter().map(|field| field.len() + 4).sum());
    for field in fields {
        // No field of an event comes near four gigabytes.
        leaf.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        leaf.extend(field);
    }
    leaf
}

/// Returns the hash of an event's leaf.
#[must_use]
pub fn hash_of(recorded: &RecordedEvent) -> Hash {
    leaf_hash(&leaf(recorded))
}

/// Returns the fields of a leaf for people. The encrypted part is shown by its length. Returns `None` if the bytes are no
/// leaf.
#[must_use]
pub fn described(leaf: &[u8]) -> Option<Value> {
    let (mut rest, mut fields) = (leaf, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (field, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        fields.push(field);
        rest = after;
    }
    let [format, position, stream, revision, id, name, version, data, metadata, _, sealed] = fields[..]
    else {
        return None;
    };
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let number = |bytes| text(bytes)?.parse::<u64>().ok();
    let json = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    let is_whole = rest.is_empty() && format == FORMAT.as_bytes();
    is_whole.then_some(())?;
    Some(json!({
        "position": number(position)?, "stream": text(stream)?, "revision": number(revision)?,
        "event_id": base16ct::lower::encode_string(id), "type": text(name)?, "version": number(version)?,
        "data": json(data)?, "metadata": json(metadata)?, "sealed_bytes": sealed.len(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::event;

    /// Proofs that exist were made with these bytes.
    #[test]
    fn a_leaf_is_written_as_it_was_frozen() {
        let shown = described(&leaf(&event(7))).unwrap();
        assert_eq!((&shown["position"], &shown["type"]), (&json!(7), &json!("login-failed")));
        assert_eq!(described(b"no leaf"), None);
        let hash = base16ct::lower::encode_string(&hash_of(&event(7)).0);
        assert_eq!(hash, "391798f3d56d0af8a54f1522d074d8d533df0fd7ad353b4c047e5a077085dcbd");
    }
}
