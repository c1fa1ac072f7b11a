//! Checkpoints of the log (C2SP tlog-checkpoint, <https://c2sp.org/tlog-checkpoint>), and the file that has all of them.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loquet_domain::Moment;
use serde::{Deserialize, Serialize};

use crate::note::{Note, NoteError, SignerKey, VerifierKey};
use crate::tree::Hash;

/// The size and the root of the tree at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// The number of events.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
}

impl Checkpoint {
    /// Signs the checkpoint. Returns the note.
    #[must_use]
    pub fn signed(&self, key: &SignerKey) -> String {
        key.sign(&format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0)))
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`NoteError::NoNote`] says why it is no checkpoint.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let no = NoteError::NoNote;
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(no("a checkpoint has three lines"));
        };
        let is_decimal =
            size.bytes().all(|digit| digit.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| is_decimal).ok_or(no("the size is no number"))?;
        let root = STANDARD.decode(root).map_err(|_| no("the root is not base64"))?;
        let root = Hash(root.try_into().map_err(|_| no("the root has not 32 bytes"))?);
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Reads a note, and checks that the key signed it. The log has the name of the key.
    ///
    /// # Errors
    /// [`NoteError`] if it is no checkpoint, of another log, or not signed by the key.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let note = Note::parse(note)?;
        note.check(key)?;
        Self::parse(note.text).and_then(|checkpoint| match checkpoint.origin == key.name() {
            true => Ok(checkpoint),
            false => Err(NoteError::NotSigned(key.name().to_owned())),
        })
    }
}

/// A line of the file of checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheckpoint {
    /// When it was made.
    pub at: Moment,
    /// The position of its last event. It says where to continue to read; nothing is proved by it.
    pub position: u64,
    /// The signed note. Witnesses may have added their signatures.
    pub note: String,
}

/// Reads a file of checkpoints: one JSON object for each line, or one note alone. A file that does not exist has none.
///
/// # Errors
/// The file system's error, or the number of a line that can't be read.
pub fn read_all(path: &Path) -> io::Result<Vec<KeptCheckpoint>> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let (mut all, mut reader, mut line) = (Vec::new(), BufReader::new(file), String::new());
    for number in 0.. {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            break;
        }
        // A crash can cut off the last line. The next checkpoint replaces it.
        if line.starts_with('{') && !line.ends_with('\n') {
            break;
        }
        if number == 0 && !line.starts_with('{') {
            let note = std::fs::read_to_string(path)?;
            return Ok(vec![KeptCheckpoint { at: Moment::UNIX_EPOCH, position: 0, note }]);
        }
        let wrong = |error| io::Error::other(format!("its line {} is no checkpoint ({error})", number + 1));
        all.push(serde_json::from_str(&line).map_err(wrong)?);
    }
    Ok(all)
}

/// Bytes that are read at once from the end of a file of checkpoints.
const BLOCK: u64 = 64 * 1024;

/// The checkpoints of a file of JSON Lines, from the newest to the oldest. It reads no more of the file than is asked for.
#[derive(Debug)]
pub struct NewestFirst {
    file: std::fs::File,
    /// Where the bytes that were read begin.
    at: u64,
    /// Whole lines that were read and not yet returned, after the end of a line that begins before them.
    read: Vec<u8>,
    /// Whether the end of the last whole line is still to be found. A crash can have cut off the line after it.
    torn: bool,
}

impl NewestFirst {
    /// Reads the block before.
    fn read_on(&mut self) -> io::Result<()> {
        let begin = self.at.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(self.at - begin).unwrap_or_default()];
        self.file.read_exact_at(&mut block, begin)?;
        block.append(&mut self.read);
        (self.at, self.read) = (begin, block);
        Ok(())
    }

    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if self.torn {
                let whole =
                    self.read.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
                self.read.truncate(whole);
                self.torn = whole == 0;
            }
            let before = self.read.len().saturating_sub(1);
            let newline =
                self.read.get(..before).and_then(|rest| rest.iter().rposition(|byte| *byte == b'\n'));
            match newline {
                Some(newline) => return Ok(Some(self.read.split_off(newline + 1))),
                None if self.at > 0 => self.read_on()?,
                None if self.read.is_empty() => return Ok(None),
                None => return Ok(Some(std::mem::take(&mut self.read))),
            }
        }
    }
}

impl Iterator for NewestFirst {
    type Item = io::Result<KeptCheckpoint>;

    fn next(&mut self) -> Option<Self::Item> {
        let parsed = |line: Vec<u8>| serde_json::from_slice(&line).map_err(io::Error::other);
        self.line().map(|line| line.map(parsed)).transpose().map(Result::flatten)
    }
}

/// The checkpoints of a file of JSON Lines, the newest first. Returns `None` if there is no file.
///
/// # Errors
/// The file system's error. The iterator returns it too, or that a line is no checkpoint.
pub fn newest_first(path: &Path) -> io::Result<Option<NewestFirst>> {
    match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => {
            let file = opened?;
            let at = file.metadata()?.len();
            Ok(Some(NewestFirst { file, at, read: Vec::new(), torn: true }))
        }
    }
}

/// The newest checkpoint of a file of JSON Lines.
///
/// # Errors
/// The file system's error, or the line is no checkpoint.
pub fn newest(path: &Path) -> io::Result<Option<KeptCheckpoint>> {
    newest_first(path)?.and_then(|mut all| all.next()).transpose()
}

/// The number of checkpoints in a file of JSON Lines.
///
/// # Errors
/// The file system's error.
pub fn count(path: &Path) -> io::Result<u64> {
    let mut reader = BufReader::new(match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        opened => opened?,
    });
    let mut count = 0;
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            return Ok(count);
        }
        let read = block.len();
        count += block.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        reader.consume(read);
    }
}

/// Adds a checkpoint to the file, durably. A line that was cut off by a crash is removed first.
///
/// # Errors
/// The file system's error.
pub fn add(path: &Path, kept: &KeptCheckpoint) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    if last != *b"\n" {
        let bytes = std::fs::read(path)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        file.set_len(u64::try_from(whole).unwrap_or_default())?;
    }
    file.write_all(format!("{}\n", serde_json::to_string(kept)?).as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint { origin: "portal.example/1234".to_owned(), size, root: Hash([3; 32]) }
    }

    #[test]
    fn a_checkpoint_is_read_as_another_implementation_reads_it() {
        let key = SignerKey::new("portal.example/1234", &[7; 32]).unwrap();
        let note = checkpoint(5).signed(&key);
        assert_eq!(Checkpoint::open(&note, &key.verifier()), Ok(checkpoint(5)));
        let text = Note::parse(&note).unwrap().text;
        let theirs = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).unwrap();
        assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), ("portal.example/1234", 5, [3; 32]));
        let other = SignerKey::new("portal.example/5678", &[7; 32]).unwrap();
        let foreign = checkpoint(5).signed(&other);
        assert!(Checkpoint::open(&foreign, &other.verifier()).is_err(), "it is of another log");
        for wrong in ["", "a\n1\n", "a\n01\nAAAA\n", "a\n-1\nAAAA\n", "a\n1\nAAAA\n"] {
            assert!(Checkpoint::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn checkpoints_are_kept_in_a_file_and_a_line_that_was_cut_off_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints.jsonl");
        assert_eq!(read_all(&path).unwrap(), []);
        let kept = |n: u64| KeptCheckpoint { at: Moment::UNIX_EPOCH, position: n, note: format!("a\n{n}\n") };
        add(&path, &kept(1)).unwrap();
        add(&path, &kept(2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!(read_all(&path).unwrap(), [kept(1)], "the line that was cut off is ignored");
        assert_eq!(newest(&path).unwrap(), Some(kept(1)));
        add(&path, &kept(3)).unwrap();
        assert_eq!(read_all(&path).unwrap(), [kept(1), kept(3)]);
        assert_eq!(newest(&path).unwrap(), Some(kept(3)));
    }

    #[test]
    fn checkpoints_are_read_from_the_newest_on_however_long_they_and_their_file_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints.jsonl");
        assert!(newest(&path).unwrap().is_none() && count(&path).unwrap() == 0, "there is no file");
        std::fs::write(&path, "").unwrap();
        assert!(newest(&path).unwrap().is_none() && newest_first(&path).unwrap().unwrap().next().is_none());
        // One is longer than a block, and one ends where a block does.
        let lengths = [10, usize::try_from(BLOCK).unwrap() * 2, 10, 3000, 70_000, 20];
        for (n, length) in (1..).zip(lengths.into_iter().cycle().take(60)) {
            let note = format!("{}\n", "n".repeat(length));
            add(&path, &KeptCheckpoint { at: Moment::UNIX_EPOCH, position: n, note }).unwrap();
        }
        let mut all = read_all(&path).unwrap();
        all.reverse();
        let read: Vec<_> = newest_first(&path).unwrap().unwrap().map(Result::unwrap).collect();
        assert!(read == all, "from the newest to the oldest");
        assert_eq!(count(&path).unwrap(), 60);
    }
}
