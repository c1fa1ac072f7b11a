//! The server key: 32 bytes from which all other keys of the server are derived (HKDF-SHA-256, RFC 5869). Its
//! file holds one line. During a rotation, it holds two: the new key, and below it the old key.

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

/// The root secret. Without it, no sealed field can be read, and no link and no session is valid.
#[derive(Clone)]
pub struct ServerKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

/// Why the server key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerKeyError {
    /// The file does not exist, and may not be made.
    #[error(
        "there is no server key at {0}: put yours back there. For data that never had one, make one with `loquet keys create`"
    )]
    Missing(PathBuf),
    /// A line of the file is not 32 bytes in base64.
    #[error("{0} is no server key: each line must be 32 bytes in base64")]
    Malformed(PathBuf),
    /// There is a key already.
    #[error("{0} exists: a new server key would make everything sealed under it unreadable")]
    Exists(PathBuf),
    /// The file system refused.
    #[error("can't use {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The file system's error.
        source: std::io::Error,
    },
}

impl ServerKey {
    /// Makes a key of random bytes. For tests and for [`ServerKey::create`].
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

    /// Makes a new key and writes it to a file that only its owner can read.
    ///
    /// # Errors
    /// [`ServerKeyError::Exists`] if there is a file already. It is not overwritten.
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

    /// Derives the key for one purpose. `purpose` is part of the storage format: never change it.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        // HKDF-SHA-256 fails only if more than 255 * 32 bytes are asked for.
        let derived =
            Hkdf::<Sha256>::new(None, self.0.as_slice()).expand(purpose.as_bytes(), key.as_mut_slice());
        debug_assert!(derived.is_ok());
        key
    }
}

impl ServerKey {
    /// Returns the key that wraps the account keys.
    #[must_use]
    pub fn wrapping(&self) -> Zeroizing<[u8; 32]> {
        self.derive("loquet/wrap/1")
    }

    /// Returns the 32 bytes by which a key store recognises this key. They reveal nothing about the key.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<u8> {
        mac(&self.derive("loquet/fingerprint/1"), b"keys").finalize().into_bytes().to_vec()
    }
}

/// Identifies a server key without revealing it: sixteen hexadecimal digits that people can compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Shows the first eight bytes of a [`ServerKey::fingerprint`].
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

/// The content of the key file.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// The path. `None` for a key that is in no file.
    pub path: Option<PathBuf>,
    /// The key in use, or the one that is about to be used.
    pub newest: ServerKey,
    /// Earlier keys. Some account keys may still be wrapped with them.
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

    /// Writes another key above those that the file holds.
    ///
    /// # Errors
    /// The file system's error. The file is then unchanged.
    pub fn put_above(&self, newest: ServerKey) -> Result<Self, ServerKeyError> {
        let older = self.keys().cloned().collect();
        Self { path: self.path.clone(), newest, older }.written()
    }

    /// Removes all keys but the newest.
    ///
    /// # Errors
    /// As [`KeyFile::put_above`].
    pub fn without_older(&self) -> Result<Self, ServerKeyError> {
        Self { older: Vec::new(), ..self.clone() }.written()
    }

    /// Replaces the file in one step. A reader finds either the old content or the new content. If the path
    /// is a link, the file that the link points to is replaced. The owner stays the same, because the server
    /// may run as another user than this process.
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
            // The temporary file would hold the key, so it is deleted.
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

    /// Returns whether a rotation is running, or was interrupted.
    #[must_use]
    pub fn is_being_rotated(&self) -> bool {
        !self.older.is_empty()
    }

    /// Returns all keys, the newest first.
    pub fn keys(&self) -> impl Iterator<Item = &ServerKey> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

impl From<&ServerKey> for KeyFile {
    fn from(key: &ServerKey) -> Self {
        Self { path: None, newest: key.clone(), older: Vec::new() }
    }
}
