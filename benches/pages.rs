//! How long the server takes for a page of the portal, beside one query of the API, in turns on one connection.
//!
//! The world is the sample world of `loquet demo`. An administrator of a company is logged in.
//!
//! `-- --accounts N` changes the number of accounts (2,000 by default). `--program PATH` measures a program that was built
//! elsewhere.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::process::{Command, Stdio};
use std::time::Instant;

use loquet_benches::client::{Connection, request};
use loquet_benches::program::{Program, executable};
use loquet_benches::{Outcome, Spread, argument};
use serde_json::{Value, json};

/// The password of everybody in the sample world.
const PASSWORD: &str = "Loquet-Demo-7";
/// A page should take at most this long, in milliseconds.
const GOAL: f64 = 5.0;
/// How often each page is asked for.
const TIMES: usize = 200;
/// Pages for everybody.
const OPEN: [&str; 3] = ["/login", "/help", "/help/cannot-log-in"];
/// Pages of whoever is logged in.
const OWN: [&str; 6] = ["/", "/sites", "/terminals", "/users", "/groups", "/account"];

fn main() -> Outcome<()> {
    let accounts: u32 = argument("--accounts")?.unwrap_or(2_000);
    let executable = executable()?;
    let folder = tempfile::tempdir()?;
    let mut demo = Command::new(&executable);
    demo.arg("--data-dir").arg(folder.path()).args([
        "demo",
        "--accounts",
        &accounts.to_string(),
        "--seed",
        "7",
    ]);
    if !demo.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
        return Err("the sample world can't be made".into());
    }
    let program = Program::start(&executable, folder.path())?;
    program.current()?;
    let mut connection = Connection::open(program.address)?;
    let (account, session) = administrator(&mut connection, &program.token)?;
    let query = request("GET", &format!("/v1/accounts/{account}"), Some(&session), "");
    println!(
        "milliseconds for a page and for a query, {accounts} accounts, {TIMES} times in turns, one connection"
    );
    println!(
        "{:<22} {:>8} {:>24} {:>24} {:>7}  goal {GOAL} ms",
        "page", "bytes", "page, ms", "query, ms", "ratio"
    );
    let open = OPEN.map(|page| (page, ""));
    for (page, session) in open.into_iter().chain(OWN.map(|page| (page, session.as_str()))) {
        let asked = with_cookie(page, session);
        let bytes = connection.call(&asked)?.expect(200)?.body.len();
        let (mut pages, mut queries) = (Vec::with_capacity(TIMES), Vec::with_capacity(TIMES));
        for _ in 0..TIMES {
            pages.push(milliseconds(&mut connection, &asked)?);
            queries.push(milliseconds(&mut connection, &query)?);
        }
        let pages = Spread::of(pages).ok_or("nothing was measured")?;
        let queries = Spread::of(queries).ok_or("nothing was measured")?;
        let verdict = if pages.median < GOAL { "met" } else { "missed" };
        let ratio = pages.median / queries.median;
        println!("{page:<22} {bytes:>8} {pages:>24.2} {queries:>24.2} {ratio:>7.1}  {verdict}");
    }
    Ok(())
}

/// An administrator whose login needs no second step, and the token of their session.
fn administrator(connection: &mut Connection, token: &str) -> Outcome<(String, String)> {
    let list = connection.call(&request("GET", "/v1/accounts?status=active&limit=200", Some(token), ""))?;
    let list: Value = serde_json::from_str(&list.expect(200)?.body)?;
    let accounts = list.get("items").and_then(Value::as_array).ok_or("no accounts")?;
    let text = |account: &Value, name: &str| {
        account.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for account in accounts.iter().filter(|account| text(account, "role") == "administrator") {
        let credentials = json!({ "email": text(account, "email"), "password": PASSWORD }).to_string();
        let login = connection.call(&request("POST", "/v1/logins", None, &credentials))?;
        if login.status == 201 {
            return Ok((text(account, "account_id"), login.text("session_token")?));
        }
    }
    Err("no administrator could log in".into())
}

/// A request for a page, with the cookie of a development server.
fn with_cookie(path: &str, session: &str) -> Vec<u8> {
    let head = "User-Agent: bench\r\nAccept: text/html\r\nAccept-Language: en";
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\nCookie: loquet-session={session}\r\n\r\n")
        .into_bytes()
}

fn milliseconds(connection: &mut Connection, asked: &[u8]) -> Outcome<f64> {
    let start = Instant::now();
    connection.call(asked)?.expect(200)?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}
