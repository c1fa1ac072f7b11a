//! How the costs grow with the number of accounts: a login, a change, a query, a page of a list, a search, the first build of
//! all read models, a start and the memory. Each is measured over sample worlds of `loquet demo`, and drawn.
//!
//! `-- --accounts 10000,100000` names other sizes than 10,000, 100,000 and 1,000,000. `--svg FILE` writes the drawing,
//! `--folder FOLDER` keeps the worlds, and uses those that are there. `--program PATH` measures a program that was built
//! elsewhere. A world of a million accounts takes about 15 GB and a quarter of an hour.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use loquet_benches::client::{Connection, request};
use loquet_benches::program::{Program, executable, megabytes};
use loquet_benches::{Outcome, Spread, argument, cores};
use serde_json::{Value, json};

/// The password of everybody in the sample world.
const PASSWORD: &str = "Loquet-Demo-7";
/// How often a request is measured.
const TIMES: usize = 200;
/// How often a search is measured. A token has so many in a row.
const SEARCHES: usize = 20;
/// How often a login is measured. Most of it is the hash.
const LOGINS: usize = 40;

/// What is measured: its name, its unit, and its digits.
const FIGURES: [(&str, &str, usize); 9] = [
    ("login", "ms", 1),
    ("change of a profile", "ms", 2),
    ("query of an account", "ms", 2),
    ("page of a list", "ms", 2),
    ("search by name", "ms", 2),
    ("first build of all read models", "µs per event", 1),
    ("start, until ready", "s", 2),
    ("memory of its own", "MB", 0),
    ("events", "per account", 1),
];

fn main() -> Outcome<()> {
    let sizes: String = argument("--accounts")?.unwrap_or_else(|| "10000,100000,1000000".to_owned());
    let sizes = sizes.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>()?;
    let svg: Option<PathBuf> = argument("--svg")?;
    let kept: Option<PathBuf> = argument("--folder")?;
    let executable = executable()?;
    println!("{} cores, median of {TIMES} requests ({LOGINS} logins), one connection", cores());
    let mut columns = Vec::new();
    for accounts in &sizes {
        let temporary = tempfile::tempdir()?;
        let folder = kept.as_deref().unwrap_or(temporary.path()).join(accounts.to_string());
        columns.push(measure(&executable, &folder, *accounts)?);
    }
    print!("{:<32} {:<14}", "", "");
    sizes.iter().for_each(|accounts| print!(" {accounts:>12}"));
    println!();
    for (at, (name, unit, digits)) in FIGURES.iter().enumerate() {
        print!("{name:<32} {unit:<14}");
        for column in &columns {
            print!(" {:>12.digits$}", column.get(at).copied().unwrap_or_default());
        }
        println!();
    }
    if let Some(file) = svg {
        fs::write(&file, draw(&sizes, &columns)?)?;
        println!("drawn: {}", file.display());
    }
    Ok(())
}

/// The figures of one world, in the order of their names.
fn measure(executable: &Path, folder: &Path, accounts: u32) -> Outcome<Vec<f64>> {
    make(executable, folder, accounts)?;
    // The read models are built anew. Whatever built them before.
    for file in ["views.db", "views.db-wal", "views.db-shm"] {
        drop(fs::remove_file(folder.join(file)));
    }
    let program = Program::start(executable, folder)?;
    let built = program.current()?;
    program.stop()?;

    let program = Program::start(executable, folder)?;
    let ready = program.ready()?;
    program.current()?;
    let mut connection = Connection::open(program.address)?;
    let page = format!("/v1/accounts?status=active&limit={TIMES}");
    let listed: Value = serde_json::from_str(&program.call("GET", &page, "")?.expect(200)?.body)?;
    let people = listed.get("items").and_then(Value::as_array).ok_or("no accounts")?;
    let of =
        |person: &Value, name: &str| person.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (mut logins, mut session) = (Vec::new(), None);
    for person in people {
        let body = json!({ "email": of(person, "email"), "password": PASSWORD }).to_string();
        let begun = Instant::now();
        let answer = connection.call(&request("POST", "/v1/logins", None, &body))?;
        // Who has a second step, or is locked out, is left out.
        if answer.status == 201 {
            logins.push(milliseconds(begun));
            session = session.or(Some((of(person, "account_id"), answer.text("session_token")?)));
        }
        if logins.len() == LOGINS {
            break;
        }
    }
    let (account, session) = session.ok_or("nobody can log in")?;
    let path = format!("/v1/accounts/{account}");
    let changes = ["fr", "nl"].map(|language| {
        let body =
            json!({ "given_name": "Marie", "family_name": "Dupont", "language": language }).to_string();
        request("PATCH", &path, Some(&session), &body)
    });
    let token = Some(program.token.as_str());
    let mut figures = vec![median(logins)?];
    figures.push(timed(&mut connection, &changes, TIMES)?);
    figures.push(timed(&mut connection, &[request("GET", &path, token, "")], TIMES)?);
    figures.push(timed(&mut connection, &[request("GET", "/v1/accounts?limit=50", token, "")], TIMES)?);
    figures.push(timed(
        &mut connection,
        &[request("GET", "/v1/support/search?q=mari", token, "")],
        SEARCHES,
    )?);
    let first: Value =
        serde_json::from_str(&program.call("GET", "/v1/events?limit=1", "")?.expect(200)?.body)?;
    let events = first.get("position").and_then(Value::as_f64).ok_or("no position")?;
    figures.push(built.as_secs_f64() * 1e6 / events);
    figures.push(ready.as_secs_f64());
    figures.push(megabytes(program.process(), "RssAnon")?);
    figures.push(events / f64::from(accounts));
    program.stop()?;
    Ok(figures)
}

/// Makes the sample world, unless it is there.
fn make(executable: &Path, folder: &Path, accounts: u32) -> Outcome<()> {
    if folder.join("log.db").exists() {
        return Ok(());
    }
    let begun = Instant::now();
    let mut demo = Command::new(executable);
    demo.arg("--data-dir").arg(folder).args(["demo", "--accounts", &accounts.to_string(), "--seed", "7"]);
    if !demo.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
        return Err(format!("a world of {accounts} accounts can't be made").into());
    }
    println!("a world of {accounts} accounts was made in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn median(measured: Vec<f64>) -> Outcome<f64> {
    Ok(Spread::of(measured).ok_or("nothing was measured")?.median)
}

/// The median time of these requests, in turns, in milliseconds.
fn timed(connection: &mut Connection, requests: &[Vec<u8>], times: usize) -> Outcome<f64> {
    let mut measured = Vec::with_capacity(times);
    for request in requests.iter().cycle().take(times) {
        let begun = Instant::now();
        let answer = connection.call(request)?;
        measured.push(milliseconds(begun));
        if answer.status >= 300 {
            return Err(format!("{}: {}", answer.status, answer.body).into());
        }
        if requests.len() > 1 {
            loquet_benches::pause(Duration::from_millis(2));
        }
    }
    median(measured)
}

/// Figures in one row of the drawing.
const IN_A_ROW: usize = 3;
const WIDTH: usize = 300;
const HEIGHT: usize = 180;
/// The part of a figure that has the line: left, top, width and height.
const PLOT: (f64, f64, f64, f64) = (30.0, 50.0, 230.0, 90.0);

/// Draws each figure over the sizes. Each step to the right is another size; each line begins at zero.
fn draw(sizes: &[u32], columns: &[Vec<f64>]) -> Outcome<String> {
    let (rows, (left, top, wide, high)) = (FIGURES.len().div_ceil(IN_A_ROW), PLOT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\" \
         role=\"img\">\n<title>Costs by the number of accounts</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        WIDTH * IN_A_ROW,
        HEIGHT * rows
    );
    for (at, (name, unit, digits)) in FIGURES.iter().enumerate() {
        let (across, down) = (WIDTH * (at % IN_A_ROW), HEIGHT * (at / IN_A_ROW));
        let values: Vec<f64> = columns.iter().filter_map(|column| column.get(at).copied()).collect();
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let steps = f64::from(u32::try_from(sizes.len().saturating_sub(1).max(1))?);
        let places = values.iter().enumerate().map(|(step, value)| {
            let step = f64::from(u32::try_from(step).unwrap_or_default());
            (left + wide * step / steps, top + high * (1.0 - value / most), *value)
        });
        let places: Vec<_> = places.collect();
        let points: Vec<_> = places.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
        writeln!(svg, "<g transform=\"translate({across} {down})\">")?;
        writeln!(svg, "<text x=\"{left}\" y=\"20\" font-weight=\"bold\">{name}, {unit}</text>")?;
        let base = top + high;
        writeln!(svg, "<path d=\"M{left} {base}h{wide}\" stroke=\"#999\" fill=\"none\"/>")?;
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#0a6e5c\" stroke-width=\"2\"/>",
            points.join(" ")
        )?;
        for ((x, y, value), accounts) in places.iter().zip(sizes) {
            writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#0a6e5c\"/>")?;
            let label = y - 8.0;
            writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{label:.1}\" text-anchor=\"middle\">{value:.digits$}</text>"
            )?;
            let under = base + 18.0;
            writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{under:.1}\" text-anchor=\"middle\" fill=\"#555\">{accounts}</text>"
            )?;
        }
        writeln!(svg, "</g>")?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}
