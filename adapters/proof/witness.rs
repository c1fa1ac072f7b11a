//! Asks a witness to sign checkpoints too (C2SP tlog-witness, <https://c2sp.org/tlog-witness>). A witness signs a checkpoint only
//! if the log still begins with what it saw before. So nobody can show it one history and others another.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, StatusCode, Url};

use crate::note::{Note, NoteError, VerifierKey};
use crate::tree::Hash;

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes. A cosignature has about 150.
const LONGEST: usize = 10_000;

/// A witness: where it is, and the key that checks its signatures.
pub struct Witness {
    key: VerifierKey,
    url: Url,
    client: Client,
}

/// Why a text names no witness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWitness {
    /// It has not two parts.
    #[error("a witness is given as its public key, a space, and its URL")]
    Form,
    /// The key is none.
    #[error(transparent)]
    Key(#[from] NoteError),
    /// The key is not that of a witness.
    #[error("{0} is the key of a log, not of a witness (C2SP tlog-cosignature)")]
    NotOfAWitness(String),
    /// The URL is none.
    #[error("'{0}' is not an http or https URL")]
    Url(String),
}

/// Why a witness did not sign.
#[derive(Debug, thiserror::Error)]
pub enum NotWitnessed {
    /// It can't be reached, or does not answer.
    #[error("the witness {name} can't be asked")]
    Unreachable {
        /// Its name.
        name: String,
        /// What the connection said.
        source: reqwest::Error,
    },
    /// It refuses. The numbers are those of C2SP tlog-witness.
    #[error("the witness {name} answers {status}: {meaning}")]
    Refused {
        /// Its name.
        name: String,
        /// The status of its answer.
        status: u16,
        /// What that status means.
        meaning: &'static str,
    },
    /// It saw more events than this log has.
    #[error(
        "the witness {name} has seen this log with {seen} events, and it has {size}: it was cut off, or an older copy was put back"
    )]
    SawMore {
        /// Its name.
        name: String,
        /// The number of events that it saw.
        seen: u64,
        /// The number of events of the log.
        size: u64,
    },
    /// Its answer has no signature of its key.
    #[error("the answer of the witness {name} can't be used")]
    Unsigned {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: NoteError,
    },
    /// The tree can't be read.
    #[error("the proof for the witness can't be made")]
    Tree(#[from] io::Error),
}

impl Witness {
    /// Reads `NAME+HASH+KEY URL`. The URL is the submission prefix: `/add-checkpoint` is added to it.
    ///
    /// # Errors
    /// [`NoWitness`] says why the text names none.
    pub fn parse(text: &str) -> Result<Self, NoWitness> {
        let (key, url) = text.trim().split_once(' ').ok_or(NoWitness::Form)?;
        let key = VerifierKey::parse(key)?;
        if !key.is_witness() {
            return Err(NoWitness::NotOfAWitness(key.name().to_owned()));
        }
        let prefix = url.trim().trim_end_matches('/');
        let is_whole = Url::parse(prefix).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        let parsed = Url::parse(&format!("{prefix}/add-checkpoint"));
        let url = parsed.ok().filter(|_| is_whole).ok_or_else(|| NoWitness::Url(text.to_owned()))?;
        Ok(Self { key, url, client: Client::new() })
    }

    /// The key that checks its signatures.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn name(&self) -> String {
        self.key.name().to_owned()
    }

    /// Asks the witness to sign a checkpoint of `size` events. `older` is the size of the checkpoint that it signed last, as far
    /// as it is known; `consistency` proves that the log begins with so many events. Returns the note with the signature of
    /// the witness added.
    ///
    /// # Errors
    /// [`NotWitnessed`] says why it did not sign.
    pub async fn cosign(
        &self,
        note: &str,
        size: u64,
        older: u64,
        consistency: impl Fn(u64) -> io::Result<Vec<Hash>> + Send,
    ) -> Result<String, NotWitnessed> {
        match self.ask(note, older, &consistency(older)?).await? {
            Answered::Signed(note) => Ok(note),
            Answered::Saw(seen) if seen > size => {
                Err(NotWitnessed::SawMore { name: self.name(), seen, size })
            }
            // It knows better what it saw.
            Answered::Saw(seen) => match self.ask(note, seen, &consistency(seen)?).await? {
                Answered::Signed(note) => Ok(note),
                Answered::Saw(_) => Err(self.refused(StatusCode::CONFLICT)),
            },
        }
    }

    async fn ask(&self, note: &str, older: u64, proof: &[Hash]) -> Result<Answered, NotWitnessed> {
        let mut body = format!("old {older}\n");
        for hash in proof {
            // Writing into a string does not fail.
            let _ = writeln!(body, "{}", STANDARD.encode(hash.0));
        }
        body.push('\n');
        body.push_str(note);
        let failed = |source| NotWitnessed::Unreachable { name: self.name(), source };
        let request = self.client.post(self.url.clone()).timeout(PATIENCE).body(body);
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            text.extend_from_slice(&chunk);
            if text.len() > LONGEST {
                return Err(self.unsigned(NoteError::NoNote("it is too long")));
            }
        }
        let text = String::from_utf8_lossy(&text);
        match status {
            StatusCode::OK => self.added(note, &text).map(Answered::Signed),
            StatusCode::CONFLICT => text.trim().parse().map(Answered::Saw).map_err(|_| self.refused(status)),
            status => Err(self.refused(status)),
        }
    }

    /// Adds the signature of this witness to the note. An answer may have signatures of others too.
    fn added(&self, note: &str, answer: &str) -> Result<String, NotWitnessed> {
        let mut last = NoteError::NotSigned(self.name());
        for line in answer.lines().filter(|line| line.starts_with('\u{2014}')) {
            let signed = format!("{note}{line}\n");
            match Note::parse(&signed).and_then(|note| note.check(&self.key)) {
                Ok(()) => return Ok(signed),
                Err(why) => last = why,
            }
        }
        Err(self.unsigned(last))
    }

    fn unsigned(&self, source: NoteError) -> NotWitnessed {
        NotWitnessed::Unsigned { name: self.name(), source }
    }

    fn refused(&self, status: StatusCode) -> NotWitnessed {
        let meaning = match status.as_u16() {
            403 => "it does not know the key of this log",
            404 => "it does not know the name of this log",
            409 => "another process of this log speaks to it too",
            422 => "the log does not begin with the events that it saw before",
            _ => "it can't be asked now",
        };
        NotWitnessed::Refused { name: self.name(), status: status.as_u16(), meaning }
    }
}

enum Answered {
    Signed(String),
    /// It signed a checkpoint of so many events last.
    Saw(u64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::SignerKey;

    #[test]
    fn a_witness_is_its_key_and_its_url() {
        let key = VerifierKey::of_witness("witness.example", &[9; 32]);
        let read = |text: &str| Witness::parse(text).map(|witness| witness.url.to_string());
        let url = "https://witness.example/tlog/add-checkpoint".to_owned();
        assert_eq!(read(&format!("{key} https://witness.example/tlog/")), Ok(url.clone()));
        assert_eq!(read(&format!(" {key}  https://witness.example/tlog ")), Ok(url));
        assert_eq!(read(&key.to_string()), Err(NoWitness::Form));
        let log = SignerKey::new("portal.example/1", &[7; 32]).unwrap().verifier();
        let wrong = read(&format!("{log} https://witness.example"));
        assert_eq!(wrong, Err(NoWitness::NotOfAWitness("portal.example/1".to_owned())));
        for url in ["witness.example", "ftp://witness.example", "https://"] {
            assert!(matches!(read(&format!("{key} {url}")), Err(NoWitness::Url(_))), "{url}");
        }
        assert!(matches!(read("a+b+c https://witness.example"), Err(NoWitness::Key(_))));
    }
}
