//! What all SQLite files of this crate share.

mod error;
mod files;
mod reader_pool;
pub(crate) mod wal;

use std::path::Path;

use loquet_files::{create_private, remove_if_there, suffixed};
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use error::FileError;
pub(crate) use error::{SqliteFailed, explain, explain_io};
use files::copy_of;
pub(crate) use files::{copy_to, lock_beside};
pub(crate) use reader_pool::{ReaderPool, work_on};
use wal::damage;

/// The largest size of a write-ahead log on disk, in bytes, once it was copied into its file and begins anew.
/// It may have grown larger because of a reader, or by one large transaction.
const RESTING: u64 = 64 * 1024 * 1024;

/// How much SQLite reads to find damage.
#[derive(Clone, Copy)]
enum Check {
    /// Every page, each on its own.
    Pages,
    /// Every page, and whether rows and indexes match.
    Indexes,
}

impl Check {
    /// Returns the check that runs before a file of this many bytes is used. Each check takes about 100 ms
    /// for the largest file that it is used for. `loquet doctor` checks larger files.
    fn at_start(bytes: u64) -> Option<Self> {
        match bytes {
            0..=4_194_304 => Some(Self::Indexes),
            4_194_305..=33_554_432 => Some(Self::Pages),
            _ => None,
        }
    }

    fn pragma(self) -> &'static str {
        match self {
            Self::Pages => "PRAGMA quick_check(1)",
            Self::Indexes => "PRAGMA integrity_check(1)",
        }
    }
}

/// How a file is recognised: by `application_id` and `user_version` in its header.
pub(crate) struct Kind {
    pub(crate) what: &'static str,
    pub(crate) application_id: i32,
    pub(crate) version: i64,
    /// The tables of the newest version. Each is created with `IF NOT EXISTS`.
    pub(crate) schema: &'static str,
    /// The migrations: from version 1 to 2, from 2 to 3, and so on.
    pub(crate) upgrades: &'static [&'static str],
    /// How to repair a damaged file.
    pub(crate) remedy: &'static str,
    /// Whether erasing a person's data means deleting something in this file.
    pub(crate) holds_keys: bool,
    /// `FULL` if acknowledged data must be on disk. `NORMAL` if the data can be derived again.
    pub(crate) synchronous: &'static str,
}

impl Kind {
    /// Opens the file. Makes it if it does not exist. Refuses a file that is of another kind, or damaged.
    ///
    /// A process calls this once for each file. If a process reads the file without SQLite, the system drops
    /// SQLite's locks on it in this process. Another program that closes the file would then delete the
    /// write-ahead log that is in use here.
    pub(crate) fn open(&self, path: &Path) -> Result<Connection, FileError> {
        if !path.exists() {
            // SQLite gives the files beside this file the same owner and permissions.
            create_private(path)
                .map(drop)
                .map_err(|e| FileError::Unusable { path: path.to_owned(), why: explain_io(&e) })?;
        }
        self.refuse_truncated(path)?;
        self.refuse_lost_commits(path)?;
        if self.holds_keys {
            self.delete_copies(path)?;
        }
        let connection = Connection::open(path).map_err(|e| self.unusable(path, &e))?;
        self.prepare(&connection, path)?;
        Ok(connection)
    }

    /// Opens another connection for writing, in a process that has opened the file.
    pub(crate) fn open_further(&self, path: &Path) -> Result<Connection, FileError> {
        let connection = self.open_as_it_is(path)?;
        let pragmas = format!("PRAGMA busy_timeout = 10000; {}", self.pragmas());
        connection.execute_batch(&pragmas).map_err(|e| self.unusable(path, &e))?;
        Ok(connection)
    }

    fn pragmas(&self) -> String {
        let synchronous = self.synchronous;
        format!(
            "PRAGMA synchronous = {synchronous}; PRAGMA secure_delete = ON; PRAGMA journal_size_limit = {RESTING};"
        )
    }

    /// Opens another connection for reading.
    pub(crate) fn open_reader(&self, path: &Path) -> Result<Connection, FileError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| self.unusable(path, &e))?;
        let pragmas = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA mmap_size = 1073741824;";
        connection.execute_batch(pragmas).map_err(|e| self.unusable(path, &e))?;
        if self.recognise(&connection, path)? < self.version {
            return Err(FileError::Older(path.to_owned()));
        }
        Ok(connection)
    }

    /// Opens a file that nobody writes, such as a backup, for reading. Makes no files beside it.
    pub(crate) fn open_to_look(&self, path: &Path) -> Result<Connection, FileError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let name = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let connection = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags);
        let connection = connection.map_err(|e| self.unusable(path, &e))?;
        self.recognise(&connection, path)?;
        Ok(connection)
    }

    /// Opens a file as a server will open it, with the files beside it. Changes nothing in it.
    pub(crate) fn open_as_it_is(&self, path: &Path) -> Result<Connection, FileError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| self.unusable(path, &e))?;
        self.recognise(&connection, path)?;
        Ok(connection)
    }

    fn prepare(&self, connection: &Connection, path: &Path) -> Result<(), FileError> {
        let unusable = |e: rusqlite::Error| self.unusable(path, &e);
        connection.execute_batch("PRAGMA busy_timeout = 10000;").map_err(unusable)?;
        let tables = "SELECT count(*) FROM sqlite_master";
        let empty: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(unusable)?;
        if empty == 0 {
            let pragmas = format!(
                "PRAGMA application_id = {}; PRAGMA user_version = {}; PRAGMA page_size = 4096;",
                self.application_id, self.version
            );
            connection.execute_batch(&pragmas).map_err(unusable)?;
        }
        let found = self.recognise(connection, path)?;
        if let Some(check) = Check::at_start(size_on_disk(path)) {
            self.refuse_unsound(connection, path, check)?;
        }
        // If SQLite keeps another journal mode, it says so in its answer, and does not report an error.
        let journal: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(unusable)?;
        if journal != "wal" {
            let why =
                format!("it can't have a write-ahead log (SQLite stays with '{journal}'): is the disk well?");
            return Err(FileError::Unusable { path: path.to_owned(), why });
        }
        connection.execute_batch(&self.pragmas()).map_err(unusable)?;
        self.upgrade(connection, path, found)?;
        connection.execute_batch(self.schema).map_err(unusable)
    }

    /// Upgrades an older file to this version: either completely or not at all. A copy is taken beside it
    /// first. No copy is taken of keys, since it would bring back erased data.
    fn upgrade(&self, connection: &Connection, path: &Path, found: i64) -> Result<(), FileError> {
        if found >= self.version {
            return Ok(());
        }
        let unusable = |e: rusqlite::Error| self.unusable(path, &e);
        if !self.holds_keys {
            let copy = copy_of(path, found);
            copy_to(connection, &copy)?;
        }
        let steps = self.upgrades.get(usize::try_from(found - 1).unwrap_or(usize::MAX)..).unwrap_or_default();
        let script =
            format!("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT;", steps.join(" "), self.version);
        if let Err(error) = connection.execute_batch(&script) {
            drop(connection.execute_batch("ROLLBACK"));
            return Err(unusable(error));
        }
        tracing::info!(file = %path.display(), from = found, to = self.version, "upgraded");
        Ok(())
    }

    /// Deletes leftover copies of keys, since they would bring back erased data. A kill may have left them,
    /// during a restore or during an upgrade by a version that still took them. Fails if a copy can't be
    /// deleted.
    fn delete_copies(&self, path: &Path) -> Result<(), FileError> {
        let copies = (1..self.version).map(|version| copy_of(path, version));
        for copy in copies.chain([path.to_owned()]) {
            for copy in [suffixed(&copy, ".new"), copy].into_iter().filter(|copy| copy != path) {
                remove_if_there(&copy).map_err(|e| FileError::CopyOfKeys { copy, why: explain_io(&e) })?;
            }
        }
        Ok(())
    }

    /// Returns the version that wrote the file. Fails if the file is of another kind, or newer than this
    /// version.
    fn recognise(&self, connection: &Connection, path: &Path) -> Result<i64, FileError> {
        let pragma = |name| {
            connection
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
                .map_err(|e| self.unusable(path, &e))
        };
        if pragma("application_id")? != i64::from(self.application_id) {
            return Err(FileError::Foreign { path: path.to_owned(), what: self.what });
        }
        let found = pragma("user_version")?;
        if found > self.version {
            return Err(FileError::Newer { path: path.to_owned(), found, known: self.version });
        }
        Ok(found)
    }

    /// Refuses a file whose end is missing. SQLite would notice this only when it needs the missing part. If
    /// there is a write-ahead log beside the file, the file may be shorter than its header says, because the
    /// rest is in that log.
    fn refuse_truncated(&self, path: &Path) -> Result<(), FileError> {
        let wal = suffixed(path, "-wal");
        let foreign = || FileError::Foreign { path: path.to_owned(), what: self.what };
        if path.is_dir() {
            return Err(foreign());
        }
        let Ok(bytes) = read_header(path) else { return Ok(()) };
        let (Some(header), length) = bytes else { return Ok(()) };
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(foreign());
        }
        let pending = std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0);
        if !pending && length < claimed_length(&header) {
            return Err(self.damaged(path, "its end is missing"));
        }
        Ok(())
    }

    /// Refuses a file whose write-ahead log was damaged. If a frame of it was overwritten, SQLite drops the
    /// rest without an error, and acknowledged commits with it. Files that can be derived again are not
    /// checked: they are not synced at every commit, so a crash may leave gaps in their logs.
    fn refuse_lost_commits(&self, path: &Path) -> Result<(), FileError> {
        match (self.synchronous, damage(path)) {
            ("FULL", Some(how)) => Err(self.damaged(path, how)),
            _ => Ok(()),
        }
    }

    /// Refuses a file in which SQLite finds damage.
    fn refuse_unsound(&self, connection: &Connection, path: &Path, check: Check) -> Result<(), FileError> {
        let check = connection.query_row(check.pragma(), [], |row| row.get::<_, String>(0));
        let said = check.map_err(|e| self.unreadable(path, &e))?;
        match said.as_str() {
            "ok" => Ok(()),
            _ => Err(self.damaged(path, &format!("SQLite says: {}", said.replace('\n', " ")))),
        }
    }

    /// Lets SQLite check the whole file, and checks its write-ahead log. This finds all damage that can be
    /// found without knowing what the data means.
    pub(crate) fn refuse_any_damage(&self, connection: &Connection, path: &Path) -> Result<(), FileError> {
        self.refuse_lost_commits(path)?;
        self.refuse_unsound(connection, path, Check::Indexes)
    }

    pub(crate) fn damaged(&self, path: &Path, how: &str) -> FileError {
        FileError::Damaged { path: path.to_owned(), how: how.to_owned(), remedy: self.remedy }
    }

    /// Makes the error for a file that can't be read.
    pub(crate) fn unreadable(&self, path: &Path, error: &rusqlite::Error) -> FileError {
        match error.sqlite_error_code() {
            Some(_) => self.unusable(path, error),
            None => self.damaged(path, &format!("a row is not as it was written: {error}")),
        }
    }

    pub(crate) fn unusable(&self, path: &Path, error: &rusqlite::Error) -> FileError {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => FileError::Foreign { path: path.to_owned(), what: self.what },
            Some(ErrorCode::DatabaseCorrupt) => self.damaged(path, "its pages contradict one another"),
            _ => FileError::Unusable { path: path.to_owned(), why: explain(error) },
        }
    }
}

/// Returns the size of a database in bytes, including its write-ahead log.
fn size_on_disk(path: &Path) -> u64 {
    [path.to_owned(), suffixed(path, "-wal")]
        .iter()
        .filter_map(|path| std::fs::metadata(path).ok())
        .map(|file| file.len())
        .sum()
}

/// Returns the first bytes of a file and its length in bytes. The bytes are `None` if the file is empty.
fn read_header(path: &Path) -> std::io::Result<(Option<Vec<u8>>, u64)> {
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 100), &mut header)?;
    Ok(((!header.is_empty()).then_some(header), length))
}

/// Returns the length of a database according to its header: page size times page count.
fn claimed_length(header: &[u8]) -> u64 {
    let number = |from: usize, to: usize| {
        header
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let page_size = match number(16, 18) {
        1 => 65_536,
        size => size,
    };
    page_size.saturating_mul(number(28, 32)).max(100)
}

#[cfg(test)]
mod tests {
    use loquet_projections::causes::Causes;

    use super::*;

    #[test]
    fn what_sqlite_said_is_printed_once_behind_what_helps() {
        let code = |code| rusqlite::ffi::Error::new(code);
        let failed = |error, said: Option<&str>| {
            let failed = SqliteFailed::from(rusqlite::Error::SqliteFailure(error, said.map(str::to_owned)));
            Causes(&failed).to_string()
        };
        assert_eq!(
            failed(code(rusqlite::ffi::SQLITE_FULL), Some("database or disk is full")),
            "the disk is full: make room: database or disk is full"
        );
        assert_eq!(failed(code(rusqlite::ffi::SQLITE_ERROR), Some("no such table: x")), "no such table: x");
        let bare = code(rusqlite::ffi::SQLITE_ERROR);
        assert_eq!(failed(bare, None), bare.to_string());
    }

    const FIRST: Kind = Kind {
        what: "a test's file",
        application_id: 0x4c71_74ff,
        version: 1,
        schema: "CREATE TABLE IF NOT EXISTS people (name TEXT) STRICT;",
        upgrades: &[],
        remedy: "none",
        holds_keys: false,
        synchronous: "FULL",
    };
    const THIRD: Kind = Kind {
        version: 3,
        schema: "CREATE TABLE IF NOT EXISTS people (name TEXT, town TEXT, age INTEGER) STRICT;",
        upgrades: &["ALTER TABLE people ADD town TEXT;", "ALTER TABLE people ADD age INTEGER;"],
        ..FIRST
    };

    fn columns(path: &Path) -> Vec<String> {
        let connection = Connection::open(path).unwrap();
        let mut select = connection.prepare("SELECT name FROM pragma_table_info('people')").unwrap();
        let names = select.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    }

    #[test]
    fn an_older_file_is_upgraded_after_a_copy_was_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.db");
        FIRST.open(&path).unwrap().execute("INSERT INTO people VALUES ('Marie')", []).unwrap();
        assert!(matches!(THIRD.open_reader(&path), Err(FileError::Older(_))));
        let upgraded = THIRD.open(&path).unwrap();
        let marie: String = upgraded.query_row("SELECT name FROM people", [], |row| row.get(0)).unwrap();
        assert_eq!(marie, "Marie");
        assert_eq!(columns(&path), ["name", "town", "age"]);
        assert_eq!(columns(&folder.path().join("people.db.v1")), ["name"]);
        assert!(matches!(FIRST.open(&path), Err(FileError::Newer { found: 3, known: 1, .. })));
    }

    #[test]
    fn an_upgrade_that_fails_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.db");
        drop(FIRST.open(&path).unwrap());
        let broken = Kind { upgrades: &["ALTER TABLE people ADD town TEXT;", "nonsense;"], ..THIRD };
        assert!(broken.open(&path).is_err());
        assert_eq!(columns(&path), ["name"]);
    }

    /// A copy of keys would bring back erased data.
    #[test]
    fn no_copy_of_keys_is_taken_and_one_that_a_kill_left_is_deleted_before_anything_else() {
        let keys = Kind { holds_keys: true, ..THIRD };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.db");
        drop(FIRST.open(&path).unwrap());
        let left = ["people.db.v1", "people.db.v1.new", "people.db.v2", "people.db.new"];
        for name in left {
            std::fs::write(folder.path().join(name), "keys").unwrap();
        }
        // This can't be deleted: not even root deletes a folder as if it were a file.
        std::fs::create_dir(folder.path().join("people.db.v2.new")).unwrap();
        assert!(matches!(keys.open(&path), Err(FileError::CopyOfKeys { .. })));
        assert_eq!(columns(&path), ["name"], "nothing goes on beside it");
        std::fs::remove_dir(folder.path().join("people.db.v2.new")).unwrap();
        drop(keys.open(&path).unwrap());
        assert_eq!(columns(&path), ["name", "town", "age"]);
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["people.db"]);
    }
}
