//! The server's key: 32 bytes from which every other key of the server is derived (HKDF-SHA-256,
//! RFC 5869).

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

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
    #[error("there is no server key at {0}: make one with `loquet key create`, or restore yours")]
    Missing(PathBuf),
    /// The file is not 32 bytes in base64.
    #[error("{0} is no server key: it must be one line, 32 bytes in base64")]
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
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// Reads the key.
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
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        key.map(|key| Self(Zeroizing::new(key))).ok_or_else(|| ServerKeyError::Malformed(path.to_owned()))
    }

    /// Makes a new key and writes it, readable by its owner alone.
    ///
    /// # Errors
    /// [`ServerKeyError::Exists`] rather than overwrite one.
    pub fn create(path: &Path) -> Result<Self, ServerKeyError> {
        let key = Self::random();
        let io = |source| ServerKeyError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => ServerKeyError::Exists(path.to_owned()),
            _ => io(e),
        })?;
        let text = Zeroizing::new(format!("{}\n", STANDARD.encode(key.0.as_slice())));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(key)
    }

    /// The key for one use. `purpose` is part of the storage format: never change one.
    #[must_use]
    pub(crate) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        // HKDF-SHA-256 fails only above 255 * 32 bytes of output.
        let derived =
            Hkdf::<Sha256>::new(None, self.0.as_slice()).expand(purpose.as_bytes(), key.as_mut_slice());
        debug_assert!(derived.is_ok());
        key
    }
}
