//! The requests of a merchant: an order, the mailed link, and a login.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::client::{Answer, Connection, request};
use crate::history::PASSWORD;

/// The longest time that a mail may take.
const MAIL: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A merchant.
#[derive(Clone, Debug)]
pub struct Story {
    name: String,
    number: u32,
}

impl Story {
    /// The merchant with this number. `name` must be one that no other run has used.
    #[must_use]
    pub fn new(name: &str, number: u32) -> Self {
        Self { name: name.to_owned(), number }
    }

    /// Returns the merchant's e-mail address.
    #[must_use]
    pub fn email(&self) -> String {
        format!("marie.{}.{}@boulangerie.example", self.name, self.number)
    }

    /// Returns the merchant's first order.
    #[must_use]
    pub fn order(&self, token: &str) -> Vec<u8> {
        let office = json!({
            "street": "Rue Neuve", "number": "12", "postal_code": "1000", "town": "Bruxelles", "country": "BE"
        });
        let order = json!({
            "order_id": format!("SO-{}-{}", self.name, self.number),
            "channel": "online",
            "placed_at": "2026-11-20T09:30:00Z",
            "company": {
                "country": "BE",
                "enterprise_number": format!("{:08}{:02}", self.number, 97 - self.number % 97),
                "legal_name": format!("Boulangerie {}", self.number),
                "registered_office": office,
            },
            "contact": {
                "email": self.email(), "given_name": "Marie", "family_name": "Dupont", "language": "fr"
            },
            "lines": [{ "model": "PAX A920 Mobile", "quantity": 1, "delivery_address": office }],
        });
        request("POST", "/v1/orders", Some(token), &order.to_string())
    }

    /// Returns the body of a login.
    #[must_use]
    pub fn credentials(&self, password: &str) -> String {
        json!({ "email": self.email(), "password": password }).to_string()
    }
}

/// Waits for the activation mail, follows its link, and chooses the password. Only a development server shows
/// its mails.
///
/// # Errors
/// An error if no mail comes.
pub fn activate(connection: &mut Connection, story: &Story) -> Outcome<Answer> {
    let token = mailed(connection, story)?;
    let body = json!({ "token": token, "password": PASSWORD }).to_string();
    connection.call(&request("POST", "/v1/activations", None, &body))
}

/// Waits for the activation mail. Returns the token in its link.
///
/// # Errors
/// An error if no mail comes.
pub fn mailed(connection: &mut Connection, story: &Story) -> Outcome<String> {
    let end = Instant::now() + MAIL;
    let email = story.email();
    loop {
        let mails = connection.call(&request("GET", "/dev/mail.json", None, ""))?.expect(200)?;
        if let Some(token) = mailed_token(&mails.body, &email)? {
            return Ok(token);
        }
        if Instant::now() > end {
            return Err(format!("no activation mail came for {email}").into());
        }
        crate::pause(ASK_EVERY);
    }
}

/// Tries to log in.
///
/// # Errors
/// An error if no answer comes.
pub fn log_in(connection: &mut Connection, story: &Story, password: &str) -> Outcome<Answer> {
    connection.call(&request("POST", "/v1/logins", None, &story.credentials(password)))
}

/// Returns the token of the newest link that was mailed to an address.
fn mailed_token(mails: &str, email: &str) -> Outcome<Option<String>> {
    let mails: Vec<Value> = serde_json::from_str(mails)?;
    let text = |mail: &Value, member| Some(mail.get(member)?.as_str()?.to_owned());
    let own = mails.iter().find(|mail| text(mail, "to").is_some_and(|to| to.contains(email)));
    let letter = own.and_then(|mail| text(mail, "text")).unwrap_or_default();
    let Some((_, rest)) = letter.split_once("token=") else {
        return Ok(None);
    };
    let of_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    Ok(Some(rest.chars().take_while(|c| of_token(*c)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_out_of_the_newest_mail_to_the_address() {
        let mails = r#"[{"to":"b@x.example","text":"token=no"},
            {"to":"a@x.example","text":"https://y/activate?token=A-b_9.\nAu revoir"},
            {"to":"a@x.example","text":"token=old"}]"#;
        assert_eq!(mailed_token(mails, "a@x.example").unwrap().as_deref(), Some("A-b_9"));
        assert_eq!(mailed_token(mails, "c@x.example").unwrap(), None);
    }
}
