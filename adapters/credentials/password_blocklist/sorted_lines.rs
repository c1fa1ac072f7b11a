//! Lines that stand in order, searched where they lie: a list of billions is never loaded.

use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What is read at once.
const BLOCK: usize = 4096;
/// The same, as a length of what is searched.
const BLOCK_LENGTH: u64 = 4096;
/// What is read at once where all of it is.
const LARGE_BLOCK: usize = 1 << 20;
/// No password is longer; a file with longer lines is no list.
const LONGEST_LINE: usize = 1 << 16;

/// Something that can be read at any place.
pub(super) trait ReadAt {
    /// As many bytes from `offset` on as fit, at least one unless it ends there.
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

/// What of a line is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// All of it: a password.
    Passwords,
    /// Its first 40 characters: the SHA-1 of a password, as Have I Been Pwned gives them (`SHA-1:count`).
    Hashes,
}

/// Characters of a SHA-1 in hexadecimal.
const HASH: usize = 40;

impl Lines {
    /// What a list holds, as its first line says.
    fn of(first: &[u8]) -> Self {
        let (hash, rest) = first.split_at_checked(HASH).unwrap_or_default();
        let counted = rest.strip_prefix(b":").is_some_and(|count| count.iter().all(u8::is_ascii_digit));
        let is_hash = hash.len() == HASH && hash.iter().all(u8::is_ascii_hexdigit);
        if is_hash && (rest.is_empty() || counted) { Self::Hashes } else { Self::Passwords }
    }

    /// The order of `LC_ALL=C sort -f`: byte by byte, ASCII letters as capitals.
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

/// A line that stands before the one that it belongs behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfOrder {
    /// Where it begins.
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
    /// Looks at the first line.
    pub(super) fn open(source: R, length: u64) -> io::Result<Self> {
        let mut first = Vec::new();
        Cursor::new(&source, BLOCK).line(0, &mut first)?;
        Ok(Self { lines: Lines::of(&first), source, length })
    }

    /// What its lines are.
    pub(super) fn lines(&self) -> Lines {
        self.lines
    }

    /// Whether a line stands there that is the same but for case. Takes as many reads as the length has
    /// halves, about 35 for a list of 40 GB.
    pub(super) fn contain(&self, wanted: &[u8]) -> io::Result<bool> {
        let mut cursor = Cursor::new(&self.source, BLOCK);
        let mut line = Vec::new();
        // Where it is, if it is anywhere: its first byte is in [low, high), and at `low` a line begins.
        let (mut low, mut high) = (0, self.length);
        // Behind a line that ends at `high` or reaches over it there is nothing left.
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

    /// Looks for a line out of order at so many places, spread evenly; a list that was never sorted has one
    /// at nearly every second.
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

    /// Reads all of it and looks at every line.
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
    /// Lines in memory.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> io::Result<Self> {
        Self::open(bytes, wide(bytes.len()))
    }
}

/// Reads lines, keeping the block that it read last.
struct Cursor<'a, R> {
    source: &'a R,
    block: Vec<u8>,
    /// Where the block begins, and how much of it was read.
    at: u64,
    read: usize,
}

impl<'a, R: ReadAt> Cursor<'a, R> {
    fn new(source: &'a R, block: usize) -> Self {
        Self { source, block: vec![0; block], at: 0, read: 0 }
    }

    /// What stands from `offset` on, as far as it is at hand; nothing at the end.
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

    /// The line, or what is left of it, from `from` on, without its end; gives where the next one begins.
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
