//! Signed notes as others read them (C2SP signed-note, <https://c2sp.org/signed-note>): text, and signatures with Ed25519.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature as Ed25519, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// The kind of a signature of the log itself.
const ED25519: u8 = 0x01;
/// The kind of a signature of a witness, with its time (C2SP tlog-cosignature).
const COSIGNATURE: u8 = 0x04;

/// A text is no note, or no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is not a signed note.
    #[error("this is no signed note: {0}")]
    NoNote(&'static str),
    /// The text is not a key.
    #[error("this is no key of a signed note: {0}")]
    NoKey(&'static str),
    /// The key did not sign the note.
    #[error("the note has no signature of {0}")]
    NotSigned(String),
    /// There is a signature of the key, but of another text.
    #[error("the signature of {0} is wrong: the note was changed, or the signature was forged")]
    Forged(String),
}

/// Whether a text can be the name of a key: it is not empty, and has neither spaces nor `+`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

fn key_id(name: &str, kind: u8, public: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(public).finalize();
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash);
    [a, b, c, d]
}

/// A key that checks signatures. Its text is `NAME+HASH+KEY`, as the specification writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: u8,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Reads a key.
    ///
    /// # Errors
    /// [`NoteError::NoKey`] says why the text is none.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let no = NoteError::NoKey;
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(no("it has not the form NAME+HASH+KEY"));
        };
        let key = STANDARD.decode(key).map_err(|_| no("the last part is not base64"))?;
        let (kind, public) = key.split_first().ok_or(no("the last part is empty"))?;
        let public: [u8; 32] = public.try_into().map_err(|_| no("it has not 32 bytes"))?;
        if ![ED25519, COSIGNATURE].contains(kind) || !is_name(name) {
            return Err(no("it is of an unknown kind, or its name can't be one"));
        }
        if base16ct::lower::encode_string(&key_id(name, *kind, &public)) != id {
            return Err(no("its hash belongs to another key"));
        }
        let key = VerifyingKey::from_bytes(&public).map_err(|_| no("it is no point of the curve"))?;
        Ok(Self { name: name.to_owned(), kind: *kind, key })
    }

    /// The name of the key's owner.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the key is that of a witness.
    #[must_use]
    pub fn is_witness(&self) -> bool {
        self.kind == COSIGNATURE
    }

    fn id(&self) -> [u8; 4] {
        key_id(&self.name, self.kind, self.key.as_bytes())
    }

    fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        let signed = match self.kind {
            COSIGNATURE => signature
                .split_first_chunk::<8>()
                .map(|(time, signature)| (cosigned(u64::from_be_bytes(*time), text), signature)),
            _ => Some((text.to_owned(), signature)),
        };
        signed.is_some_and(|(message, signature)| {
            Ed25519::from_slice(signature)
                .is_ok_and(|signature| self.key.verify_strict(message.as_bytes(), &signature).is_ok())
        })
    }
}

/// What a witness signs.
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = [&[self.kind], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, base16ct::lower::encode_string(&self.id()), STANDARD.encode(key))
    }
}

/// A key that signs. Its text is `PRIVATE+KEY+NAME+HASH+KEY`, as Go's package `note` writes it.
pub struct SignerKey {
    name: String,
    key: SigningKey,
}

impl SignerKey {
    /// Makes a key from 32 random bytes.
    ///
    /// # Errors
    /// [`NoteError::NoKey`] if the name can't be one.
    pub fn new(name: &str, random: &[u8; 32]) -> Result<Self, NoteError> {
        match is_name(name) {
            true => Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(random) }),
            false => Err(NoteError::NoKey("a name has no spaces and no +")),
        }
    }

    /// Makes a new key for a log of this host. The name of the log is the host, a slash, and eight random digits: a log that
    /// begins anew has another name.
    ///
    /// # Errors
    /// [`NoteError::NoKey`] if the host can't be part of a name.
    pub fn fresh(host: &str) -> Result<Self, NoteError> {
        #[expect(clippy::disallowed_methods, reason = "a key, and the name of a log")]
        let (seed, name): ([u8; 32], [u8; 4]) = (rand::random(), rand::random());
        Self::new(&format!("{host}/{}", base16ct::lower::encode_string(&name)), &seed)
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`NoteError::NoKey`] says why the text is none. It does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let no = NoteError::NoKey;
        let rest =
            text.trim().strip_prefix("PRIVATE+KEY+").ok_or(no("it does not begin with PRIVATE+KEY+"))?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(no("it has not the form PRIVATE+KEY+NAME+HASH+KEY"));
        };
        let key = STANDARD.decode(key).map_err(|_| no("the last part is not base64"))?;
        let seed = match key.split_first() {
            Some((&ED25519, seed)) => seed.try_into().map_err(|_| no("it has not 32 bytes"))?,
            _ => return Err(no("it is of an unknown kind")),
        };
        let key = Self::new(name, seed)?;
        match base16ct::lower::encode_string(&key.verifier().id()) == id {
            true => Ok(key),
            false => Err(no("its hash belongs to another key")),
        }
    }

    /// The text of the key. It is a secret.
    #[must_use]
    pub fn text(&self) -> String {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        let id = base16ct::lower::encode_string(&self.verifier().id());
        format!("PRIVATE+KEY+{}+{id}+{}", self.name, STANDARD.encode(key))
    }

    /// The key that checks its signatures.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), kind: ED25519, key: self.key.verifying_key() }
    }

    /// Signs a text that ends with a line end. Returns the note.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let signed = STANDARD.encode([self.verifier().id().as_slice(), &signature].concat());
        format!("{text}\n\u{2014} {} {signed}\n", self.name)
    }
}

/// A note: its text, and its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// The text, with its last line end.
    pub text: &'a str,
    signatures: Vec<(&'a str, [u8; 4], Vec<u8>)>,
}

impl<'a> Note<'a> {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError::NoNote`] says why the text is none.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        let no = NoteError::NoNote;
        let split = note.rfind("\n\n").ok_or(no("it has no empty line"))?;
        let (text, lines) = (note.get(..=split), note.get(split + 2..));
        let (Some(text), Some(lines)) = (text, lines.and_then(|lines| lines.strip_suffix('\n'))) else {
            return Err(no("it does not end with a line end"));
        };
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            let rest =
                line.strip_prefix("\u{2014} ").ok_or(no("a line after the empty one is no signature"))?;
            let (name, signed) = rest.split_once(' ').ok_or(no("a signature has no name"))?;
            let signed = STANDARD.decode(signed).map_err(|_| no("a signature is not base64"))?;
            let (id, signature) = signed.split_first_chunk::<4>().ok_or(no("a signature is too short"))?;
            signatures.push((name, *id, signature.to_vec()));
        }
        Ok(Self { text, signatures })
    }

    /// Checks that a key signed the note.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`] or [`NoteError::Forged`] if it did not.
    pub fn check(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let (name, id) = (key.name(), key.id());
        let mut own =
            self.signatures.iter().filter(|(signer, by, _)| *signer == name && *by == id).peekable();
        if own.peek().is_none() {
            return Err(NoteError::NotSigned(name.to_owned()));
        }
        match own.any(|(_, _, signature)| key.has_signed(self.text, signature)) {
            true => Ok(()),
            false => Err(NoteError::Forged(name.to_owned())),
        }
    }
}

#[cfg(test)]
impl VerifierKey {
    /// The key of a witness with this seed.
    pub(crate) fn of_witness(name: &str, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed).verifying_key();
        Self { name: name.to_owned(), kind: COSIGNATURE, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signed_note::{StandardSigner, StandardVerifier, VerifierList};

    const TEXT: &str = "portal.example/1234\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn key() -> SignerKey {
        SignerKey::new("portal.example/1234", &[7; 32]).unwrap()
    }

    #[test]
    fn keys_and_notes_are_those_of_another_implementation() {
        let key = key();
        let note = key.sign(TEXT);
        assert!(StandardSigner::new(&key.text()).is_ok(), "they read our private key");
        let theirs = StandardVerifier::new(&key.verifier().to_string()).unwrap();
        let read = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
        let (signed, _) = read.verify(&VerifierList::new(vec![Box::new(theirs)])).unwrap();
        assert_eq!(signed.len(), 1, "they check our signature");
        // And the other way around.
        let signer = StandardSigner::new(&key.text()).unwrap();
        let mut note = signed_note::Note::new(TEXT.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&signer]).unwrap();
        let text = String::from_utf8(note.to_bytes()).unwrap();
        let note = Note::parse(&text).unwrap();
        assert_eq!((note.text, note.check(&key.verifier())), (TEXT, Ok(())));
    }

    #[test]
    fn keys_are_read_as_they_are_written_and_a_changed_one_is_refused() {
        let key = key();
        assert_eq!(SignerKey::parse(&key.text()).unwrap().text(), key.text());
        let public = key.verifier().to_string();
        assert_eq!(VerifierKey::parse(&public), Ok(key.verifier()));
        for wrong in ["", "a", "a+b", "a+b+c", &public.replace("1234", "1235"), &public.replace("+A", "+B")] {
            assert!(VerifierKey::parse(wrong).is_err(), "{wrong}");
        }
        assert!(SignerKey::new("two words", &[7; 32]).is_err());
        assert!(SignerKey::parse(&public).is_err());
    }

    #[test]
    fn a_changed_note_is_forged_and_one_of_another_key_is_not_signed() {
        let (key, other) = (key(), SignerKey::new("portal.example/1234", &[8; 32]).unwrap());
        let note = key.sign(TEXT);
        let changed = note.replace("\n5\n", "\n6\n");
        let check = |note: &str, key: &SignerKey| Note::parse(note).unwrap().check(&key.verifier());
        assert!(matches!(check(&changed, &key), Err(NoteError::Forged(_))));
        assert!(matches!(check(&note, &other), Err(NoteError::NotSigned(_))));
        for broken in ["", "\n", TEXT, &note.replace('\u{2014}', "-"), note.trim_end()] {
            assert!(Note::parse(broken).is_err(), "{broken}");
        }
    }

    /// A witness signs the note with the time at which it saw it (C2SP tlog-cosignature).
    #[test]
    fn a_cosignature_is_checked_with_its_time() {
        let (log, witness) = (key(), SigningKey::from_bytes(&[9; 32]));
        let public = VerifierKey::of_witness("witness.example", &[9; 32]);
        let time = 1_764_000_000_u64;
        let signature = witness.sign(cosigned(time, TEXT).as_bytes()).to_bytes();
        let signed = [public.id().as_slice(), &time.to_be_bytes(), &signature].concat();
        let note = format!("{}\u{2014} witness.example {}\n", log.sign(TEXT), STANDARD.encode(&signed));
        let note = Note::parse(&note).unwrap();
        assert_eq!(note.check(&public), Ok(()));
        assert_eq!(note.check(&log.verifier()), Ok(()));
        assert_eq!(VerifierKey::parse(&public.to_string()), Ok(public.clone()));
        let later = [public.id().as_slice(), &(time + 1).to_be_bytes(), &signature].concat();
        let note = format!("{}\u{2014} witness.example {}\n", log.sign(TEXT), STANDARD.encode(&later));
        assert!(matches!(Note::parse(&note).unwrap().check(&public), Err(NoteError::Forged(_))));
    }
}
