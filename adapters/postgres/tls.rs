//! TLS to PostgreSQL. The server's certificate and its name are always checked.

use std::fmt;
use std::sync::Arc;

use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use zeroize::Zeroizing;

use crate::error::NoTls;

/// The certificates and keys of TLS, as PEM text.
#[derive(Clone, Default)]
pub struct Tls {
    /// Certificate authorities to trust, in addition to those that browsers trust.
    pub authorities: Option<Vec<u8>>,
    /// This client's certificate and private key, for servers that ask for one.
    pub identity: Option<Identity>,
}

/// A client certificate.
#[derive(Clone)]
pub struct Identity {
    /// The certificate with its chain, as PEM text.
    pub certificate: Vec<u8>,
    /// The private key, as PEM text.
    pub key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

/// Makes a TLS client. It trusts the authorities that browsers trust, and the given ones.
pub(crate) fn connector(tls: &Tls) -> Result<MakeRustlsConnect, NoTls> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = &tls.authorities {
        for certificate in certificates(pem, "postgres.ca_file")? {
            roots.add(certificate)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(MakeRustlsConnect::new(match &tls.identity {
        None => config.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = certificates(certificate, "postgres.certificate_file")?;
            let key = PrivateKeyDer::from_pem_slice(key);
            let key = key.map_err(|error| NoTls::Pem("postgres.key_file", error))?;
            config.with_client_auth_cert(chain, key)?
        }
    }))
}

fn certificates(pem: &[u8], setting: &'static str) -> Result<Vec<CertificateDer<'static>>, NoTls> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| NoTls::Pem(setting, error))?;
    if found.is_empty() { Err(NoTls::Empty(setting)) } else { Ok(found) }
}
