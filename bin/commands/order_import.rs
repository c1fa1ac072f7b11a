//! `loquet order import`.

use std::io::{BufRead, BufReader, Read};
use std::process::ExitCode;

use anyhow::Context;
use encoding_rs_io::DecodeReaderBytesBuilder;
use indicatif::{ProgressBar, ProgressStyle};
use loquet_domain::app::Failure;
use loquet_domain::values::plain_text::visible;
use loquet_http::read_order;
use serde::Serialize;
use serde_json::Value;

use super::account::operator;
use super::remote::Running;
use crate::adapters::Access;
use crate::cli::{DataDirectory, Import};
use crate::config::Config;
use crate::exit_codes::REFUSED_LINES;
use crate::output::{self, line, outcome};
use crate::settings;
use crate::system::{Parts, System};

/// The longest line that is read, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// Where the orders are delivered to.
enum Target {
    Folder(Box<System>),
    Server(Running),
}

/// The result of one line.
enum Delivered {
    New,
    Again,
    Refused(Vec<String>),
}

#[derive(Default, Serialize)]
struct Report {
    lines: u64,
    new: u64,
    delivered_before: u64,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    line: u64,
    why: Vec<String>,
}

/// Delivers every order. Fails at the end if an order was refused.
pub(crate) async fn run(
    directory: &DataDirectory,
    config: &mut Config,
    import: Import,
) -> anyhow::Result<ExitCode> {
    let (mut lines, bar) = open(&import)?;
    let target = Target::open(directory, config, &import).await?;
    let mut report = Report::default();
    loop {
        let mut line = Vec::new();
        let read = lines.by_ref().take(MOST_BYTES + 1).read_until(b'\n', &mut line);
        let read = read.with_context(|| stopped_after(report.lines))?;
        if read == 0 {
            break;
        }
        report.lines += 1;
        bar.inc(u64::try_from(read).unwrap_or(0));
        if line.trim_ascii().is_empty() {
            continue;
        }
        let cut_short = !line.ends_with(b"\n") && u64::try_from(read)? > MOST_BYTES;
        let delivered = if cut_short {
            skip_line(&mut lines).with_context(|| stopped_after(report.lines))?;
            Delivered::Refused(vec!["longer than 1 MiB".to_owned()])
        } else {
            let delivered = target.deliver(line.trim_ascii()).await;
            delivered.with_context(|| stopped_after(report.lines - 1))?
        };
        report.note(delivered);
        bar.set_message(format!("{} new, {} refused", report.new, report.refused.len()));
    }
    bar.finish_and_clear();
    target.close().await?;
    report.print(import.json)?;
    Ok(if report.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(REFUSED_LINES) })
}

/// Reports how much was done before the import stopped.
fn stopped_after(lines: u64) -> String {
    format!(
        "stopped after line {lines}: all lines up to it were delivered. Solve the problem, then run the import again"
    )
}

fn open(import: &Import) -> anyhow::Result<(Box<dyn BufRead>, ProgressBar)> {
    let (reader, length): (Box<dyn Read>, u64) = if import.file.as_os_str() == "-" {
        (Box::new(std::io::stdin()), 0)
    } else {
        let file = std::fs::File::open(&import.file)
            .with_context(|| format!("can't read {}", import.file.display()))?;
        let length = file.metadata()?.len();
        (Box::new(file), length)
    };
    let bar = if output::errors_are_watched() { ProgressBar::new(length) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta} {msg}")?;
    Ok((Box::new(BufReader::new(in_utf_8(reader))), bar.with_style(style)))
}

/// Reads a text in UTF-8. A byte order mark is dropped. With the mark of UTF-16, as PowerShell writes files, the text is
/// converted.
fn in_utf_8<R: Read>(reader: R) -> impl Read {
    DecodeReaderBytesBuilder::new().bom_override(true).utf8_passthru(true).strip_bom(true).build(reader)
}

fn skip_line(lines: &mut Box<dyn BufRead>) -> anyhow::Result<()> {
    loop {
        let buffer = lines.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        let done = end.is_some() || buffer.is_empty();
        lines.consume(used);
        if done {
            return Ok(());
        }
    }
}

impl Target {
    async fn open(directory: &DataDirectory, config: &mut Config, import: &Import) -> anyhow::Result<Self> {
        if let Some(server) = Running::open(&import.remote)? {
            return Ok(Self::Server(server));
        }
        let policies = settings::policies(config).context("the configuration is not valid")?;
        let parts = Parts { policies, node: "import".to_owned(), ..Parts::default() };
        let system = System::open(directory, Access::Write, parts).await.context(
            "can't import into the data directory (if a server is running, use --url and --token-file)",
        )?;
        Ok(Self::Folder(Box::new(system)))
    }

    async fn deliver(&self, line: &[u8]) -> anyhow::Result<Delivered> {
        match self {
            Self::Folder(system) => into_folder(system, line).await,
            Self::Server(server) => into_server(server, line).await,
        }
    }

    async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Folder(system) => system.close().await,
            Self::Server(_) => Ok(()),
        }
    }
}

async fn into_folder(system: &System, line: &[u8]) -> anyhow::Result<Delivered> {
    let context = operator();
    let order = match read_order(line, system.app.tokens(), context.at) {
        Ok(order) => order,
        Err(faults) => return Ok(Delivered::Refused(faults)),
    };
    match system.app.place_order(&context, order).await {
        Ok(placed) if placed.new => Ok(Delivered::New),
        Ok(_) => Ok(Delivered::Again),
        Err(Failure::Unavailable(error)) => Err(error.into()),
        Err(refused) => Ok(Delivered::Refused(vec![refused.to_string()])),
    }
}

async fn into_server(server: &Running, line: &[u8]) -> anyhow::Result<Delivered> {
    let answer = server.post("/v1/orders", line.to_vec()).await?;
    match answer.status {
        201 => Ok(Delivered::New),
        200 => Ok(Delivered::Again),
        400 | 409 | 413 | 422 => {
            let broken = answer.body.get("errors").and_then(|errors| errors.as_array());
            let said = |error: &Value, name: &str| {
                error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let sentence = |error| match said(error, "pointer").as_str() {
                "" => said(error, "message"),
                pointer => format!("{pointer}: {}", said(error, "message")),
            };
            let mut why: Vec<String> = broken.into_iter().flatten().map(sentence).collect();
            if why.is_empty() {
                why.push(answer.text("detail").to_owned());
            }
            Ok(Delivered::Refused(why))
        }
        _ => Err(answer.refusal()),
    }
}

impl Report {
    fn note(&mut self, delivered: Delivered) {
        match delivered {
            Delivered::New => self.new += 1,
            Delivered::Again => self.delivered_before += 1,
            Delivered::Refused(why) => {
                // Text from a server is escaped before it is shown, as text from the file is.
                let why = why.iter().map(|why| visible(why).into_owned()).collect();
                self.refused.push(Refused { line: self.lines, why });
            }
        }
    }

    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            outcome(serde_json::to_string(self)?);
            return Ok(());
        }
        let Self { new, delivered_before, refused, .. } = self;
        outcome(format_args!("{new} new, {delivered_before} delivered before, {} refused", refused.len()));
        for refused in refused {
            line(format_args!("line {}: {}", refused.line, refused.why.join("; ")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let text = "{\"a\":\"é\"}\r\n{}\n";
        let marked = format!("\u{feff}{text}");
        let low: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let high: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [text.as_bytes(), marked.as_bytes(), &low, &high] {
            let mut read = String::new();
            in_utf_8(bytes).read_to_string(&mut read).unwrap();
            assert_eq!(read, text, "{bytes:?}");
        }
        let mut broken = Vec::new();
        in_utf_8(&b"{\xff}"[..]).read_to_end(&mut broken).unwrap();
        assert_eq!(broken, b"{\xff}", "a broken line is refused as it is");
    }
}
