//! Lockout queries a second, over HTTP, compared with a server that returns a constant.
//!
//! A program with a service token asks for the lockout of many accounts, one after another. All of them were
//! used recently.
//!
//! `-- --accounts N` changes the number of accounts (10,000 by default). `--folder PATH` keeps the data for
//! the next run. `--program PATH` measures a program that was built elsewhere.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use loquet_benches::client::{Connection, request};
use loquet_benches::constant::serves_constant;
use loquet_benches::history::{Extent, History};
use loquet_benches::http_rates::compare;
use loquet_benches::program::{Program, executable};
use loquet_benches::{Outcome, argument};

const GOAL: f64 = 0.6;

fn main() -> Outcome<()> {
    if serves_constant()? {
        return Ok(());
    }
    let accounts = argument("--accounts")?.unwrap_or(10_000);
    let executable = executable()?;
    let history = History::prepare(Extent { accounts, days: 18 })?;
    let program = Program::start(&executable, &history.folder)?;
    program.current()?;
    let questions = (0..accounts)
        .map(|number| {
            let path = format!("/v1/accounts/{}/lockout", history.account(number)?);
            Ok(request("GET", &path, Some(&program.token), ""))
        })
        .collect::<Outcome<Vec<_>>>()?;
    let mut connection = Connection::open(program.address)?;
    for question in &questions {
        // Each account is queried once before, so that all of them were used recently.
        connection.call(question)?.expect(200)?;
    }

    println!("lockout queries a second over {accounts} accounts");
    compare("", &program, &questions, 200, GOAL)
}
