//! The limit of what is asked over HTTP: the same server, in a process of its own, whose only route
//! reads the body and answers a constant.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::routing::any;
use loquet_http::{Connections, serve};
use tokio::net::TcpListener;

use crate::Outcome;

/// As many as the program takes unless told otherwise.
const CONNECTIONS: usize = 4096;
const ARGUMENT: &str = "--serve-constant";
/// As long as a lockout in JSON.
const BODY: &str = r#"{"account_id":"6c6f7175-6574-4f8a-9d21-0f5a1d3b77c4","locked":true,"locked_since":"2026-11-23T09:30:00Z","locked_until":"2026-11-23T09:45:00Z","failures":7,"last_failure_at":"2026-11-23T09:30:00Z","position":1234567}"#;

/// The constant's server, gone with this value.
pub struct Constant {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Constant {
    /// Starts this very program once more, as the constant's server.
    ///
    /// # Errors
    /// What the system said.
    pub fn start() -> Outcome<Self> {
        let mut child =
            Command::new(std::env::current_exe()?).arg(ARGUMENT).stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Constant {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether this process is to be the constant's server; then it serves until it is killed.
///
/// # Errors
/// What the system said.
#[expect(clippy::disallowed_methods, reason = "a benchmark is a program of its own")]
pub fn serves_constant() -> Outcome<bool> {
    if !std::env::args().any(|given| given == ARGUMENT) {
        return Ok(false);
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let constant =
            any(|_: Bytes| async { (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], BODY) });
        let router = Router::new().route("/constant", constant);
        let connections = Connections::uncounted(CONNECTIONS);
        serve(listener, router, connections, std::future::pending()).await;
        Ok(true)
    })
}
