//! The merchants of the load. Each came by an order and followed the mailed link.

use std::net::SocketAddr;

use indicatif::ProgressBar;
use loquet_benches::Outcome;
use loquet_benches::client::{Connection, request};
use loquet_benches::story::{Story, activate};

/// The number of Belgian enterprise numbers that can be used. They begin with 0 or 1; some at the end are
/// left for counting on.
const NUMBERS: u64 = 19_000_000;

/// A merchant with an account.
pub(crate) struct Merchant {
    pub(crate) story: Story,
    pub(crate) account: String,
}

/// Opens this many accounts.
///
/// # Errors
/// An error if the server refuses a request.
pub(crate) fn open(address: SocketAddr, token: &str, count: u32) -> Outcome<Vec<Merchant>> {
    let mut connection = Connection::open(address)
        .map_err(|error| format!("no server at {address} ({error}): start one, or say --url"))?;
    let run = Run::new();
    let mut merchants = Vec::new();
    let bar = ProgressBar::new(count.into()).with_message("opening accounts");
    for number in 0..count {
        let story = run.story(number);
        let placed = connection.call(&story.order(token))?.expect(201)?;
        merchants.push(Merchant { story, account: placed.text("account_id")? });
    }
    if connection.call(&request("GET", "/dev/mail.json", None, ""))?.status != 200 {
        eprintln!(
            "the server shows no mails (it runs without --dev): nobody can activate, every login is refused"
        );
        return Ok(merchants);
    }
    for merchant in &merchants {
        activate(&mut connection, &merchant.story)?.expect(204)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(merchants)
}

/// Returns names and numbers that no other run has used.
pub(crate) struct Run {
    name: String,
    first: u32,
}

impl Run {
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "no other run may have drawn it")]
        let random: u64 = rand::random();
        let first = u32::try_from(random % NUMBERS).unwrap_or(0);
        Self { name: format!("{random:x}"), first }
    }

    pub(crate) fn story(&self, number: u32) -> Story {
        Story::new(&self.name, self.first + number)
    }
}
