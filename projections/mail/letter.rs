//! Writes a mail about the event that caused it.

use askama::Template;
use loquet_domain::Moment;
use loquet_domain::account::Profile;
use loquet_domain::values::language::Language;
use loquet_domain::values::person::Person;
use loquet_domain::values::plain_text::without_links;
use uuid::Uuid;

use super::{MailKind, Message};
use crate::local_time::{Precision, TimeZone, tell};
use crate::words::{Places, UnreadableWords, Words};

/// What every mail says about its sender.
#[derive(Clone, Debug)]
pub struct Letterhead {
    /// The name of the customer account, `MyCCV` by default.
    pub brand: String,
    /// The beginning of all links: scheme and host, without a trailing slash. Nothing else is used for links.
    pub public_url: String,
    /// The time zone in which times are written.
    pub time_zone: TimeZone,
    /// The colours of the portal's pages.
    pub accents: Accents,
}

/// A colour that stands out, and the colour of text on it, as CSS writes them.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Accent {
    pub colour: String,
    pub text: String,
}

/// The accents of a mail: for readers with a light and with a dark screen.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Accents {
    pub light: Accent,
    pub dark: Accent,
}

/// The maximum number of characters that a mail shows of a person's name, or of another text in a sentence.
const MOST_OF_A_NAME: usize = 130;
const MOST_OF_A_PLACE: usize = 2500;

/// A template of the mails can't be filled.
#[derive(Debug, thiserror::Error)]
#[error("a template can't be filled")]
pub struct UnfilledTemplate(#[from] askama::Error);

/// Writes mails.
pub struct Letters {
    head: Letterhead,
    words: Words,
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    letter: &'a Letter,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    letter: &'a Letter,
    accents: &'a Accents,
}

/// The variable contents of a mail.
#[derive(Clone, Debug)]
pub struct Tidings {
    /// The address that its button leads to.
    pub link: Option<String>,
    /// The time that it mentions: the end of a link or lockout, or when something was done or is due.
    pub moment: Moment,
    /// How exactly it tells the time.
    pub precision: Precision,
    /// The person that it is about, if that is not the recipient.
    pub about: Option<Person>,
    /// The values of further variables in its sentences.
    pub places: Vec<(&'static str, String)>,
}

impl Tidings {
    /// Contents with a time and nothing else.
    #[must_use]
    pub fn of(moment: Moment) -> Self {
        Self { link: None, moment, precision: Precision::default(), about: None, places: Vec::new() }
    }
}

/// The parts of a mail in one language.
struct Letter {
    language: &'static str,
    brand: String,
    subject: String,
    greeting: String,
    paragraphs: Vec<String>,
    button: Option<Button>,
    closing: Vec<String>,
}

/// A link, and what stands on it.
struct Button {
    label: String,
    /// What stands before it in a mail without buttons.
    introduction: String,
    link: String,
}

impl Letters {
    /// Reads the texts of the mails.
    ///
    /// # Errors
    /// [`UnreadableWords`] if a text file has an error.
    pub fn new(head: Letterhead) -> Result<Self, UnreadableWords> {
        let words = Words::read(
            include_str!("../words/mail.fr.ftl"),
            include_str!("../words/mail.nl.ftl"),
            include_str!("../words/mail.en.ftl"),
        )?;
        Ok(Self { head, words })
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    /// The address of a page.
    #[must_use]
    pub fn page(&self, page: &str) -> String {
        format!("{}/{page}", self.head.public_url)
    }

    /// The address of a page, with the token of a link.
    #[must_use]
    pub fn link(&self, page: &str, token: &str) -> String {
        format!("{}?token={token}", self.page(page))
    }

    /// Writes a mail.
    ///
    /// # Errors
    /// [`UnfilledTemplate`] if a template can't be filled.
    pub fn write(
        &self,
        effect: Uuid,
        kind: MailKind,
        to: (&Person, &Profile),
        tidings: Tidings,
    ) -> Result<Message, UnfilledTemplate> {
        let (person, profile) = to;
        let language = profile.language;
        let Tidings { link, moment, precision, about, places: told } = tidings;
        let about = about.as_ref().unwrap_or(person);
        let full_name = |person: &Person| {
            let name = format!("{} {}", person.given_name.as_str(), person.family_name.as_str());
            without_links(&name, MOST_OF_A_NAME)
        };
        // Other people choose some of these texts. Without this they could send links under our letterhead.
        let told: Vec<_> =
            told.into_iter().map(|(place, text)| (place, without_links(&text, MOST_OF_A_PLACE))).collect();
        let (name, about_name) = (full_name(person), full_name(about));
        let moment = tell(&self.words, language, self.head.time_zone, moment, precision);
        let mut places: Vec<(&str, &str)> = vec![
            ("brand", &self.head.brand),
            ("name", &name),
            ("moment", &moment),
            ("url", &self.head.public_url),
            ("email", person.email.as_str()),
            ("about_name", &about_name),
            ("about_email", about.email.as_str()),
        ];
        places.extend(told.iter().map(|(place, text)| (*place, text.as_str())));
        let places: Places<'_> = &places;
        let kind_name = kind.name();
        let say = |part: &str| self.words.say(language, part, places);
        let paragraphs = (1..=3)
            .map(|n| format!("{kind_name}-paragraph-{n}"))
            .filter(|name| self.words.has(Language::default(), name))
            .map(|name| say(&name))
            .collect();
        let letter = Letter {
            language: language.code(),
            brand: self.head.brand.clone(),
            subject: say(&format!("{kind_name}-subject")),
            greeting: say("greeting"),
            paragraphs,
            button: link.map(|link| {
                let label = say(&format!("{kind_name}-button"));
                let introduction = self.words.say(language, "button-in-text", &[("label", &label)]);
                Button { label, introduction, link }
            }),
            closing: vec![say("closing"), say("footer")],
        };
        Ok(Message {
            effect,
            to: person.email.as_str().to_owned(),
            to_name: name,
            language: letter.language,
            subject: letter.subject.clone(),
            text: Text { letter: &letter }.render()?,
            html: Html { letter: &letter, accents: &self.head.accents }.render()?,
        })
    }
}
