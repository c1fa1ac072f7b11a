//! Certificates for a broker and its clients, made by openssl.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// Certificates of two authorities, in a folder.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes an authority, another one, and certificates of both.
    #[track_caller]
    pub(crate) fn make() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        this.authority("ca");
        this.authority("other-ca");
        this.issue("server", "ca", "IP:127.0.0.1,DNS:localhost", 30);
        this.issue("elsewhere", "ca", "DNS:kafka.example", 30);
        this.issue("client", "ca", "DNS:loquet", 30);
        this.issue("foreign", "other-ca", "DNS:loquet", 30);
        for name in ["server", "elsewhere"] {
            let both = format!("{}{}", this.text(&format!("{name}.key")), this.text(&format!("{name}.pem")));
            std::fs::write(this.file(&format!("{name}-store.pem")), both).unwrap();
        }
        let locked = this.file("locked.key");
        this.openssl(&[
            "pkcs8",
            "-topk8",
            "-passout",
            "pass:right",
            "-in",
            "client.key",
            "-out",
            "locked.key",
        ]);
        assert!(locked.exists());
        this
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    #[track_caller]
    fn openssl(&self, arguments: &[&str]) {
        let ran = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    #[track_caller]
    fn authority(&self, name: &str) {
        let (key, pem, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
        self.openssl(&[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", &key, "-out", &pem,
            "-subj", &subject,
        ]);
    }

    #[track_caller]
    fn issue(&self, name: &str, authority: &str, names: &str, days: u32) {
        let (key, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        self.openssl(&[
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &request, "-subj", &subject,
        ]);
        let extensions = format!("{name}.ext");
        std::fs::write(self.file(&extensions), format!("subjectAltName={names}\n")).unwrap();
        let (ca, ca_key, days) = (format!("{authority}.pem"), format!("{authority}.key"), days.to_string());
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            &days,
            "-extfile",
            &extensions,
            "-out",
            &pem,
        ]);
    }
}
