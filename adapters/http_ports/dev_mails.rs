//! The mails that a development server writes to a folder instead of sending them.

use loquet_domain::ports::BoxFuture;

/// A mail in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FiledMail {
    pub name: String,
    pub to: String,
    pub subject: String,
    pub date: String,
    pub text: String,
    pub html: String,
}

/// A folder of development mails.
pub trait DevMails: Send + Sync {
    /// Returns the mails, newest first. Skips files that are not mails.
    fn list(&self) -> BoxFuture<'_, Vec<FiledMail>>;
}
