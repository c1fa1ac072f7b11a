//! Passwords that nobody may choose. One short list is part of the program. The operator can name a second
//! list of any size.

mod sorted_lines;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loquet_domain::ports::{Blocklist, BlocklistUnreadable, BoxFuture};
use loquet_domain::values::password::Password;

use sorted_lines::{Lines, OutOfOrder, ReadAt, SortedLines};

/// 30,000 passwords. `SOURCE.md` beside the list says where they come from.
const SHIPPED: &[u8] = include_bytes!("common.txt");
/// The number of places that are checked for order when a list is opened.
const SAMPLES: u64 = 4096;
/// A password that repeats a part of at most this length is as weak as the part itself.
const SHORTEST_PART: usize = 4;

/// Both lists: the one in the program, and the operator's.
#[derive(Clone, Debug, Default)]
pub struct PasswordBlocklist {
    file: Option<Arc<BlocklistFile>>,
}

/// A list on disk, sorted as `LC_ALL=C sort -f` does. Each line is a password or the SHA-1 of a password.
#[derive(Debug)]
pub struct BlocklistFile {
    path: PathBuf,
    list: SortedLines<File>,
}

/// Why a file can't be used as a blocklist.
#[derive(Debug, thiserror::Error)]
pub enum BlocklistFault {
    /// The file does not exist, this program may not read it, or it does not consist of lines.
    #[error("{} can't be read: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The file is empty. The operator probably meant another file.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    /// The file is not sorted, so it can't be searched.
    #[error("{0} is not in order: the line at byte {at} belongs further up. Sort it: LC_ALL=C sort -f -u {0} -o {0}", path.display())]
    Unsorted {
        /// Which file.
        path: PathBuf,
        /// The byte at which the first line out of order begins.
        at: u64,
    },
}

impl BlocklistFile {
    /// Opens a list and checks at some thousand places whether it is sorted.
    ///
    /// # Errors
    /// [`BlocklistFault`] says why the list can't be searched, and how to fix that.
    pub fn open(path: &Path) -> Result<Self, BlocklistFault> {
        let unreadable = |why| BlocklistFault::Unreadable { path: path.to_owned(), why };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length == 0 {
            return Err(BlocklistFault::Empty(path.to_owned()));
        }
        let list = SortedLines::open(file, length).map_err(unreadable)?;
        let opened = Self { path: path.to_owned(), list };
        opened.judge(opened.list.sample(SAMPLES))?;
        Ok(opened)
    }

    /// Reads the whole list and checks the order of every line. This takes as long as reading the file.
    ///
    /// # Errors
    /// As [`BlocklistFile::open`].
    pub fn check(&self) -> Result<(), BlocklistFault> {
        self.judge(self.list.check())
    }

    fn judge(&self, found: std::io::Result<Option<OutOfOrder>>) -> Result<(), BlocklistFault> {
        match found {
            Ok(None) => Ok(()),
            Ok(Some(OutOfOrder { at })) => Err(BlocklistFault::Unsorted { path: self.path.clone(), at }),
            Err(why) => Err(BlocklistFault::Unreadable { path: self.path.clone(), why }),
        }
    }
}

impl PasswordBlocklist {
    /// Uses the list in the program, and a file besides it.
    #[must_use]
    pub fn with_file(file: Option<Arc<BlocklistFile>>) -> Self {
        Self { file }
    }

    /// Reads the whole of the operator's list and checks the order of its lines.
    ///
    /// # Errors
    /// As [`BlocklistFile::open`].
    pub fn check(&self) -> Result<(), BlocklistFault> {
        self.file.as_ref().map_or(Ok(()), |file| file.check())
    }

    fn holds(&self, password: &Password) -> std::io::Result<bool> {
        let spellings = match part_of(password.expose()) {
            Some(part) if part.chars().count() < SHORTEST_PART => return Ok(true),
            part => {
                spellings(password.expose()).chain(part.iter().flat_map(|part| spellings(part))).collect()
            }
        };
        let shipped = SortedLines::of_bytes(SHIPPED)?;
        Ok(any_in(&shipped, &spellings)?
            || match &self.file {
                Some(file) => any_in(&file.list, &spellings)?,
                None => false,
            })
    }
}

impl Blocklist for PasswordBlocklist {
    fn contains(&self, password: Password) -> BoxFuture<'_, Result<bool, BlocklistUnreadable>> {
        Box::pin(async move {
            let lists = self.clone();
            let searched = tokio::task::spawn_blocking(move || lists.holds(&password)).await;
            let unreadable = |why: &dyn std::fmt::Display| BlocklistUnreadable(why.to_string());
            searched.map_err(|why| unreadable(&why))?.map_err(|why| unreadable(&why))
        })
    }
}

fn any_in<R: ReadAt>(list: &SortedLines<R>, spellings: &BTreeSet<String>) -> std::io::Result<bool> {
    for spelling in spellings {
        let found = match list.lines() {
            Lines::Passwords => list.contain(spelling.as_bytes())?,
            Lines::Hashes => list.contain(sha1_smol::Sha1::from(spelling).digest().to_string().as_bytes())?,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the password as typed, and in the forms that a list may hold. A list of hashes needs each form,
/// since a hash does not ignore upper and lower case.
fn spellings(text: &str) -> impl Iterator<Item = String> {
    let small = text.to_lowercase();
    let mut letters = small.chars();
    let capital = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    [text.to_owned(), text.to_uppercase(), capital, small].into_iter()
}

/// Returns the part that a text repeats, ignoring upper and lower case. The text must repeat it at least one
/// and a half times; the last repetition may be cut off.
fn part_of(text: &str) -> Option<String> {
    let letters: Vec<char> = text.to_lowercase().chars().collect();
    let repeats = |length: &usize| letters.iter().zip(letters.iter().skip(*length)).all(|(a, b)| a == b);
    let length = (1..=letters.len() * 2 / 3).find(repeats)?;
    Some(letters.into_iter().take(length).collect())
}

#[cfg(test)]
mod tests;
