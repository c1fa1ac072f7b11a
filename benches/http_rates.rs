//! Compares requests to the program with requests to a server that returns a constant: by time, and by the
//! processor time that the servers use.

use std::net::SocketAddr;
use std::time::Duration;

use crate::client::{answers_a_second, request};
use crate::constant::Constant;
use crate::program::{Program, processor_seconds};
use crate::{Comparison, Outcome, print_conditions, print_head, print_row};

const ROUNDS: u32 = 7;
const WINDOW: Duration = Duration::from_secs(2);

/// Sends these requests to the program, and similar ones to the server with the constant, in turns. Prints
/// the comparison.
///
/// The callers run on the same machine and use a part of it on both sides. This brings the ratio by time
/// nearer to one. The second row leaves the callers out: it shows answers for each second of processor time
/// that the server itself used.
///
/// # Errors
/// The first answer that differs from the expected one.
pub fn compare(what: &str, program: &Program, requests: &[Vec<u8>], status: u16, goal: f64) -> Outcome<()> {
    let constant = Constant::start()?;
    let body = requests.first().map(|request| body_of(request)).unwrap_or_default();
    let method = if body.is_empty() { "GET" } else { "POST" };
    let constants = [request(method, "/constant", Some(&program.token), &body)];
    let ours = Side { address: program.address, process: program.process(), requests, status };
    let limit =
        Side { address: constant.address, process: constant.process(), requests: &constants, status: 200 };
    ours.measure(WINDOW / 4)?;
    limit.measure(WINDOW / 4)?;
    let (mut by_clock, mut by_processor) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (ours, limit) = (ours.measure(WINDOW)?, limit.measure(WINDOW)?);
        by_clock.push((ours.a_second, limit.a_second));
        by_processor.push((ours.a_processor_second, limit.a_processor_second));
    }
    print_conditions(ROUNDS, WINDOW);
    print_head(what, "this server/s", "a constant/s");
    print_row("by the clock", &Comparison::of(&by_clock)?, Some(goal));
    print_row("by processor", &Comparison::of(&by_processor)?, None);
    Ok(())
}

struct Side<'a> {
    address: SocketAddr,
    process: u32,
    requests: &'a [Vec<u8>],
    status: u16,
}

struct Rates {
    a_second: f64,
    a_processor_second: f64,
}

impl Side<'_> {
    fn measure(&self, window: Duration) -> Outcome<Rates> {
        let before = processor_seconds(self.process)?;
        let a_second = answers_a_second(&[self.address], self.requests, self.status, window)?;
        let used = processor_seconds(self.process)? - before;
        Ok(Rates { a_second, a_processor_second: a_second * window.as_secs_f64() / used })
    }
}

fn body_of(request: &[u8]) -> String {
    let request = String::from_utf8_lossy(request);
    request.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}
