//! A table of an extract, written as JSON Lines, CSV and Apache Parquet at the same time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chrono::DateTime;
use loquet_files::create_private;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

/// The rows of a row group of Parquet. They are kept in memory until it is full.
const GROUP: usize = 20_000;

/// The type of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number.
    Integer,
    /// A moment (RFC 3339; in Parquet, microseconds UTC).
    Moment,
    /// Text.
    Text,
    /// An object or a list, as JSON.
    Json,
}

/// The name and the columns of a table. A row is a JSON object; what it does not have is empty.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

impl Table {
    /// The names of its files.
    pub(super) fn files(&self) -> [String; 3] {
        ["jsonl", "csv", "parquet"].map(|ending| format!("{}.{ending}", self.name))
    }

    /// Begins the files of the table in a folder.
    pub(super) fn begin(&self, folder: &Path) -> anyhow::Result<TableWriter> {
        let [json_lines, csv, parquet] = self.files().map(|file| create_private(&folder.join(file)));
        let mut csv = csv::Writer::from_writer(csv?);
        csv.write_record(self.columns.iter().map(|(name, _)| name))?;
        let fields: String = self.columns.iter().map(|(name, kind)| parquet_field(name, *kind)).collect();
        let schema = parse_message_type(&format!("message {} {{ {fields} }}", self.name))?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        Ok(TableWriter {
            columns: self.columns,
            json_lines: BufWriter::new(json_lines?),
            csv,
            parquet: SerializedFileWriter::new(parquet?, Arc::new(schema), Arc::new(properties))?,
            group: Vec::new(),
        })
    }
}

fn parquet_field(name: &str, kind: Kind) -> String {
    match kind {
        Kind::Integer => format!("optional int64 {name};"),
        Kind::Moment => format!("optional int64 {name} (TIMESTAMP(MICROS,true));"),
        Kind::Text => format!("optional binary {name} (STRING);"),
        Kind::Json => format!("optional binary {name} (JSON);"),
    }
}

/// The files of a table that is being written.
pub(super) struct TableWriter {
    columns: &'static [(&'static str, Kind)],
    json_lines: BufWriter<File>,
    csv: csv::Writer<File>,
    parquet: SerializedFileWriter<File>,
    group: Vec<Value>,
}

impl TableWriter {
    /// Adds a row.
    pub(super) fn add(&mut self, row: Value) -> anyhow::Result<()> {
        writeln!(self.json_lines, "{row}")?;
        self.csv.write_record(self.columns.iter().map(|(name, _)| text(&row, name).unwrap_or_default()))?;
        self.group.push(row);
        if self.group.len() >= GROUP {
            self.write_group()?;
        }
        Ok(())
    }

    /// Ends the files.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.write_group()?;
        self.parquet.close()?;
        self.json_lines.flush()?;
        self.csv.flush()?;
        Ok(())
    }

    fn write_group(&mut self) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.group);
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.parquet.next_row_group()?;
        for (name, kind) in self.columns {
            write_column(&mut group, &rows, name, *kind).with_context(|| format!("the column {name}"))?;
        }
        group.close()?;
        Ok(())
    }
}

/// Writes a column. A row without a value is at definition level 0.
fn write_column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    rows: &[Value],
    name: &str,
    kind: Kind,
) -> anyhow::Result<()> {
    let mut column = group.next_column()?.context("it is not in the schema")?;
    match kind {
        Kind::Integer | Kind::Moment => {
            let values: Vec<Option<i64>> =
                rows.iter().map(|row| integer(row, name, kind)).collect::<anyhow::Result<_>>()?;
            let present: Vec<i64> = values.iter().flatten().copied().collect();
            column.typed::<Int64Type>().write_batch(&present, Some(&levels(&values)), None)?;
        }
        Kind::Text | Kind::Json => {
            let values: Vec<Option<ByteArray>> =
                rows.iter().map(|row| text(row, name).map(|text| text.into_bytes().into())).collect();
            let present: Vec<ByteArray> = values.iter().flatten().cloned().collect();
            column.typed::<ByteArrayType>().write_batch(&present, Some(&levels(&values)), None)?;
        }
    }
    column.close()?;
    Ok(())
}

fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|value| i16::from(value.is_some())).collect()
}

fn text(row: &Value, name: &str) -> Option<String> {
    match row.get(name)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

fn integer(row: &Value, name: &str, kind: Kind) -> anyhow::Result<Option<i64>> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if kind == Kind::Moment => {
            Ok(Some(DateTime::parse_from_rfc3339(text)?.timestamp_micros()))
        }
        Some(value) => value.as_i64().map(Some).context("a value is no whole number"),
    }
}
