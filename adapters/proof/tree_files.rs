//! The tree in files. File number `n` has the hashes of level `8 * n`, one after the other: the first has the hashes of all
//! leaves, and each further one is 256 times smaller. These are the tiles of C2SP tlog-tiles, joined.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::tree::{Hash, Nodes, node_hash};

/// Levels of the tree between two files.
const HEIGHT: u32 = 8;
/// Hashes below one hash of the next file.
const WIDTH: u64 = 1 << HEIGHT;
/// Files of a tree. Eight have room for more leaves than 64 bits can count.
const FILES: u32 = 8;
/// The length of a hash.
const LENGTH: u64 = 32;

fn path_of(folder: &Path, file: u32) -> PathBuf {
    folder.join(format!("level-{}", file * HEIGHT))
}

/// The number of hashes in a file of a tree of this size.
fn hashes_in(file: u32, size: u64) -> u64 {
    size.checked_shr(file * HEIGHT).unwrap_or(0)
}

/// Reads a tree that another task or process may be writing.
pub struct TreeReader {
    files: Vec<File>,
}

impl TreeReader {
    /// Opens the tree in a folder. A folder without files is a tree without leaves.
    ///
    /// # Errors
    /// The file system's error.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for file in 0..FILES {
            match File::open(path_of(folder, file)) {
                Ok(open) => files.push(open),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self { files })
    }

    /// The number of leaves that are written. The newest may not be durable, or not complete.
    ///
    /// # Errors
    /// The file system's error.
    pub fn size(&self) -> io::Result<u64> {
        self.files.first().map_or(Ok(0), |leaves| Ok(leaves.metadata()?.len() / LENGTH))
    }

    /// The hashes of `count` leaves from `index` on.
    ///
    /// # Errors
    /// The file system's error, or that the files end before.
    pub fn leaves(&self, index: u64, count: u64) -> io::Result<Vec<Hash>> {
        self.read(0, index, count)
    }

    fn read(&self, file: u32, index: u64, count: u64) -> io::Result<Vec<Hash>> {
        let ends = || io::Error::new(io::ErrorKind::UnexpectedEof, "the tree ends before");
        let open = usize::try_from(file).ok().and_then(|file| self.files.get(file)).ok_or_else(ends)?;
        let mut bytes = vec![0; usize::try_from(count * LENGTH).map_err(|_| ends())?];
        open.read_exact_at(&mut bytes, index * LENGTH)?;
        Ok(hashes(&bytes))
    }
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.iter().copied().map(Hash).collect()
}

/// The root of a complete tree over these hashes.
fn joined(mut hashes: Vec<Hash>) -> Option<Hash> {
    while hashes.len() > 1 {
        hashes = hashes.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(*left, *right)).collect();
    }
    hashes.pop()
}

impl Nodes for TreeReader {
    type Error = io::Error;

    fn node(&self, level: u32, index: u64) -> io::Result<Hash> {
        let count = 1 << (level % HEIGHT);
        let found = self.read(level / HEIGHT, index * count, count)?;
        joined(found).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

/// Adds leaves to the tree in a folder. There may be one at a time.
pub struct TreeWriter {
    folder: PathBuf,
    files: Vec<Level>,
    size: u64,
}

/// A file, and its hashes that have none above them yet.
struct Level {
    file: File,
    tail: Vec<Hash>,
    unwritten: Vec<u8>,
}

impl TreeWriter {
    /// Opens a tree with its first `size` leaves. Later ones are removed: they were written without a checkpoint.
    ///
    /// # Errors
    /// The file system's error, or that the files end before.
    pub fn open(folder: &Path, size: u64) -> io::Result<Self> {
        let mut writer = Self { folder: folder.to_owned(), files: Vec::new(), size };
        for number in 0..FILES {
            let count = hashes_in(number, size);
            if number > 0 && count == 0 {
                drop(std::fs::remove_file(path_of(folder, number)));
                continue;
            }
            let file = writer.file(number)?;
            if file.metadata()?.len() < count * LENGTH {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the tree ends before its checkpoint",
                ));
            }
            file.set_len(count * LENGTH)?;
            let mut bytes = vec![0; usize::try_from(count % WIDTH * LENGTH).unwrap_or_default()];
            file.read_exact_at(&mut bytes, (count - count % WIDTH) * LENGTH)?;
            writer.files.push(Level { file, tail: hashes(&bytes), unwritten: Vec::new() });
        }
        Ok(writer)
    }

    fn file(&self, number: u32) -> io::Result<File> {
        let path = path_of(&self.folder, number);
        OpenOptions::new().create(true).read(true).append(true).open(path)
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds leaves, and writes them. They are durable after [`TreeWriter::sync`].
    ///
    /// # Errors
    /// The file system's error. Open the tree again then.
    pub fn append(&mut self, leaves: &[Hash]) -> io::Result<()> {
        for leaf in leaves {
            self.push(0, *leaf)?;
            self.size += 1;
        }
        for level in &mut self.files {
            level.file.write_all(&level.unwritten)?;
            level.unwritten.clear();
        }
        Ok(())
    }

    fn push(&mut self, number: u32, hash: Hash) -> io::Result<()> {
        let (mut number, mut hash) = (number, hash);
        loop {
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            if index == self.files.len() {
                let file = self.file(number)?;
                self.files.push(Level { file, tail: Vec::new(), unwritten: Vec::new() });
            }
            let Some(level) = self.files.get_mut(index) else { return Ok(()) };
            level.unwritten.extend(hash.0);
            level.tail.push(hash);
            if u64::try_from(level.tail.len()).unwrap_or(u64::MAX) < WIDTH {
                return Ok(());
            }
            let Some(above) = joined(std::mem::take(&mut level.tail)) else { return Ok(()) };
            (number, hash) = (number + 1, above);
        }
    }

    /// Makes all leaves durable.
    ///
    /// # Errors
    /// The file system's error.
    pub fn sync(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|level| level.file.sync_data())?;
        File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::Leaves;
    use crate::tree::{inclusion, leaf_hash, root};
    use proptest::prelude::*;

    fn leaf(n: u64) -> Hash {
        leaf_hash(&n.to_be_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_tree_in_files_is_the_tree_in_memory_however_often_it_is_opened(
            steps in proptest::collection::vec((1..700_u64, any::<bool>()), 1..6),
            index: u64,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut size = 0;
            for (more, is_kept) in steps {
                let mut writer = TreeWriter::open(folder.path(), size).unwrap();
                let leaves: Vec<_> = (size..size + more).map(leaf).collect();
                writer.append(&leaves).unwrap();
                writer.sync().unwrap();
                // What no checkpoint covers is removed when the tree is opened again.
                size = if is_kept { writer.size() } else { size + more / 2 };
            }
            let reader = TreeReader::open(folder.path()).unwrap();
            let memory = Leaves((0..size).map(leaf).collect());
            if size > 0 {
                prop_assert_eq!(root(&reader, size).unwrap(), root(&memory, size).unwrap());
                let index = index % size;
                prop_assert_eq!(
                    inclusion(&reader, index, size).unwrap(),
                    inclusion(&memory, index, size).unwrap()
                );
            }
        }
    }

    #[test]
    fn more_leaves_than_one_hash_of_the_third_file_covers() {
        let folder = tempfile::tempdir().unwrap();
        let size = WIDTH * WIDTH + 300;
        let leaves: Vec<_> = (0..size).map(leaf).collect();
        let mut writer = TreeWriter::open(folder.path(), 0).unwrap();
        leaves.chunks(10_000).for_each(|some| writer.append(some).unwrap());
        let reader = TreeReader::open(folder.path()).unwrap();
        let mut growing = crate::tree::Growing::default();
        leaves.iter().for_each(|leaf| growing.push(*leaf));
        assert_eq!(root(&reader, size).unwrap(), growing.root());
        assert_eq!(reader.size().unwrap(), size);
        assert!(path_of(folder.path(), 2).exists());
        drop(TreeWriter::open(folder.path(), 300).unwrap());
        assert!(!path_of(folder.path(), 2).exists());
    }

    #[test]
    fn a_tree_that_ends_before_its_checkpoint_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        TreeWriter::open(folder.path(), 0).unwrap().append(&[leaf(1), leaf(2)]).unwrap();
        assert!(TreeWriter::open(folder.path(), 3).is_err());
        assert!(TreeWriter::open(folder.path(), 2).is_ok());
    }
}
