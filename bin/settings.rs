//! What the server is run with, checked before anything is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::TimeDelta;
use loquet_adapters::argon2_pool::Cost;
use loquet_adapters::smtp::{Security, SmtpSettings};
use loquet_domain::lockout::LockoutPolicy;
use loquet_domain::password_policy::{Composition, PasswordPolicy};
use loquet_domain::policies::Policies;

use crate::cli::{PasswordComposition, Place, Rules, Serve, SmtpArgs, SmtpSecurity};

/// The longest password that is taken.
const MOST_CHARACTERS: usize = 1024;

impl Place {
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.server_key_file.clone().unwrap_or_else(|| self.file("server.key"))
    }

    /// Makes the data folder, readable by its owner alone.
    pub(crate) fn make_folder(&self) -> anyhow::Result<()> {
        let folder = &self.data_dir;
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        #[cfg(unix)]
        if std::fs::metadata(folder)
            .is_ok_and(|held| std::os::unix::fs::PermissionsExt::mode(&held.permissions()) & 0o077 != 0)
        {
            tracing::warn!(folder = %folder.display(), "others on this machine may look into the data folder: chmod 700");
        }
        builder.create(folder).with_context(|| {
            format!("can't make the data folder {}: choose another with --data-dir", folder.display())
        })
    }
}

impl Rules {
    pub(crate) fn policies(&self) -> anyhow::Result<Policies> {
        let duration = TimeDelta::seconds(self.lockout_seconds.into());
        let lockout = LockoutPolicy::new(self.lockout_attempts, duration)?;
        let composition = match self.password_composition {
            PasswordComposition::Required => Composition::Required,
            PasswordComposition::Free => Composition::Free,
        };
        let password = PasswordPolicy::new(self.password_min.into(), MOST_CHARACTERS, composition)?;
        Ok(Policies { lockout, password, ..Policies::default() })
    }

    pub(crate) fn cost(&self) -> Cost {
        Cost { memory_kib: self.argon2_memory_kib, passes: self.argon2_passes, lanes: 1 }
    }
}

impl Serve {
    /// Where links lead: scheme and host, without a trailing slash.
    pub(crate) fn link_base(&self) -> anyhow::Result<String> {
        let url = match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None if self.dev => format!("http://{}", self.listen),
            None => {
                bail!("links in mails need an address: set LOQUET_PUBLIC_URL, such as https://portal.example")
            }
        };
        let in_the_clear = self.dev && url.starts_with("http://");
        if !in_the_clear && !url.starts_with("https://") {
            bail!("the public URL '{url}' must begin with https://");
        }
        if url.contains(['?', '#', ' ', '"', '<']) {
            bail!("the public URL '{url}' must be scheme, host and path alone");
        }
        Ok(url)
    }
}

impl SmtpArgs {
    /// The mail server; none where there is none to be.
    pub(crate) fn settings(&self) -> anyhow::Result<Option<SmtpSettings>> {
        let Some(host) = self.smtp_host.clone() else { return Ok(None) };
        let (security, usual) = match self.smtp_security {
            SmtpSecurity::Tls => (Security::Tls, 465),
            SmtpSecurity::Starttls => (Security::StartTls, 587),
            SmtpSecurity::None => (Security::None, 25),
        };
        let password = self.smtp_password_file.as_deref().map(read_secret).transpose()?;
        let extra_ca = self.smtp_ca_file.as_deref().map(|path| {
            std::fs::read(path)
                .with_context(|| format!("can't read the certificate authority {}", path.display()))
        });
        Ok(Some(SmtpSettings {
            host,
            port: self.smtp_port.unwrap_or(usual),
            security,
            credentials: self.smtp_user.clone().zip(password),
            from: self.smtp_from.clone(),
            extra_ca: extra_ca.transpose()?,
            timeout: Duration::from_secs(self.smtp_timeout.clamp(1, 600).into()),
        }))
    }
}

/// A secret out of a file, its line end dropped.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read the secret in {}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
