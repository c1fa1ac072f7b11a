use std::collections::BTreeSet;

use super::*;

const VIEW: ViewId = ViewId { name: "things", version: 1 };
const ROWS: u64 = 4_000;

fn mark(n: u64) -> String {
    format!("mark-{n:05}.")
}

/// An index entry that has the mark in another form.
fn entry(n: u64) -> IndexEntry {
    ("by", mark(n).chars().rev().collect())
}

fn is_gone(n: u64) -> bool {
    n.is_multiple_of(3)
}

/// So many rows, in no order and of so many lengths, that pages are split. Their unused parts have copies of rows.
fn fill(rows: &mut dyn Rows) -> Result<(), CannotApply> {
    for n in (0..ROWS).map(|n| n * 2_654_435_761 % ROWS) {
        let filling = "x".repeat(usize::try_from(n * 7_919 % 400).unwrap());
        let key = format!("{n:05}");
        rows.put(&key, format!("{filling}{}", mark(n)).as_bytes())?;
        rows.enter(&entry(n), &key)?;
    }
    Ok(())
}

fn erase(rows: &mut dyn Rows) -> Result<(), CannotApply> {
    for n in (0..ROWS).filter(|n| is_gone(*n)) {
        let key = format!("{n:05}");
        rows.delete(&key)?;
        rows.leave(&entry(n), &key)?;
    }
    Ok(rows.note_erasure()?)
}

/// The marks of erased rows, as rows or as index entries, that are in the files of a folder.
fn left(folder: &Path) -> Vec<u64> {
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(&mark(1)), "the other rows are there");
    let of_rows = text.split("mark-").skip(1).filter_map(|rest| rest.get(..5)?.parse().ok());
    let of_entries = text.split("-kram").filter_map(|before| {
        let digits: String = before.chars().rev().take(5).collect();
        digits.parse().ok()
    });
    let found: BTreeSet<u64> = of_rows.chain(of_entries).filter(|n| is_gone(*n)).collect();
    found.into_iter().collect()
}

/// Law 6.
#[tokio::test]
async fn after_an_erasure_the_files_have_nothing_of_the_rows_although_a_stop_came_between() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views.db");
    let store = SqliteReadStore::open(&path).unwrap();
    let build = store.begin(VIEW).await.unwrap();
    store.update(build, Position(0), Position(1), Box::new(fill)).await.unwrap();
    store.scrub().await.unwrap();
    store.update(build, Position(1), Position(2), Box::new(erase)).await.unwrap();
    assert!(!left(folder.path()).is_empty(), "the write-ahead log has the old pages");
    drop(store);
    assert!(!left(folder.path()).is_empty(), "pages that were split have copies");
    let store = SqliteReadStore::open(&path).unwrap();
    store.scrub().await.unwrap();
    assert_eq!(left(folder.path()), Vec::<u64>::new());
    let rows = store.select(VIEW, Selection { limit: 10_000, ..Selection::default() }).await.unwrap();
    assert_eq!(rows.len(), 2_666);
}
