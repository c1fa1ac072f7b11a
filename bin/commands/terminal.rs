//! `loquet terminal show`, `release` and `import`.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use loquet_domain::ids::TerminalId;
use loquet_domain::terminals::ReleaseCause;
use loquet_domain::values::serial_number::SerialNumber;
use loquet_projections::ports::Order;
use loquet_projections::views::assignments::{AssignmentRow, Cause};
use loquet_projections::views::sites::SiteRow;
use loquet_projections::views::terminals::TerminalRow;
use serde_json::{Value, json};

use super::account::operator;
use super::known::{Known, Rows};
use super::remote::{Answer, Running};
use super::show::{address, fields, moment, table};
use crate::adapters::Access;
use crate::cli::{
    DataDirectory, ImportTerminals, Output, ReleaseTerminal, Remote, TerminalCommand, WhichTerminal,
};
use crate::config::Config;
use crate::exit_codes::REFUSED_LINES;
use crate::output::{agreed, columns, line, outcome, result};
use crate::settings;
use crate::system::{Parts, System};

/// The most steps of a terminal's history that are listed.
const MOST_STEPS: usize = 10_000;

pub(crate) async fn run(
    directory: &DataDirectory,
    config: &mut Config,
    command: TerminalCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        TerminalCommand::Release(which) => {
            release(directory, config, which).await.map(|()| ExitCode::SUCCESS)
        }
        TerminalCommand::Show(which) => show(directory, &which).await.map(|()| ExitCode::SUCCESS),
        TerminalCommand::Import(import) => self::import(import).await,
    }
}

pub(super) async fn show(directory: &DataDirectory, which: &WhichTerminal) -> anyhow::Result<()> {
    let known = Known::open::<TerminalRow>(directory).await?;
    let terminal = find(&known, &which.terminal).await?;
    let site = known.one::<SiteRow>(terminal.site_id).await?;
    let by = AssignmentRow::BY_TERMINAL.under(terminal.terminal_id);
    let steps = known.some(Rows { by, order: Order::Ascending, limit: MOST_STEPS }).await?;
    let place = site.as_ref().and_then(|site| site.place.as_ref());
    let mut shown = json!({
        "terminal_id": terminal.terminal_id,
        "model": terminal.model,
        "serial": terminal.serial,
        "company_id": terminal.company_id,
        "site_id": terminal.site_id,
        "site_name": place.map(|place| &place.name),
        "site_address": place.map(|place| address(&place.address)),
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
            Cause::Released { site_id, cause } => {
                (format!("released ({})", cause.name()), site_id.to_string(), "-".to_owned())
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

pub(super) async fn find(known: &Known, which: &str) -> anyhow::Result<TerminalRow> {
    if let Ok(id) = which.parse::<TerminalId>() {
        return known.one(id).await?.with_context(|| format!("there is no terminal {id}"));
    }
    let serial = serial(which)?;
    let by = TerminalRow::BY_SERIAL.under(serial.key());
    let found = known.some(Rows { by, order: Order::Ascending, limit: 1 }).await?;
    found.into_iter().next().with_context(|| format!("no terminal has the serial number {serial}"))
}

fn as_json(step: &AssignmentRow) -> Value {
    json!({ "at": step.at, "position": step.position, "actor": step.actor, "cause": step.cause })
}

/// Releases a terminal, by the running server or in the data directory itself.
async fn release(
    directory: &DataDirectory,
    config: &mut Config,
    which: ReleaseTerminal,
) -> anyhow::Result<()> {
    let cause = ReleaseCause::ALL.into_iter().find(|cause| cause.name() == which.cause);
    let cause = cause.with_context(|| format!("unknown cause '{}'", which.cause))?;
    agreed(format_args!("This releases terminal {} from its company.", which.terminal), which.yes)?;
    if let Some(server) = Running::open(&which.remote)? {
        let named = match which.terminal.parse::<TerminalId>() {
            Ok(id) => id.to_string(),
            Err(_) => serial(&which.terminal)?.to_string(),
        };
        let body = serde_json::to_vec(&json!({ "cause": cause, "reason": which.reason }))?;
        let answer = server.post(&format!("/v1/terminals/{named}/release"), body).await?;
        ensure!(answer.status == 204, answer.refusal());
    } else {
        let terminal = find(&Known::open::<TerminalRow>(directory).await?, &which.terminal).await?;
        let policies = settings::policies(config).context("the configuration is not valid")?;
        let system = System::open(directory, Access::Write, Parts { policies, ..Parts::default() });
        let system = system.await.context(
            "can't write to the data directory (if a server is running, use --url and --token-file)",
        )?;
        let context = loquet_domain::fact::Context { reason: Some(which.reason), ..operator() };
        let released =
            system.app.release_terminal(&context, terminal.company_id, terminal.terminal_id, cause).await;
        system.close().await?;
        released?;
    }
    result(
        format_args!("Terminal {} is released. Another order can name its serial number.", which.terminal),
        &json!({ "terminal": which.terminal, "released": true }),
    );
    Ok(())
}

fn serial(text: &str) -> anyhow::Result<SerialNumber> {
    SerialNumber::parse(text).with_context(|| format!("'{text}' is neither an id nor a serial number"))
}

/// The exit code says if the file has faults. In that case nothing was changed.
async fn import(import: ImportTerminals) -> anyhow::Result<ExitCode> {
    let csv = read(&import)?;
    let remote = Remote { url: Some(import.url), token_file: Some(import.token_file) };
    let server =
        Running::open(&remote)?.context("this needs a running server: give --url and --token-file")?;
    let company = server.company(&import.company).await?;
    let mut query = vec![("company", company.to_string()), ("dry_run", import.dry_run.to_string())];
    query.extend(import.reason.map(|reason| ("reason", reason)));
    let answer = server.post_as("/v1/terminal-assignments", &query, "text/csv", csv).await?;
    match answer.status {
        200 => {
            report(&answer.body, Output::of(import.json));
            Ok(ExitCode::SUCCESS)
        }
        422 => {
            faults(&answer, Output::of(import.json));
            Ok(ExitCode::from(REFUSED_LINES))
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
        return result(body, body);
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
    columns(&rows);
    let dry = body.get("dry_run").and_then(Value::as_bool).unwrap_or_default();
    let verb = if dry { "would move (nothing was changed)" } else { "moved" };
    outcome(format_args!("{} {verb}, {} are already at their site", moves.len(), text(body, "unchanged")));
}

fn faults(answer: &Answer, output: Output) {
    if output == Output::Json {
        return result(&answer.body, &answer.body);
    }
    outcome("nothing was changed:");
    for fault in answer.body.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let said = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default();
        // `/3/terminal` names the column `terminal` of the third line.
        let cell = said("pointer").trim_matches('/').replace('/', ", ");
        match cell.strip_prefix('?') {
            Some(argument) => line(format_args!("--{argument}: {}", said("message"))),
            None => line(format_args!("line {cell}: {}", said("message"))),
        };
    }
}
