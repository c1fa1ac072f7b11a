use std::cell::Cell;
use std::io::Write;

use proptest::prelude::*;

use super::*;

/// Counts the reads of a source.
struct Counted<R> {
    source: R,
    reads: Cell<u32>,
    bytes: Cell<usize>,
}

impl<R: ReadAt> ReadAt for Counted<R> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.source.read_at(buffer, offset)?;
        self.reads.set(self.reads.get() + 1);
        self.bytes.set(self.bytes.get() + read);
        Ok(read)
    }
}

#[test]
fn forty_megabytes_are_searched_with_a_few_reads_and_never_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    let mut list = io::BufWriter::new(File::create(&path).unwrap());
    for n in 0..2_000_000 {
        writeln!(list, "password-{:07}-{}", n * 2, "x".repeat(n % 7)).unwrap();
    }
    list.into_inner().unwrap().sync_all().unwrap();
    let file = File::open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    assert!(length > 40_000_000, "{length}");
    let list = SortedLines::open(Counted { source: file, reads: Cell::new(0), bytes: Cell::new(0) }, length)
        .unwrap();
    // Each halving takes two reads at most, because a line may lie across two blocks. The last block takes a
    // few more.
    let most = 2 * length.ilog2() + 4;
    for n in (0..2_000_000).step_by(9973).chain([0, 1_999_999]) {
        for (line, is_there) in [
            (format!("PASSWORD-{:07}-{}", n * 2, "X".repeat(n % 7)), true),
            (format!("password-{:07}-", n * 2 + 1), false),
        ] {
            list.source.reads.set(0);
            list.source.bytes.set(0);
            assert_eq!(list.contain(line.as_bytes()).unwrap(), is_there, "{line}");
            assert!(
                list.source.reads.get() <= most,
                "{} reads for {line}, {most} at most",
                list.source.reads.get()
            );
            assert!(list.source.bytes.get() <= usize::try_from(most).unwrap() * BLOCK);
        }
    }
}

/// Short lines, and some that are longer than a block.
fn lines() -> impl Strategy<Value = String> {
    let short = "[a-cA-C_~ é]{0,6}";
    let long = ("[a-c]", 1000_usize..6000).prop_map(|(letter, length)| letter.repeat(length));
    prop_oneof![20 => short.boxed(), 1 => long.boxed()]
}

/// A simple version of the order that ignores case, to compare with.
fn key(line: &str) -> String {
    line.to_ascii_uppercase()
}

proptest! {
    #[test]
    fn searching_agrees_with_looking_at_every_line(
        mut lines in proptest::collection::vec(lines(), 1..200),
        wanted in "[a-cA-C_~ é]{0,6}",
    ) {
        lines.sort_by_key(|line| key(line));
        let text = lines.join("\n");
        let bytes = text.as_bytes();
        let list = SortedLines::of_bytes(bytes).unwrap();
        // An empty line at the very end does not count as a line.
        let there = |wanted: &str| text.lines().any(|line| key(line) == key(wanted));
        prop_assert_eq!(list.contain(wanted.as_bytes()).unwrap(), there(&wanted));
        for line in text.lines() {
            prop_assert!(list.contain(line.as_bytes()).unwrap());
        }
        prop_assert_eq!(list.check().unwrap(), None);
        prop_assert_eq!(list.sample(50).unwrap(), None);
    }

    #[test]
    fn whatever_stands_in_a_file_it_is_searched_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..20_000), wanted in any::<Vec<u8>>()) {
        let bytes = bytes.as_slice();
        let list = SortedLines::of_bytes(bytes).unwrap();
        let _ = list.contain(&wanted).unwrap();
        let _ = (list.check().unwrap(), list.sample(100).unwrap());
    }
}
