//! Login attempts on a locked account a second, over HTTP, against the same server answering a
//! constant to the same body.
//!
//! What a flood of guesses costs once the account is locked: reading the body strictly, finding the
//! account, its turn, its fold, and a problem in the caller's language; no hash and no event.
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

const GOAL: f64 = 0.7;

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
