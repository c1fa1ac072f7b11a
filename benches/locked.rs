//! Login attempts on a locked account a second, over HTTP, compared with a server that returns a constant for
//! the same body.
//!
//! This is the cost of a flood of guesses once the account is locked. The server parses the body strictly,
//! finds the account, takes its lock, reads its cached state, and returns a problem in the caller's language.
//! It computes no hash and writes no event.
//!
//! `-- --program PATH` measures a program that was built elsewhere.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use loquet_benches::Outcome;
use loquet_benches::client::{Connection, request};
use loquet_benches::constant::serves_constant;
use loquet_benches::http_rates::compare;
use loquet_benches::program::{Program, executable};
use loquet_benches::story::{Story, activate, log_in};

const GOAL: f64 = 0.6;

fn main() -> Outcome<()> {
    if serves_constant()? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let program = Program::start(&executable()?, folder.path())?;
    let story = Story::new("locked", 1);
    let mut connection = Connection::open(program.address)?;
    connection.call(&story.order(&program.token))?.expect(201)?;
    activate(&mut connection, &story)?.expect(204)?;
    while log_in(&mut connection, &story, "Guess1234!")?.status != 423 {}

    println!("login attempts a second on a locked account");
    let attempt = request("POST", "/v1/logins", None, &story.credentials("Guess1234!"));
    compare("", &program, &[attempt], 423, GOAL)
}
