//! TLS to the mail server.

use std::sync::Arc;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// Makes a TLS client that trusts the authorities that browsers trust, and those of a PEM file.
///
/// # Errors
/// What is wrong with the PEM file.
pub(super) fn config(extra_ca: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_ca {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|e| format!("certificate authority: {e}"))?;
        if certificates.is_empty() {
            return Err("certificate authority: there is no certificate in it".to_owned());
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|e| format!("certificate authority: {e}"))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
