//! The settings of the connection, and the prefix of the streams.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eventstore::{ClientSettings, Credentials};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::trouble::OpenError;

/// What the names of streams begin with, if nothing else is set.
pub const STREAM_PREFIX: &str = "loquet-";
/// How long an append may take, if nothing else is set.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Settings of the client that the connection string may override. The client waits for the interval before each connection,
/// even the first one, and half a second by default.
const DEFAULTS: [(&str, &str); 2] = [("discoveryInterval", "100"), ("maxDiscoverAttempts", "10")];

/// The connection to EventStoreDB or KurrentDB.
#[derive(Clone)]
pub struct Connection {
    /// The connection string, such as `kurrentdb://db-1:2113,db-2:2113,db-3:2113` or
    /// `kurrentdb+discover://db.example.com`. The schemes `esdb` and `esdb+discover` work too. TLS is on unless it has
    /// `tls=false`.
    pub url: String,
    /// The user name. `None` if the connection string has it, or if there is no user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Zeroizing<String>>,
    /// The PEM file with the certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The PEM file with the user's certificate and its chain, for servers that ask for one.
    pub certificate_file: Option<PathBuf>,
    /// The PEM file with the private key of that certificate.
    pub key_file: Option<PathBuf>,
    /// The prefix of the names of this program's streams. It ends with a hyphen. No other program of the cluster may use it.
    pub stream_prefix: String,
    /// How long an append or the read of a stream may take.
    pub deadline: Duration,
}

impl Connection {
    /// A connection with the default prefix and deadline.
    #[must_use]
    pub fn to(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            user: None,
            password: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            stream_prefix: STREAM_PREFIX.to_owned(),
            deadline: DEADLINE,
        }
    }

    /// Checks what can be checked without a server: the connection string, the prefix and the files.
    ///
    /// # Errors
    /// [`OpenError::Settings`] says what is wrong.
    pub fn check(&self) -> Result<(), OpenError> {
        self.client_settings().map(drop)
    }

    /// The client's settings, and the credentials for each request. The client itself would not decode the credentials in a
    /// connection string.
    pub(crate) fn client_settings(&self) -> Result<(ClientSettings, Option<Credentials>), OpenError> {
        check_prefix(&self.stream_prefix)?;
        let (url, in_url) = without_user(&self.url)?;
        let credentials = match (&self.user, &self.password) {
            (Some(user), Some(password)) => Some((user.clone(), password.clone())),
            (Some(_), None) => {
                return Err(wrong("there is a user, but no password: set kurrentdb.password_file"));
            }
            (None, Some(_)) => return Err(wrong("there is a password, but no user: set kurrentdb.user")),
            (None, None) => in_url,
        };
        let credentials =
            credentials.map(|(user, password)| Credentials::new(user, password.as_str().to_owned()));
        let (certificate, key) = (self.certificate_file.as_deref(), self.key_file.as_deref());
        if certificate.is_some() != key.is_some() {
            return Err(wrong(
                "a user certificate needs both files: set kurrentdb.certificate_file and kurrentdb.key_file, or neither",
            ));
        }
        self.ca_file.as_deref().into_iter().chain(certificate).try_for_each(check_certificates)?;
        key.map_or(Ok(()), check_key)?;
        let files =
            [("tlsCAFile", self.ca_file.as_deref()), ("userCertFile", certificate), ("userKeyFile", key)];
        let files: Vec<_> = files.into_iter().filter_map(|(name, file)| Some((name, file?))).collect();
        let mut url = url;
        for (name, file) in &files {
            add(&mut url, name, &percent_encoded(&file.to_string_lossy()));
        }
        for (name, value) in DEFAULTS {
            if !url.to_lowercase().contains(&format!("{}=", name.to_lowercase())) {
                add(&mut url, name, value);
            }
        }
        let settings: ClientSettings =
            url.parse().map_err(|error: eventstore::ClientSettingsParseError| {
                let reason = error.error().map_or_else(|| error.message().to_owned(), ToString::to_string);
                wrong(&format!("the connection string can't be read: {reason}"))
            })?;
        if !files.is_empty() && !settings.is_secure_mode_enabled() {
            return Err(wrong(
                "there are files of certificates, but the connection string has tls=false: take it out, or the files",
            ));
        }
        Ok((settings, credentials))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connection string may have a password.
        f.debug_struct("Connection").field("stream_prefix", &self.stream_prefix).finish_non_exhaustive()
    }
}

fn wrong(what: &str) -> OpenError {
    OpenError::Settings(what.to_owned())
}

/// Checks the prefix. Its last hyphen separates the streams from the stream of decoys, `loquet$decoy` with `loquet-`.
fn check_prefix(prefix: &str) -> Result<(), OpenError> {
    let name = prefix.strip_suffix('-').unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || prefix.len() > 100 || !name.chars().all(allowed) {
        return Err(wrong(
            "the prefix of streams must have 2 to 100 letters, digits, '.', '_' or '-', and end with '-', such as loquet-",
        ));
    }
    Ok(())
}

type User = (String, Zeroizing<String>);

/// Takes user name and password out of a connection string.
fn without_user(url: &str) -> Result<(String, Option<User>), OpenError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(wrong("the connection string must begin with a scheme, such as kurrentdb://"));
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let Some((user, hosts)) = authority.rsplit_once('@') else {
        return Ok((url.to_owned(), None));
    };
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text| {
        percent_decoded(text)
            .ok_or_else(|| wrong("the user or password in the connection string is wrongly encoded: write % as %25 and @ as %40"))
    };
    let user = (decoded(name)?, Zeroizing::new(decoded(password)?));
    Ok((format!("{scheme}://{hosts}{tail}"), Some(user)))
}

fn add(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str(name);
    url.push('=');
    url.push_str(value);
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            other => encoded.extend(["%".to_owned(), format!("{other:02X}")]),
        }
    }
    encoded
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let (high, low) = (char::from(bytes.next()?), char::from(bytes.next()?));
                let value = high.to_digit(16)? * 16 + low.to_digit(16)?;
                decoded.push(u8::try_from(value).ok()?);
            }
            other => decoded.push(other),
        }
    }
    String::from_utf8(decoded).ok()
}

/// Refuses a file that has no certificate, or a block that is none. The client would panic at such a block.
fn check_certificates(file: &Path) -> Result<(), OpenError> {
    let unreadable = |error: &dyn fmt::Display| {
        wrong(&format!("the certificates in {} can't be read: {error}", file.display()))
    };
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
    let certificates = read.collect::<Result<Vec<_>, _>>().map_err(|error| unreadable(&error))?;
    match certificates.is_empty() {
        true => Err(unreadable(&"the file has none")),
        false => Ok(()),
    }
}

fn check_key(file: &Path) -> Result<(), OpenError> {
    let read = PrivateKeyDer::from_pem_file(file).map(drop);
    read.map_err(|error| wrong(&format!("the private key in {} can't be read: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_taken_out_of_a_connection_string_and_decoded() {
        let (url, user) = without_user("esdb://ad%20min:p%40ss@a:1,b:2?tls=false").unwrap();
        assert_eq!(url, "esdb://a:1,b:2?tls=false");
        let (name, password) = user.unwrap();
        assert_eq!((name.as_str(), password.as_str()), ("ad min", "p@ss"));
    }

    #[test]
    fn each_kind_of_connection_string_names_its_hosts() {
        for (url, hosts, discovers, secure) in [
            ("esdb://a:1?tls=false", 1, false, false),
            ("kurrentdb://u:p@a:1,b:2,c:3", 3, false, true),
            ("esdb+discover://cluster.example:2113", 1, true, true),
            ("kurrentdb+discover://cluster.example?tls=false&nodePreference=leader", 1, true, false),
        ] {
            let (settings, _) = Connection::to(url).client_settings().unwrap();
            assert_eq!(settings.hosts().len(), hosts, "{url}");
            assert_eq!(settings.is_dns_discovery_enabled(), discovers, "{url}");
            assert_eq!(settings.is_secure_mode_enabled(), secure, "{url}");
        }
    }

    #[test]
    fn settings_that_can_not_work_are_refused_in_words_without_the_password() {
        let refused = |change: fn(&mut Connection)| {
            let mut connection = Connection::to("esdb://u:secret@a:1?tls=false");
            change(&mut connection);
            let error = connection.check().unwrap_err().to_string();
            assert!(!error.contains("secret") && !format!("{connection:?}").contains("secret"), "{error}");
            error
        };
        assert!(refused(|c| c.url = "localhost".to_owned()).contains("scheme"));
        assert!(refused(|c| c.url = "http://u:secret@a:1".to_owned()).contains("http"));
        assert!(refused(|c| c.url = "esdb://u:secret@a:x".to_owned()).contains("port"));
        assert!(refused(|c| c.stream_prefix = String::new()).contains("prefix"));
        assert!(refused(|c| c.stream_prefix = "$loquet-".to_owned()).contains("prefix"));
        assert!(refused(|c| c.stream_prefix = "loquet".to_owned()).contains("prefix"));
        assert!(refused(|c| c.user = Some("u".to_owned())).contains("no password"));
        assert!(refused(|c| c.key_file = Some("key.pem".into())).contains("both files"));
        assert!(refused(|c| c.ca_file = Some("/nowhere/ca.pem".into())).contains("/nowhere/ca.pem"));
    }
}
