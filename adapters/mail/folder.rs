//! Writes mails into a folder, for development. Each message is one `.eml` file.

use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use lettre::message::header::ContentTransferEncoding;
use loquet_domain::ports::BoxFuture;
use loquet_http_ports::dev_mails::{DevMails, FiledMail};
use loquet_projections::causes::Causes;
use loquet_projections::mail::Message;
use loquet_projections::ports::{Clock, Mailer, SendError, StoreFailed};
use mailparse::MailHeaderMap;
use uuid::Uuid;

use crate::mime::compose;

/// The folder of mails can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NoMailFolder {
    /// The sender is no address.
    #[error("'{sender}' is no sender's address")]
    Sender {
        /// The sender.
        sender: String,
        /// What is wrong with it.
        source: lettre::address::AddressError,
    },
    /// The folder can't be made.
    #[error("can't make {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
}

/// Writes mails into a folder.
pub struct MailFolder {
    folder: PathBuf,
    from: Mailbox,
    clock: Clock,
}

impl MailFolder {
    /// Uses `folder`. Makes it if it does not exist.
    ///
    /// # Errors
    /// [`NoMailFolder`] says why it can't be used.
    pub fn open(folder: &Path, from: &str, clock: Clock) -> Result<Self, NoMailFolder> {
        let from = from.parse().map_err(|source| NoMailFolder::Sender { sender: from.to_owned(), source })?;
        std::fs::create_dir_all(folder)
            .map_err(|source| NoMailFolder::Folder { folder: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), from, clock })
    }

    fn write(&self, message: &Message) -> Result<(), SendError> {
        // The message is written with 8-bit characters, so that a person, or grep, can read the file.
        let mime = compose(message, &self.from, ContentTransferEncoding::EightBit)
            .map_err(|why| SendError::Permanent(Causes(&why).to_string().into()))?;
        let moment = (self.clock)().format("%Y%m%dT%H%M%S%6f");
        let name = format!("{moment}-{}.eml", message.effect);
        let unfinished = self.folder.join(format!(".{name}"));
        let written = std::fs::write(&unfinished, mime.formatted())
            .and_then(|()| std::fs::rename(&unfinished, self.folder.join(&name)));
        written.map_err(|e| SendError::Transient(format!("can't write {name}: {e}").into()))
    }
}

impl MailFolder {
    /// Deletes the files of these mails. Their names end with the mail's id.
    fn remove(&self, mails: &[Uuid]) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            if mails.iter().any(|mail| name.ends_with(&format!("-{mail}.eml"))) {
                std::fs::remove_file(self.folder.join(name))?;
            }
        }
        Ok(())
    }
}

impl Mailer for MailFolder {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move { self.write(&message) })
    }

    fn forget(&self, mails: Vec<Uuid>) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(async move {
            self.remove(&mails).map_err(|e| StoreFailed::because("a mail can't be deleted", e))
        })
    }
}

impl DevMails for MailFolder {
    fn list(&self) -> BoxFuture<'_, Vec<FiledMail>> {
        let folder = self.folder.clone();
        Box::pin(async move { tokio::task::spawn_blocking(move || filed(&folder)).await.unwrap_or_default() })
    }
}

fn filed(folder: &Path) -> Vec<FiledMail> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            Path::new(name).extension().is_some_and(|ending| ending == "eml") && !name.starts_with('.')
        })
        .collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    names.into_iter().filter_map(|name| read(folder, name)).collect()
}

fn read(folder: &Path, name: String) -> Option<FiledMail> {
    let bytes = std::fs::read(folder.join(&name)).ok()?;
    let mail = mailparse::parse_mail(&bytes).ok()?;
    let header = |header: &str| mail.headers.get_first_value(header).unwrap_or_default();
    let part = |kind: &str| {
        let part = mail.subparts.iter().find(|part| part.ctype.mimetype == kind);
        part.and_then(|part| part.get_body().ok()).unwrap_or_default()
    };
    let (text, html) = (part("text/plain"), part("text/html"));
    Some(FiledMail { name, to: header("To"), subject: header("Subject"), date: header("Date"), text, html })
}
