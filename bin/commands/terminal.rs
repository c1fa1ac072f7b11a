//! `loquet terminal show` and `import`.

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use loquet_domain::ids::TerminalId;
use loquet_domain::values::serial_number::SerialNumber;
use loquet_projections::ports::Order;
use loquet_projections::views::assignments::{AssignmentRow, Cause};
use loquet_projections::views::sites::SiteRow;
use loquet_projections::views::terminals::TerminalRow;
use serde_json::{Value, json};

use super::known::{Known, Rows};
use super::remote::{Answer, Running};
use super::show::{address, fields, moment, table};
use crate::cli::{DataDirectory, ImportTerminals, Output, Remote, TerminalCommand, WhichTerminal};
use crate::output::{line, outcome};

/// The most steps of a terminal's history that are listed.
const MOST_STEPS: usize = 10_000;

pub(crate) async fn run(directory: &DataDirectory, command: TerminalCommand) -> anyhow::Result<ExitCode> {
    match command {
        TerminalCommand::Show(which) => show(directory, &which).await.map(|()| ExitCode::SUCCESS),
        TerminalCommand::Import(import) => self::import(import).await,
    }
}

async fn show(directory: &DataDirectory, which: &WhichTerminal) -> anyhow::Result<()> {
    let known = Known::open::<TerminalRow>(directory).await?;
    let terminal = find(&known, &which.terminal).await?;
    let site = known.one::<SiteRow>(terminal.site_id).await?;
    let by = AssignmentRow::BY_TERMINAL.under(terminal.terminal_id);
    let steps = known.some(Rows { by, order: Order::Ascending, limit: MOST_STEPS }).await?;
    let mut shown = json!({
        "terminal_id": terminal.terminal_id,
        "model": terminal.model,
        "serial": terminal.serial,
        "company_id": terminal.company_id,
        "site_id": terminal.site_id,
        "site_name": site.as_ref().map(|site| &site.name),
        "site_address": site.as_ref().map(|site| address(&site.address)),
        "added_at": terminal.added_at,
        "order_id": terminal.order_id,
        "position": known.position(),
    });
    if which.json {
        let steps: Vec<_> = steps.iter().map(as_json).collect();
        if let Some(told) = shown.as_object_mut() {
            told.insert("history".to_owned(), json!(steps));
        }
        line(&shown);
        return Ok(());
    }
    fields(&shown);
    let mut rows = table(&["AT", "WHAT", "FROM", "TO"]);
    for step in steps {
        let (what, from, to) = match step.cause {
            Cause::Ordered { order_id, site_id } => {
                (format!("ordered by {order_id}"), "-".to_owned(), site_id.to_string())
            }
            Cause::Assigned { from_site_id, to_site_id } => {
                ("assigned".to_owned(), from_site_id.to_string(), to_site_id.to_string())
            }
            Cause::TakenOver { from_company_id, to_company_id, .. } => (
                "taken over".to_owned(),
                format!("company {from_company_id}"),
                format!("company {to_company_id}"),
            ),
        };
        rows.add_row([moment(step.at), what, from, to]);
    }
    line(format_args!("\n{rows}"));
    Ok(())
}

async fn find(known: &Known, which: &str) -> anyhow::Result<TerminalRow> {
    if let Ok(id) = which.parse::<TerminalId>() {
        return known.one(id).await?.with_context(|| format!("there is no terminal {id}"));
    }
    let serial = SerialNumber::parse(which)
        .with_context(|| format!("'{which}' is neither an id nor a serial number"))?;
    let by = TerminalRow::BY_SERIAL.under(serial.key());
    let found = known.some(Rows { by, order: Order::Ascending, limit: 1 }).await?;
    found.into_iter().next().with_context(|| format!("no terminal has the serial number {serial}"))
}

fn as_json(step: &AssignmentRow) -> Value {
    json!({ "at": step.at, "position": step.position, "actor": step.actor, "cause": step.cause })
}

/// The exit code is 2 if the file has faults. In that case nothing was changed.
async fn import(import: ImportTerminals) -> anyhow::Result<ExitCode> {
    let csv = read(&import)?;
    let remote = Remote { url: Some(import.url), token_file: Some(import.token_file) };
    let server =
        Running::open(&remote)?.context("this needs a running server: give --url and --token-file")?;
    let path = format!("/v1/terminal-assignments?company={}&dry_run={}", import.company, import.dry_run);
    let answer = server.post_as(&path, "text/csv", csv).await?;
    match answer.status {
        200 => {
            report(&answer.body, Output::of(import.json));
            Ok(ExitCode::SUCCESS)
        }
        422 => {
            faults(&answer, Output::of(import.json));
            Ok(ExitCode::from(2))
        }
        _ => Err(answer.refusal()),
    }
}

fn read(import: &ImportTerminals) -> anyhow::Result<Vec<u8>> {
    if import.file.as_os_str() == "-" {
        let mut csv = Vec::new();
        std::io::stdin().read_to_end(&mut csv)?;
        return Ok(csv);
    }
    std::fs::read(&import.file).with_context(|| format!("can't read {}", import.file.display()))
}

fn report(body: &Value, output: Output) {
    if output == Output::Json {
        return outcome(body);
    }
    let text = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let mut rows = table(&["LINE", "TERMINAL", "SERIAL", "FROM SITE", "TO SITE"]);
    let moves = body.get("moves").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for step in moves {
        let cells = ["line", "terminal_id", "serial", "from_site_id", "to_site_id"];
        rows.add_row(cells.map(|name| text(step, name)));
    }
    line(&rows);
    let dry = body.get("dry_run").and_then(Value::as_bool).unwrap_or_default();
    let verb = if dry { "would move (nothing was changed)" } else { "moved" };
    outcome(format_args!("{} {verb}, {} are already at their site", moves.len(), text(body, "unchanged")));
}

fn faults(answer: &Answer, output: Output) {
    if output == Output::Json {
        return outcome(&answer.body);
    }
    outcome("nothing was changed:");
    for fault in answer.body.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let said = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default();
        // `/3/terminal` names the column `terminal` of the third line.
        let cell = said("pointer").trim_matches('/').replace('/', ", ");
        line(format_args!("line {cell}: {}", said("message")));
    }
}
