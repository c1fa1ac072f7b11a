//! Assigns many terminals at once, from a CSV file: all lines or none. A dry run only reports what would change.

use std::collections::{BTreeSet, HashMap};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loquet_domain::Moment;
use loquet_domain::app::Failure;
use loquet_domain::company::{self, Company};
use loquet_domain::ids::{CompanyId, SiteId, TerminalId};
use loquet_domain::terminals::{self, Assignment, Terminals};
use loquet_domain::values::latin::alike;
use loquet_domain::values::permission::Permission;
use loquet_domain::values::serial_number::SerialNumber;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Need;
use crate::caller::{Arrival, Caller};
use crate::extractors::csv_file::CsvFile;
use crate::extractors::query::Params;
use crate::limits::shares::Costly;
use crate::middleware::idempotency::NothingDone;
use crate::responses::carry_out::to_its_end;
use crate::responses::done::POSITION;
use crate::responses::faults::Faults;
use crate::responses::problem::{Fault, Problem, ProblemBody};
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// The content types of a file. Browsers on Windows send the second one if Excel is installed.
const KINDS: [&str; 3] = ["text/csv", "application/vnd.ms-excel", "text/tab-separated-values"];
/// How many lines a file may have.
const MOST_LINES: usize = 10_000;
/// How many faults are listed at most.
const MOST_FAULTS: usize = 200;

/// Options of the import.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// The company. Required from programs.
    company: Option<Uuid>,
    /// Report what would change, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// The reason. Required from the supplier's staff, except with `dry_run`.
    reason: Option<String>,
}

/// The changes that a file of assignments made or, in a dry run, would make.
#[derive(Serialize, ToSchema)]
pub(crate) struct AssignmentReport {
    /// Whether this was a dry run, which changes nothing.
    dry_run: bool,
    /// The number of lines, without the heading.
    lines: usize,
    /// The number of terminals that are at their site already.
    unchanged: usize,
    /// The terminals that move.
    moves: Vec<MoveBody>,
}

/// A terminal that moves.
#[derive(Serialize, ToSchema)]
#[schema(as = TerminalMove)]
pub(crate) struct MoveBody {
    /// The line in the file. The heading is line 1.
    line: u64,
    terminal_id: Uuid,
    serial: Option<String>,
    from_site_id: Uuid,
    to_site_id: Uuid,
}

/// Assign many terminals to sites, from a CSV file.
///
/// The file is as RFC 4180 says or as Excel saves it: cells are separated by commas, semicolons or tabs, a first line
/// such as `sep=;` may name the separator, and the text is in UTF-8, UTF-16 or Windows-1252. It has the columns `terminal` (serial number or id) and `site` (id or name). If it
/// has a fault, nothing is changed, and the answer lists every fault with its line.
#[utoipa::path(
    post, path = "/v1/terminal-assignments", operation_id = "assign_terminals", tag = "terminals",
    request_body(content = String, content_type = "text/csv", example = "terminal,site\n1850012345,Boutique du centre\n"),
    security(("session" = []), ("service" = [])), params(How),
    responses(
        (status = 200, description = "The changes that were made, or would be made", body = AssignmentReport),
        (status = 403, description = "*Manage terminals* is needed at every site in the file", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The file has faults. The answer lists them with their lines", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn assign(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Params(how): Params<How>,
    headers: HeaderMap,
    file: Bytes,
) -> Result<Response, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-csv"));
    }
    let company = company(&caller, how.company)?;
    let anywhere = Need::anywhere(Permission::ManageTerminals);
    api.permit(&caller, Scope::CompaniesWrite, company, anywhere).await?;
    let share = api.admit_costly(&caller, Costly::Import)?;
    let terminals = api.app.terminals(company).await?.state;
    let sites = api.app.company(company).await?.state;
    let (lines, moves) = read(&file, &terminals, &sites)?;
    let concerned: BTreeSet<SiteId> = moves.iter().flat_map(|(_, from, to)| [*from, to.to]).collect();
    for site in concerned {
        let needed = Need::at(Permission::ManageTerminals, site);
        api.permit(&caller, Scope::CompaniesWrite, company, needed).await?;
    }
    let report = report(&terminals, how.dry_run, lines, &moves);
    if how.dry_run {
        return Ok((NothingDone, Json(report)).into_response());
    }
    let mut faults = Faults::default();
    let because = faults.because(&caller, "?reason", how.reason);
    let because = faults.finish(Some(because))?;
    let assignments = moves.iter().map(|(_, _, assignment)| *assignment).collect();
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let done = to_its_end(async move {
        let done = api.app.assign(&context, company, assignments).await;
        drop(share);
        done
    })
    .await?;
    let position = done.map_err(|failure| refused(failure, &moves, at))?;
    let position: [(HeaderName, HeaderValue); 1] = [(POSITION, HeaderValue::from(position.0))];
    Ok((position, Json(report)).into_response())
}

/// What has changed since the file was read, with its line.
fn refused(failure: Failure, moves: &[Move], at: Moment) -> Problem {
    let at_line = |column: &str, rule, is_it: &dyn Fn(&Assignment) -> bool| {
        let line = moves.iter().find(|(_, _, wanted)| is_it(wanted)).map_or(1, |(line, ..)| *line);
        Problem::at(format!("/{line}/{column}"), rule)
    };
    match failure {
        Failure::Company(company::Refusal::NoSuchSite(site))
        | Failure::Terminals(terminals::Refusal::SiteGone(site)) => {
            at_line("site", "site-unknown", &|wanted| wanted.to == site).with("site", site)
        }
        Failure::Terminals(terminals::Refusal::NoSuchTerminal(terminal)) => {
            at_line("terminal", "terminal-unknown", &|wanted| wanted.terminal == terminal)
        }
        Failure::Terminals(terminals::Refusal::Twice(terminal)) => {
            at_line("terminal", "terminal-twice", &|wanted| wanted.terminal == terminal)
        }
        failure => Problem::of(failure, at),
    }
}

fn company(caller: &Caller, asked: Option<Uuid>) -> Result<CompanyId, Problem> {
    match caller {
        Caller::Service(_) => {
            caller.service(Scope::CompaniesWrite)?;
            let mut faults = Faults::default();
            let company = faults.check("?company", asked.ok_or(()), |()| "company-required");
            faults.finish(company.map(CompanyId))
        }
        Caller::Person(person) => match asked {
            Some(asked) if asked != person.profile.company.0 => Err(Problem::not_found()),
            _ => Ok(person.profile.company),
        },
    }
}

/// The line, the terminal's current site, and its new site.
pub(super) type Move = (u64, SiteId, Assignment);

/// The number of lines, and the content of each.
pub(crate) fn read(
    file: &[u8],
    terminals: &Terminals,
    sites: &Company,
) -> Result<(usize, Vec<Move>), Problem> {
    let known = Known::of(terminals, sites);
    let mut faults = LineFaults::default();
    let file = CsvFile::of(file);
    let Some(rows) = file.rows(&["terminal", "site"]) else {
        faults.add(1, "", "csv-columns");
        return Err(Problem::invalid(faults.0));
    };
    let (mut moves, mut seen, mut lines) = (Vec::new(), BTreeSet::new(), 0);
    for (line, cells) in rows {
        lines += 1;
        let Some([terminal, site]) = cells.as_deref() else {
            faults.add(line, "", "csv-line");
            continue;
        };
        let held = known.terminal(terminal);
        match held {
            Some((held, _)) if !seen.insert(held) => faults.add(line, "terminal", "terminal-twice"),
            Some(_) => {}
            None => faults.add(line, "terminal", known.why_unknown(terminal)),
        }
        let to = known.site(site).map_err(|rule| faults.add(line, "site", rule)).ok();
        moves.extend(held.zip(to).map(|((terminal, from), to)| (line, from, Assignment { terminal, to })));
    }
    if lines > MOST_LINES || lines == 0 {
        faults.add(1, "", "csv-length");
    }
    if faults.0.is_empty() { Ok((lines, moves)) } else { Err(Problem::invalid(faults.0)) }
}

/// Returns the faults of a file. If there are many, returns only the first of them.
#[derive(Default)]
struct LineFaults(Vec<Fault>);

impl LineFaults {
    fn add(&mut self, line: u64, column: &str, rule: &'static str) {
        if self.0.len() < MOST_FAULTS {
            self.0.push(Fault { pointer: format!("/{line}/{column}"), rule, places: Vec::new() });
        }
    }
}

/// The sites and terminals that a file can name.
struct Known<'a> {
    terminals: &'a Terminals,
    sites: &'a Company,
    by_serial: HashMap<&'a SerialNumber, TerminalId>,
    by_name: HashMap<String, Vec<SiteId>>,
}

impl<'a> Known<'a> {
    fn of(terminals: &'a Terminals, sites: &'a Company) -> Self {
        let numbered = terminals.held.iter().filter_map(|(id, held)| Some((held.serial.as_ref()?, id)));
        let mut by_name: HashMap<String, Vec<SiteId>> = HashMap::new();
        for (id, site) in sites.sites.iter() {
            by_name.entry(site.name.alike()).or_default().push(id);
        }
        Self { terminals, sites, by_serial: numbered.collect(), by_name }
    }

    /// Why no terminal is named so. A program for tables takes a serial number for a number: it drops zeros before it, and
    /// shortens it (`1,85E+09`).
    fn why_unknown(&self, named: &str) -> &'static str {
        let is_short = |c: char| c.is_ascii_digit() || matches!(c, ',' | '.' | '+');
        let shortened = named.trim().to_ascii_lowercase().split_once('e').is_some_and(|(digits, power)| {
            power.starts_with('+') && [digits, power].iter().all(|part| part.chars().all(is_short))
        });
        let without_zeros = |serial: &SerialNumber| serial.as_str().trim_start_matches('0') == named.trim();
        let lost_zeros =
            named.trim().parse::<u64>().is_ok() && self.by_serial.keys().any(|serial| without_zeros(serial));
        if shortened || lost_zeros { "terminal-spoiled" } else { "terminal-unknown" }
    }

    fn terminal(&self, named: &str) -> Option<(TerminalId, SiteId)> {
        let id = match named.parse::<TerminalId>() {
            Ok(id) => id,
            Err(_) => *self.by_serial.get(&SerialNumber::parse(named).ok()?)?,
        };
        Some((id, self.terminals.held.get(id)?.site))
    }

    fn site(&self, named: &str) -> Result<SiteId, &'static str> {
        if let Ok(id) = named.parse::<SiteId>() {
            return if self.sites.sites.contains(id) { Ok(id) } else { Err("site-unknown") };
        }
        match self.by_name.get(&alike(named)).map(Vec::as_slice) {
            Some([id]) => Ok(*id),
            Some(_) => Err("site-ambiguous"),
            None => Err("site-unknown"),
        }
    }
}

fn report(terminals: &Terminals, dry_run: bool, lines: usize, moves: &[Move]) -> AssignmentReport {
    let moving = moves.iter().filter(|(_, from, to)| *from != to.to);
    let told = moving.map(|(line, from, assignment)| {
        let held = terminals.held.get(assignment.terminal);
        MoveBody {
            line: *line,
            terminal_id: assignment.terminal.0,
            serial: held.and_then(|held| held.serial.as_ref()).map(ToString::to_string),
            from_site_id: from.0,
            to_site_id: assignment.to.0,
        }
    });
    let moves: Vec<MoveBody> = told.collect();
    AssignmentReport { dry_run, lines, unchanged: lines - moves.len(), moves }
}
