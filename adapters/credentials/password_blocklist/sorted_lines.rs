//! Searches sorted lines directly in their file. A list of billions of lines is never loaded into memory.

use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The number of bytes that one read of a search takes.
const BLOCK: usize = 4096;
/// The same number, as a length in a file.
const BLOCK_LENGTH: u64 = 4096;
/// The number of bytes that one read takes when the whole list is read.
const LARGE_BLOCK: usize = 1 << 20;
/// No password is longer than this, in bytes. A file with longer lines is not a list.
const LONGEST_LINE: usize = 1 << 16;

/// A source that can be read from any offset.
pub(super) trait ReadAt {
    /// Reads bytes from `offset` on into the buffer. Returns how many were read; 0 means that the source ends
    /// there.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Ok(length)
    }
}

/// Which part of a line is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// The whole line, which is a password.
    Passwords,
    /// The first 40 characters of the line. They are the SHA-1 of a password, in the format of Have I Been
    /// Pwned (`SHA-1:count`).
    Hashes,
}

/// The number of characters of a SHA-1 in hexadecimal.
const HASH: usize = 40;

impl Lines {
    /// Tells from a list's first line what the list holds.
    fn of(first: &[u8]) -> Self {
        let (hash, rest) = first.split_at_checked(HASH).unwrap_or_default();
        let counted = rest.strip_prefix(b":").is_some_and(|count| count.iter().all(u8::is_ascii_digit));
        let is_hash = hash.len() == HASH && hash.iter().all(u8::is_ascii_hexdigit);
        if is_hash && (rest.is_empty() || counted) { Self::Hashes } else { Self::Passwords }
    }

    /// Compares as `LC_ALL=C sort -f` does: byte by byte, with ASCII letters as capitals.
    fn compare(self, line: &[u8], other: &[u8]) -> Ordering {
        let folded = |line: &[u8]| line.iter().map(u8::to_ascii_uppercase).collect::<Vec<_>>();
        match self {
            Self::Passwords => folded(line).cmp(&folded(other)),
            Self::Hashes => folded(head(line)).cmp(&folded(head(other))),
        }
    }
}

fn head(line: &[u8]) -> &[u8] {
    line.get(..HASH).unwrap_or(line)
}

/// A line that is out of order: it stands before a line that it belongs after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfOrder {
    /// The offset at which the line begins.
    pub(super) at: u64,
}

/// Sorted lines.
#[derive(Debug)]
pub(super) struct SortedLines<R> {
    source: R,
    length: u64,
    lines: Lines,
}

impl<R: ReadAt> SortedLines<R> {
    /// Opens the lines. Reads the first one to learn what the lines hold.
    pub(super) fn open(source: R, length: u64) -> io::Result<Self> {
        let mut first = Vec::new();
        Cursor::new(&source, BLOCK).line(0, &mut first)?;
        Ok(Self { lines: Lines::of(&first), source, length })
    }

    /// Returns what the lines hold.
    pub(super) fn lines(&self) -> Lines {
        self.lines
    }

    /// Returns whether the list holds this line, ignoring upper and lower case. The number of reads grows
    /// with the logarithm of the length: about 35 for a list of 40 GB.
    pub(super) fn contain(&self, wanted: &[u8]) -> io::Result<bool> {
        let mut cursor = Cursor::new(&self.source, BLOCK);
        let mut line = Vec::new();
        // If the line is in the list, its first byte is in [low, high). A line begins at `low`.
        let (mut low, mut high) = (0, self.length);
        // If a line ends at `high` or after it, nothing is left after that line.
        while high.saturating_sub(low) > BLOCK_LENGTH {
            let middle = low + (high - low) / 2;
            let start = cursor.line(middle - 1, &mut line)?;
            if start >= high {
                high = middle;
                continue;
            }
            let next = cursor.line(start, &mut line)?;
            match self.lines.compare(&line, wanted) {
                Ordering::Equal => return Ok(true),
                Ordering::Less => low = next,
                Ordering::Greater => high = start,
            }
        }
        while low < high {
            low = cursor.line(low, &mut line)?;
            if self.lines.compare(&line, wanted) == Ordering::Equal {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks the order at this many places, spread evenly. In a list that was never sorted, about every
    /// second place is out of order.
    pub(super) fn sample(&self, places: u64) -> io::Result<Option<OutOfOrder>> {
        let mut cursor = Cursor::new(&self.source, BLOCK);
        let (mut before, mut line) = (Vec::new(), Vec::new());
        cursor.line(0, &mut before)?;
        for place in 1..places {
            let near = u128::from(self.length) * u128::from(place) / u128::from(places);
            let near = u64::try_from(near).unwrap_or(self.length);
            let at = cursor.line(near, &mut line)?;
            if at >= self.length {
                break;
            }
            cursor.line(at, &mut line)?;
            if self.lines.compare(&before, &line) == Ordering::Greater {
                return Ok(Some(OutOfOrder { at }));
            }
            std::mem::swap(&mut before, &mut line);
        }
        Ok(None)
    }

    /// Reads the whole list and checks the order of every line.
    pub(super) fn check(&self) -> io::Result<Option<OutOfOrder>> {
        let mut cursor = Cursor::new(&self.source, LARGE_BLOCK);
        let (mut before, mut line) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < self.length {
            let next = cursor.line(at, &mut line)?;
            if self.lines.compare(&before, &line) == Ordering::Greater {
                return Ok(Some(OutOfOrder { at }));
            }
            std::mem::swap(&mut before, &mut line);
            at = next;
        }
        Ok(None)
    }
}

impl<'a> SortedLines<&'a [u8]> {
    /// Searches lines in memory.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> io::Result<Self> {
        Self::open(bytes, wide(bytes.len()))
    }
}

/// Reads lines. Keeps the block that was read last.
struct Cursor<'a, R> {
    source: &'a R,
    block: Vec<u8>,
    /// Where the block begins, and how many of its bytes were read.
    at: u64,
    read: usize,
}

impl<'a, R: ReadAt> Cursor<'a, R> {
    fn new(source: &'a R, block: usize) -> Self {
        Self { source, block: vec![0; block], at: 0, read: 0 }
    }

    /// Returns the bytes from `offset` to the end of the block. Returns no bytes at the end of the list.
    fn rest(&mut self, offset: u64) -> io::Result<&[u8]> {
        let held = offset.checked_sub(self.at).and_then(|into| usize::try_from(into).ok());
        let into = match held.filter(|into| *into < self.read) {
            Some(into) => into,
            None => {
                self.read = self.source.read_at(&mut self.block, offset)?;
                self.at = offset;
                0
            }
        };
        Ok(self.block.get(into..self.read).unwrap_or_default())
    }

    /// Reads the line, or the rest of it, from `from` on, without its line end. Returns where the next line
    /// begins.
    fn line(&mut self, from: u64, line: &mut Vec<u8>) -> io::Result<u64> {
        line.clear();
        let mut at = from;
        loop {
            let rest = self.rest(at)?;
            let end = rest.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
            let more = !rest.is_empty() && end.is_none();
            at = at.saturating_add(wide(end.map_or(rest.len(), |end| end + 1)));
            if line.len() > LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long for a password"));
            }
            if !more {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(at);
            }
        }
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
