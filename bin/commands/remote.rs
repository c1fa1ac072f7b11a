//! Sends requests to a running server, which does the work.

use std::time::Duration;

use anyhow::Context;
use reqwest::header::RETRY_AFTER;
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
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).build()?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Some(Self { client, url, token: read_secret(token)? }))
    }

    /// Sends JSON as it is. Waits and repeats the request when the server answers 429.
    pub(super) async fn post(&self, path: &str, json: Vec<u8>) -> anyhow::Result<Answer> {
        self.post_as(path, "application/json", json).await
    }

    /// Does the same with a body of any type.
    pub(super) async fn post_as(&self, path: &str, kind: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        for _ in 0..PATIENCE {
            let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
            let request = request.header("content-type", kind).header("accept-language", "en");
            let answer = request.body(body.clone()).send().await;
            let answer = answer.with_context(|| format!("no answer from {}", self.url))?;
            let status = answer.status().as_u16();
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            match (status, wait) {
                (429, Some(seconds)) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                _ => return Ok(Answer { status, body: answer.json().await.unwrap_or_default() }),
            }
        }
        anyhow::bail!("the server refused {PATIENCE} requests in a row: its limits may be too low for this")
    }
}

impl Answer {
    /// Returns a text from the body. Returns an empty text if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Makes an error from the server's answer.
    pub(super) fn refusal(&self) -> anyhow::Error {
        anyhow::anyhow!("the server answered {}: {}", self.status, self.text("detail"))
    }
}
