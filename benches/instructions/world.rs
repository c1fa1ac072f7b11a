//! A server with two people: one who can log in, and one who is locked out.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use loquet_domain::ports::{EventStore, Position, RecordedEvent};
use loquet_domain::values::email_address::EmailAddress;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::people::{PASSWORD, open_accounts};
use crate::server::Server;

/// A password that nobody has.
pub const WRONG: &str = "Guess1234!";
/// A lockout comes after fewer wrong passwords.
const GUESSES: usize = 20;

/// The server, and what requests to it need.
pub struct World {
    /// Everything that a request does is on one thread, where it is counted.
    pub runtime: Runtime,
    /// The server.
    pub server: Server,
    /// The events by which the two people came.
    pub events: Vec<RecordedEvent>,
    session: String,
    account: String,
    _folder: TempDir,
}

impl World {
    /// Makes the server and the people. What is done once, such as preparing statements, is done already.
    ///
    /// # Errors
    /// An error if a request has another answer than it should.
    pub fn new() -> Outcome<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let folder = tempfile::tempdir()?;
        let (server, events, session, account) = runtime.block_on(async {
            let mut server = Server::open(folder.path()).await?;
            open_accounts(&server.app, 2).await?;
            let events = server.store.read_all(Position(0), 100).await?;
            server.build_views().await?;
            lock_out(&server, 1).await?;
            let mut entered = Value::Null;
            for _ in 0..3 {
                let answer = server.call(attempt(0, PASSWORD)?, StatusCode::CREATED).await?;
                entered = serde_json::from_slice(answer.body())?;
            }
            server.build_views().await?;
            let session =
                entered.get("session_token").and_then(Value::as_str).ok_or("no session")?.to_owned();
            let account =
                server.app.account_of(&EmailAddress::parse(&email(0))?).await?.ok_or("no account")?;
            Outcome::Ok((server, events, session, account.to_string()))
        })?;
        let world = Self { runtime, server, events, session, account, _folder: folder };
        world.send(world.question()?, StatusCode::OK)?;
        world.send(world.page()?, StatusCode::OK)?;
        Ok(world)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// An error if the answer has another status.
    pub fn send(&self, request: Request<Body>, status: StatusCode) -> Outcome<()> {
        self.runtime.block_on(self.server.call(request, status)).map(drop)
    }

    /// Asks for the lockout of the person who can log in.
    ///
    /// # Errors
    /// An error if the request can't be written.
    pub fn question(&self) -> Outcome<Request<Body>> {
        let uri = format!("/v1/accounts/{}/lockout", self.account);
        let bearer = format!("Bearer {}", self.server.token);
        Ok(Request::get(uri).header(header::AUTHORIZATION, bearer).body(Body::empty())?)
    }

    /// Asks for the first page of somebody who is logged in.
    ///
    /// # Errors
    /// An error if the request can't be written.
    pub fn page(&self) -> Outcome<Request<Body>> {
        let cookie = format!("__Host-loquet-session={}", self.session);
        Ok(Request::get("/").header(header::COOKIE, cookie).body(Body::empty())?)
    }
}

fn email(person: usize) -> String {
    format!("marie.dupont.{person}@boulangerie.example")
}

/// Tries to log in as one of the people.
///
/// # Errors
/// An error if the request can't be written.
pub fn attempt(person: usize, password: &str) -> Outcome<Request<Body>> {
    let body = json!({ "email": email(person), "password": password }).to_string();
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let json = Request::post("/v1/logins").header(header::CONTENT_TYPE, "application/json");
    Ok(json.header(header::USER_AGENT, agent).body(Body::from(body))?)
}

async fn lock_out(server: &Server, person: usize) -> Outcome<()> {
    let mut last = Ok(());
    for _ in 0..GUESSES {
        last = server.call(attempt(person, WRONG)?, StatusCode::LOCKED).await.map(drop);
        if last.is_ok() {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A benchmark that counts the instructions of a refusal would count next to nothing.
    #[test]
    fn every_request_that_is_counted_gets_the_answer_that_it_should() {
        let world = World::new().unwrap();
        for _ in 0..2 {
            world.send(attempt(1, WRONG).unwrap(), StatusCode::LOCKED).unwrap();
            world.send(attempt(0, PASSWORD).unwrap(), StatusCode::CREATED).unwrap();
            world.send(world.question().unwrap(), StatusCode::OK).unwrap();
            world.send(world.page().unwrap(), StatusCode::OK).unwrap();
        }
    }
}
