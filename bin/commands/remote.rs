//! Sends requests to a running server, which does the work.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use loquet_domain::ids::CompanyId;
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use crate::cli::Remote;
use crate::settings::read_secret;

/// How often a request is repeated when a limit refuses it.
const PATIENCE: u32 = 20;

/// A running server, and a token for it.
pub(super) struct Running {
    client: reqwest::Client,
    url: String,
    token: String,
    token_file: PathBuf,
}

/// A complete answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Running {
    /// Returns `None` when this process does the work itself.
    pub(super) fn open(remote: &Remote) -> anyhow::Result<Option<Self>> {
        let (Some(url), Some(token)) = (&remote.url, &remote.token_file) else { return Ok(None) };
        Self::at(url, token).map(Some)
    }

    /// The server at an address, with the token in a file.
    pub(super) fn at(url: &str, token_file: &Path) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).build()?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { client, url, token: read_secret(token_file)?, token_file: token_file.to_owned() })
    }

    /// Asks for something.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), query)?;
        let ask = || self.client.get(url.clone());
        Answer::of(self.sent(ask).await?).await
    }

    /// Posts JSON, and returns the file that the server answers with.
    pub(super) async fn file(&self, path: &str, kind: &str, json: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        let ask = || {
            let request = self.client.post(format!("{}{path}", self.url)).header("accept", kind);
            request.header("content-type", "application/json").body(json.clone())
        };
        let answer = self.sent(ask).await?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(Answer::of(answer).await?.refusal());
        }
        Ok(answer.bytes().await?.to_vec())
    }

    /// Returns the company with this id or enterprise number.
    pub(super) async fn company(&self, which: &str) -> anyhow::Result<CompanyId> {
        if let Ok(id) = which.parse() {
            return Ok(id);
        }
        let found = self.get("/v1/companies", &[("enterprise_number", which)]).await?;
        anyhow::ensure!(found.status == 200, found.refusal());
        let id = found.body.pointer("/items/0/company_id").and_then(Value::as_str);
        id.and_then(|id| id.parse().ok())
            .with_context(|| format!("'{which}' is neither a company's id nor its enterprise number"))
    }

    /// Sends JSON as it is. Waits and repeats the request when the server answers 429.
    pub(super) async fn post(&self, path: &str, json: Vec<u8>) -> anyhow::Result<Answer> {
        self.post_as(path, &[], "application/json", json).await
    }

    /// Does the same with parameters, and with a body of any type.
    pub(super) async fn post_as(
        &self,
        path: &str,
        query: &[(&str, String)],
        kind: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), query)?;
        let ask = || self.client.post(url.clone()).header("content-type", kind).body(body.clone());
        Answer::of(self.sent(ask).await?).await
    }

    /// Sends a request with the token. Waits and repeats it when the server answers 429.
    async fn sent(&self, ask: impl Fn() -> RequestBuilder) -> anyhow::Result<Response> {
        for _ in 0..PATIENCE {
            let request = ask().bearer_auth(&self.token).header("accept-language", "en");
            let answer = request.send().await.with_context(|| format!("no answer from {}", self.url))?;
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            match (answer.status().as_u16(), wait) {
                (401, _) => anyhow::bail!(
                    "{} does not accept the token in {}: `loquet token list` says which tokens hold",
                    self.url,
                    self.token_file.display()
                ),
                (429, Some(seconds)) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                _ => return Ok(answer),
            }
        }
        anyhow::bail!("the server refused {PATIENCE} requests in a row: its limits may be too low for this")
    }
}

impl Answer {
    async fn of(answer: Response) -> anyhow::Result<Self> {
        let status = answer.status().as_u16();
        Ok(Self { status, body: answer.json().await.unwrap_or_default() })
    }

    /// Returns a text from the body. Returns an empty text if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Makes an error from the server's answer.
    pub(super) fn refusal(&self) -> anyhow::Error {
        let faults = self.body.get("errors").and_then(Value::as_array).into_iter().flatten();
        let text = |fault: &Value, name: &str| {
            fault
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .trim_start_matches(['?', '/'])
                .to_owned()
        };
        let faults: Vec<String> =
            faults.map(|fault| format!("{}: {}", text(fault, "pointer"), text(fault, "message"))).collect();
        match faults.is_empty() {
            true => anyhow::anyhow!("the server answered {}: {}", self.status, self.text("detail")),
            false => anyhow::anyhow!("the server answered {}: {}", self.status, faults.join("\n")),
        }
    }
}
