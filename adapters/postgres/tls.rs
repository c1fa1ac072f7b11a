//! TLS to PostgreSQL.

use std::sync::Arc;

use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use crate::connection::{Identity, Tls};

/// A file of TLS can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NoTls {
    /// A file is not PEM.
    #[error("{0} is not PEM")]
    Pem(&'static str, #[source] pem::Error),
    /// A file has no certificate.
    #[error("{0} has no certificate in it")]
    Empty(&'static str),
    /// A certificate or key can't be used, or no version of TLS fits.
    #[error("the certificates can't be used")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// Makes a TLS client that trusts the authorities that browsers trust, and those of a PEM file. It checks the server's
/// certificate and name.
pub(crate) fn connector(tls: &Tls) -> Result<MakeRustlsConnect, NoTls> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = &tls.authorities {
        for certificate in certificates(pem, "the file of certificate authorities")? {
            roots.add(certificate)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(MakeRustlsConnect::new(match &tls.identity {
        None => config.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = certificates(certificate, "the file of the client certificate")?;
            let key = PrivateKeyDer::from_pem_slice(key);
            let key = key.map_err(|error| NoTls::Pem("the file of the client's private key", error))?;
            config.with_client_auth_cert(chain, key)?
        }
    }))
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, NoTls> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| NoTls::Pem(what, error))?;
    if found.is_empty() { Err(NoTls::Empty(what)) } else { Ok(found) }
}
