//! `loquet openapi`.

pub(crate) fn run() -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&loquet_adapters::http::openapi())?);
    Ok(())
}
