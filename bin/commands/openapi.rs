//! `loquet openapi`.

pub(crate) fn run() -> anyhow::Result<()> {
    crate::output::line(serde_json::to_string_pretty(&loquet_http::openapi())?);
    Ok(())
}
