//! TLS to the mail server.

use std::sync::Arc;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// The certificate authority of the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTls {
    /// The file is not PEM.
    #[error("certificate authority")]
    Pem(#[from] pem::Error),
    /// The file has no certificate.
    #[error("certificate authority: there is no certificate in it")]
    Empty,
    /// A certificate is not an authority, or no version of TLS fits.
    #[error("certificate authority")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// Makes a TLS client that trusts the authorities that browsers trust, and those of a PEM file.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn config(extra_ca: Option<&[u8]>) -> Result<Arc<ClientConfig>, NoTls> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_ca {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(NoTls::Empty);
        }
        for certificate in certificates {
            roots.add(certificate)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
