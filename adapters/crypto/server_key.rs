//! The server's key: 32 bytes from which every other key of the server is derived (HKDF-SHA-256,
//! RFC 5869). Its file holds one line; while a rotation is under way, the new key's and below it the old
//! one's.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use hmac::Mac;
use loquet_files::{create_private, give, remove_if_there, suffixed};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keyed_hash::mac;

/// The root secret. Losing it loses every sealed field and every link and session.
#[derive(Clone)]
pub struct ServerKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

/// Why there is no server key.
#[derive(Debug, thiserror::Error)]
pub enum ServerKeyError {
    /// There is no such file, and none may be made.
    #[error("there is no server key at {0}: make one with `loquet keys create`, or restore yours")]
    Missing(PathBuf),
    /// A line of the file is not 32 bytes in base64.
    #[error("{0} is no server key: each line must be 32 bytes in base64")]
    Malformed(PathBuf),
    /// There is one already.
    #[error("{0} exists: a new server key would make everything sealed under it unreadable")]
    Exists(PathBuf),
    /// The file system refused.
    #[error("can't use {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

impl ServerKey {
    /// Makes a key of random bytes; for tests and for [`ServerKey::create`].
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "keys are made here")]
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// Reads the newest key.
    ///
    /// # Errors
    /// As [`KeyFile::load`].
    pub fn load(path: &Path) -> Result<Self, ServerKeyError> {
        Ok(KeyFile::load(path)?.newest)
    }

    /// Makes a new key and writes it, readable by its owner alone.
    ///
    /// # Errors
    /// [`ServerKeyError::Exists`] rather than overwrite one.
    pub fn create(path: &Path) -> Result<Self, ServerKeyError> {
        let key = Self::random();
        let mut file = create_private(path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => ServerKeyError::Exists(path.to_owned()),
            _ => ServerKeyError::Io { path: path.to_owned(), source: e },
        })?;
        let written = file.write_all(key.line().as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|source| ServerKeyError::Io { path: path.to_owned(), source })?;
        Ok(key)
    }

    fn parse(line: &str) -> Option<Self> {
        let bytes = STANDARD.decode(line.trim()).map(Zeroizing::new).ok()?;
        <[u8; 32]>::try_from(bytes.as_slice()).ok().map(|key| Self(Zeroizing::new(key)))
    }

    fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n", STANDARD.encode(self.0.as_slice())))
    }

    /// The key for one use. `purpose` is part of the storage format: never change one.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        // HKDF-SHA-256 fails only above 255 * 32 bytes of output.
        let derived =
            Hkdf::<Sha256>::new(None, self.0.as_slice()).expand(purpose.as_bytes(), key.as_mut_slice());
        debug_assert!(derived.is_ok());
        key
    }
}

impl ServerKey {
    /// The key that wraps the accounts' keys.
    #[must_use]
    pub fn wrapping(&self) -> Zeroizing<[u8; 32]> {
        self.derive("loquet/wrap/1")
    }

    /// What a key store knows this key by: 32 bytes that give nothing of it away.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<u8> {
        mac(&self.derive("loquet/fingerprint/1"), b"keys").finalize().into_bytes().to_vec()
    }
}

/// What tells a server key without giving it away, as people compare it: sixteen hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The first eight bytes of a [`ServerKey::fingerprint`], as a person reads them.
    #[must_use]
    pub fn shown(fingerprint: &[u8]) -> Self {
        Self(base16ct::lower::encode_string(fingerprint.get(..8).unwrap_or(fingerprint)))
    }
}

impl From<&ServerKey> for Fingerprint {
    fn from(key: &ServerKey) -> Self {
        Self::shown(&key.fingerprint())
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the key's file holds.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// None for a key that is in no file.
    pub path: Option<PathBuf>,
    /// The key in use, or about to be.
    pub newest: ServerKey,
    /// Keys that something may still be wrapped with.
    pub older: Vec<ServerKey>,
}

impl KeyFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ServerKeyError`] names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ServerKeyError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(ServerKeyError::Missing(path.to_owned()));
            }
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                return Err(ServerKeyError::Malformed(path.to_owned()));
            }
            Err(source) => {
                return Err(ServerKeyError::Io { path: path.to_owned(), source });
            }
        };
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let keys: Option<Vec<ServerKey>> = lines.map(ServerKey::parse).collect();
        let mut keys = keys.unwrap_or_default().into_iter();
        let newest = keys.next().ok_or_else(|| ServerKeyError::Malformed(path.to_owned()))?;
        Ok(Self { path: Some(path.to_owned()), newest, older: keys.collect() })
    }

    /// Puts another key above those that the file holds.
    ///
    /// # Errors
    /// What the file system said; the file is then as it was.
    pub fn put_above(&self, newest: ServerKey) -> Result<Self, ServerKeyError> {
        let older = self.keys().cloned().collect();
        Self { path: self.path.clone(), newest, older }.written()
    }

    /// Drops all keys but the newest.
    ///
    /// # Errors
    /// As [`KeyFile::put_above`].
    pub fn without_older(&self) -> Result<Self, ServerKeyError> {
        Self { older: Vec::new(), ..self.clone() }.written()
    }

    /// Replaces the file at once: whoever reads it finds what it was or what it is. It stays where a link
    /// leads to, and whose it was: the server that reads it may run as another user than this process.
    fn written(self) -> Result<Self, ServerKeyError> {
        let Some(link) = &self.path else { return Ok(self) };
        let io = |source| ServerKeyError::Io { path: link.clone(), source };
        let path = fs::canonicalize(link).map_err(io)?;
        let unfinished = suffixed(&path, ".new");
        let write = || {
            let before = fs::metadata(&path)?;
            remove_if_there(&unfinished)?;
            let mut file = create_private(&unfinished)?;
            give(&file, &before)?;
            file.set_permissions(before.permissions())?;
            for key in self.keys() {
                file.write_all(key.line().as_bytes())?;
            }
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            fs::File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
        };
        let written = write();
        if written.is_err() {
            // It would hold the key for whoever looks.
            drop(fs::remove_file(&unfinished));
        }
        written.map_err(io)?;
        Ok(self)
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// As [`KeyFile::load`].
    pub fn reload(&self) -> Result<Self, ServerKeyError> {
        self.path.as_deref().map_or_else(|| Ok(self.clone()), Self::load)
    }

    /// Whether a rotation is under way, or was interrupted.
    #[must_use]
    pub fn is_being_rotated(&self) -> bool {
        !self.older.is_empty()
    }

    /// Every key, the newest first.
    pub fn keys(&self) -> impl Iterator<Item = &ServerKey> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

impl From<&ServerKey> for KeyFile {
    fn from(key: &ServerKey) -> Self {
        Self { path: None, newest: key.clone(), older: Vec::new() }
    }
}
