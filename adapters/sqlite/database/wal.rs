//! The format of SQLite's write-ahead log, and a check that finds damage in it.
//!
//! The layout follows SQLite's description of its file format, <https://sqlite.org/fileformat2.html> (section 4) and
//! <https://sqlite.org/walformat.html> (section 2).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use loquet_files::suffixed;

/// The number of bytes before the first frame, of a frame's header, and of a page.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
pub(crate) const PAGE: u64 = 4096;

/// A checksum: two running sums over everything before it.
type Checksum = (u32, u32);

pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(word))
}

fn pair(bytes: &[u8], at: usize) -> Option<(u32, u32)> {
    Some((word(bytes, at)?, word(bytes, at + 4)?))
}

/// The header of a write-ahead log.
struct Beginning {
    page_size: usize,
    salts: (u32, u32),
    checksum: Checksum,
    is_big_endian: bool,
}

impl Beginning {
    fn parse(header: &[u8; HEADER]) -> Option<Self> {
        let (magic, page_size) = (word(header, 0)?, word(header, 8)?);
        let valid =
            magic & !1 == 0x377f_0682 && page_size.is_power_of_two() && (512..=65_536).contains(&page_size);
        let is_big_endian = magic & 1 == 1;
        let checksum = sum(header.get(..HEADER - 8)?, (0, 0), is_big_endian);
        let (salts, page_size) = (pair(header, 16)?, usize::try_from(page_size).ok()?);
        (valid && checksum == pair(header, 24)?).then_some(Self { page_size, salts, checksum, is_big_endian })
    }

    /// Returns the checksum that a frame holds if it follows a frame with this checksum.
    fn checksum_after(&self, before: Checksum, frame: &[u8]) -> Option<Checksum> {
        let head = sum(frame.get(..8)?, before, self.is_big_endian);
        Some(sum(frame.get(FRAME_HEADER..)?, head, self.is_big_endian))
    }
}

fn sum(bytes: &[u8], from: Checksum, is_big_endian: bool) -> Checksum {
    let number = |bytes: [u8; 4]| match is_big_endian {
        true => u32::from_be_bytes(bytes),
        false => u32::from_le_bytes(bytes),
    };
    let (mut first, mut second) = from;
    for &[a, b, c, d, e, f, g, h] in bytes.as_chunks().0 {
        first = first.wrapping_add(number([a, b, c, d])).wrapping_add(second);
        second = second.wrapping_add(number([e, f, g, h])).wrapping_add(first);
    }
    (first, second)
}

/// Returns what was overwritten in the write-ahead log of a file that is synced at every commit. SQLite would
/// drop what follows without an error. Returns `None` if nothing was overwritten. Also returns `None` if it
/// looks like a crash during the last commit, which was then never acknowledged.
///
/// SQLite stops reading at a frame that does not follow from those before it. If two commits come after that frame
/// and follow from one another, the first of them was durable before the second began. So the frame was whole once.
pub(crate) fn damage(database: &Path) -> Option<&'static str> {
    let path = suffixed(database, "-wal");
    for _ in 0..3 {
        let before = header_of(&path)?;
        let found = damage_after(&path, &before);
        // If another program restarts the write-ahead log meanwhile, this reads parts of two logs.
        if header_of(&path) == Some(before) {
            return found;
        }
    }
    None
}

fn header_of(wal: &Path) -> Option<[u8; HEADER]> {
    let mut header = [0; HEADER];
    File::open(wal).ok()?.read_exact(&mut header).ok()?;
    Some(header)
}

fn damage_after(wal: &Path, header: &[u8; HEADER]) -> Option<&'static str> {
    let mut file = BufReader::with_capacity(1 << 18, File::open(wal).ok()?);
    let length = file.get_ref().metadata().ok()?.len();
    let Some(beginning) = Beginning::parse(header) else {
        // The header is synced before the first frame is written.
        let has_frame = length >= u64::try_from(HEADER + FRAME_HEADER).ok()? + PAGE;
        return has_frame.then_some("the beginning of its write-ahead log was overwritten");
    };
    std::io::copy(&mut (&mut file).take(u64::try_from(HEADER).ok()?), &mut std::io::sink()).ok()?;
    let mut frame = vec![0; FRAME_HEADER + beginning.page_size];
    let mut valid = Some(beginning.checksum);
    let (mut before, mut commits): (Option<Checksum>, u32) = (None, 0);
    while file.read_exact(&mut frame).is_ok() {
        let (own, is_of_now) = (pair(&frame, 16)?, pair(&frame, 8)? == beginning.salts);
        let follows = |before| is_of_now && beginning.checksum_after(before, &frame) == Some(own);
        valid = valid.filter(|before| follows(*before)).map(|_| own);
        if valid.is_some() {
            continue;
        }
        if !before.is_some_and(follows) {
            commits = 0;
        }
        let is_commit = word(&frame, 4)? != 0;
        commits += u32::from(is_of_now && is_commit);
        if commits >= 2 {
            return Some("its write-ahead log was overwritten in the middle");
        }
        before = is_of_now.then_some(own);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rusqlite::Connection;

    use super::*;

    /// Makes a file with twelve commits in its write-ahead log. Returns the offset of each frame that ends a
    /// commit.
    fn twelve_commits(folder: &Path) -> (PathBuf, Vec<u8>, Vec<bool>) {
        let path = folder.join("some.db");
        let connection = Connection::open(&path).unwrap();
        let prepare = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (data BLOB);";
        connection.execute_batch(prepare).unwrap();
        for commit in 0..11 {
            connection.execute("INSERT INTO t VALUES (randomblob(?))", [commit % 4 * 5000]).unwrap();
        }
        let wal = std::fs::read(suffixed(&path, "-wal")).unwrap();
        let frames = wal[HEADER..].chunks(FRAME_HEADER + 4096).map(|frame| word(frame, 4).unwrap() != 0);
        let ends = frames.collect();
        std::fs::write(folder.join("copy.db"), "").unwrap();
        (folder.join("copy.db"), wal, ends)
    }

    fn damage_of(copy: &Path, wal: &[u8]) -> Option<&'static str> {
        std::fs::write(suffixed(copy, "-wal"), wal).unwrap();
        damage(copy)
    }

    #[test]
    fn a_frame_that_was_overwritten_is_found_wherever_a_later_commit_proves_that_it_was_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, wal, ends) = twelve_commits(folder.path());
        assert_eq!(damage_of(&copy, &wal), None);
        for at in 0..ends.len() {
            let commits = ends[at..].iter().filter(|is_end| **is_end).count();
            let mut damaged = wal.clone();
            damaged[HEADER + at * (FRAME_HEADER + 4096) + FRAME_HEADER + 1000] ^= 1;
            assert_eq!(damage_of(&copy, &damaged).is_some(), commits >= 2, "frame {at}, {commits} commits");
        }
        for byte in [0, 5, 9, 16, 24] {
            let mut damaged = wal.clone();
            damaged[byte] ^= 1;
            assert!(damage_of(&copy, &damaged).is_some(), "byte {byte} of the beginning");
        }
    }

    #[test]
    fn what_a_crash_leaves_behind_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, wal, ends) = twelve_commits(folder.path());
        for length in (0..wal.len()).step_by(1001) {
            assert_eq!(damage_of(&copy, &wal[..length]), None, "{length} bytes arrived");
        }
        let last = ends[..ends.len() - 1].iter().rposition(|is_end| *is_end).unwrap() + 1;
        let pages = 1 + (ends.len() - last) * (FRAME_HEADER + 4096) / 4096;
        for hole in 0..pages {
            let mut torn = wal.clone();
            let from = HEADER + last * (FRAME_HEADER + 4096) + hole * 4096;
            torn.iter_mut().skip(from).take(4096).for_each(|byte| *byte = 0);
            assert_eq!(damage_of(&copy, &torn), None, "page {hole} of the last commit did not arrive");
        }
    }
}
