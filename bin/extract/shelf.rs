//! The extracts that a server keeps, and their archives.

use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use loquet_files::remove_if_there;
use loquet_http_ports::exports::{ArchiveUnreadable, Export, Progress};
use uuid::Uuid;

/// The most extracts that wait or are being written.
const UNDER_WAY: usize = 3;
/// The most extracts that are kept. The oldest ended one makes room.
const KEPT: usize = 10;

/// The extracts, in memory, and a folder with their archives.
pub(super) struct Shelf {
    pub(super) folder: PathBuf,
    /// The newest last.
    kept: Mutex<Vec<Export>>,
}

fn is_under_way(export: &Export) -> bool {
    matches!(export.progress, Progress::UnderWay { .. })
}

impl Shelf {
    /// Begins with no extract: what an earlier process left in the folder is removed.
    ///
    /// # Errors
    /// It can't be removed.
    pub(super) fn begin(folder: PathBuf) -> std::io::Result<Self> {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(Self { folder, kept: Mutex::default() }),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Export>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of the archive of an extract.
    pub(super) fn archive(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.zip"))
    }

    /// Takes a place for an extract.
    ///
    /// # Errors
    /// Returns how many are under way, if there are too many.
    pub(super) fn admit(&self, export: Export) -> Result<(), usize> {
        let mut kept = self.kept();
        let under_way = kept.iter().filter(|export| is_under_way(export)).count();
        if under_way >= UNDER_WAY {
            return Err(under_way);
        }
        let oldest = kept.iter().position(|export| !is_under_way(export));
        if let Some(oldest) = oldest.filter(|_| kept.len() >= KEPT) {
            let removed = kept.remove(oldest);
            drop(remove_if_there(&self.archive(removed.notice.id)));
        }
        kept.push(export);
        Ok(())
    }

    /// Notes how far an extract is.
    pub(super) fn tell(&self, id: Uuid, progress: Progress) {
        if let Some(export) = self.kept().iter_mut().find(|export| export.notice.id == id) {
            export.progress = progress;
        }
    }

    /// Removes an extract and its archive.
    pub(super) fn forget(&self, id: Uuid) {
        self.kept().retain(|export| export.notice.id != id);
        drop(remove_if_there(&self.archive(id)));
    }

    /// All extracts, the newest first.
    pub(super) fn list(&self) -> Vec<Export> {
        self.kept().iter().rev().cloned().collect()
    }

    /// Opens the archive of a finished extract.
    pub(super) fn open(&self, id: Uuid) -> Result<Option<File>, ArchiveUnreadable> {
        let is_finished =
            |export: &Export| export.notice.id == id && matches!(export.progress, Progress::Finished { .. });
        if self.kept().iter().any(is_finished) { Ok(Some(File::open(self.archive(id))?)) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use loquet_domain::Moment;
    use loquet_domain::administration::ExportNotice;
    use loquet_domain::fact::Actor;

    use super::*;

    fn export(number: u128) -> Export {
        let notice = ExportNotice {
            id: Uuid::from_u128(number),
            at: Moment::UNIX_EPOCH,
            by: None,
            reason: None,
            personal: false,
            from: None,
            to: None,
            head: 1,
        };
        Export { notice, actor: Actor::Operator, states: false, progress: Progress::UnderWay { position: 0 } }
    }

    fn finish(shelf: &Shelf, number: u128) {
        let id = Uuid::from_u128(number);
        std::fs::write(shelf.archive(id), "archive").unwrap();
        shelf.tell(id, Progress::Finished { events: 1, bytes: 7, until: Moment::UNIX_EPOCH });
    }

    #[test]
    fn three_extracts_may_be_under_way_and_the_tenth_makes_the_oldest_ended_one_go() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::begin(folder.path().join("exports")).unwrap();
        std::fs::create_dir(&shelf.folder).unwrap();
        for number in 0..3 {
            assert_eq!(shelf.admit(export(number)), Ok(()));
        }
        assert_eq!(shelf.admit(export(3)), Err(3));
        assert!(shelf.open(Uuid::from_u128(1)).unwrap().is_none(), "it is not finished");
        for number in [1, 2] {
            finish(&shelf, number);
        }
        for number in 3..10 {
            assert_eq!(shelf.admit(export(number)), Ok(()), "{number}");
            finish(&shelf, number);
        }
        assert!(shelf.open(Uuid::from_u128(1)).unwrap().is_some());
        assert_eq!(shelf.admit(export(10)), Ok(()));
        let kept: Vec<_> = shelf.list().iter().map(|export| export.notice.id.as_u128()).collect();
        assert_eq!(kept, [10, 9, 8, 7, 6, 5, 4, 3, 2, 0], "what is under way stays");
        assert!(!shelf.archive(Uuid::from_u128(1)).exists());
        assert!(shelf.open(Uuid::from_u128(1)).unwrap().is_none());

        // The next process keeps none of them.
        let shelf = Shelf::begin(shelf.folder).unwrap();
        assert!(shelf.list().is_empty() && !shelf.folder.exists());
    }
}
