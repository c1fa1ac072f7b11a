//! People who can log in.

use std::sync::Arc;

use loquet_domain::account::Account;
use loquet_domain::app::App;
use loquet_domain::ports::{LinkClaims, Purpose};
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::password::Password;
use loquet_http::read_order;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::engine::context;

/// The password of everybody.
pub const PASSWORD: &str = "Boulange7!";

/// Creates accounts that can log in, by address. Each comes by an order and its link, as in production.
///
/// # Errors
/// An error if an account can't be created.
pub async fn open_accounts(app: &Arc<App>, count: usize) -> Outcome<Vec<EmailAddress>> {
    let mut opening = JoinSet::new();
    for n in 0..count {
        let app = app.clone();
        opening.spawn(async move { open_account(&app, n).await });
    }
    opening.join_all().await.into_iter().collect()
}

async fn open_account(app: &App, n: usize) -> Outcome<EmailAddress> {
    let email = format!("marie.dupont.{n}@boulangerie.example");
    let context = context();
    let order = read_order(order(n, &email).as_bytes(), app.tokens(), context.at);
    let placed = app.place_order(&context, order.map_err(|faults| faults.join("; "))?).await?;
    let account = placed.onboarded.account;
    let Account::Invited(invited) = app.account(account).await? else {
        return Err("a new account is not invited".into());
    };
    let link = invited.activation;
    let claims =
        LinkClaims { purpose: Purpose::Activation, account, event: link.event, expires_at: link.expires_at };
    app.activate(&context, &app.tokens().link(&claims), Password::new(PASSWORD.to_owned())).await?;
    Ok(EmailAddress::parse(&email)?)
}

/// A first order, for a separate company each.
fn order(n: usize, email: &str) -> String {
    let address =
        r#"{"street":"Rue Neuve","number":"12","postal_code":"1000","town":"Bruxelles","country":"BE"}"#;
    let number = format!("{n:08}{:02}", 97 - n % 97);
    format!(
        r#"{{"order_id":"SO-{n}","channel":"online","placed_at":"2026-11-20T09:30:00Z",
            "company":{{"country":"BE","enterprise_number":"{number}","legal_name":"Boulangerie {n}","registered_office":{address}}},
            "contact":{{"email":"{email}","given_name":"Marie","family_name":"Dupont","language":"fr"}},
            "lines":[{{"model":"PAX A920 Mobile","quantity":1,"delivery_address":{address}}}]}}"#
    )
}
