//! `loquet health`: asks a running server how it is. For containers and scripts, where no other HTTP client is at hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use loquet_projections::causes::Causes;
use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::cli::Health;
use crate::config::Config;
use crate::output::{note, result};

/// Asks the server once. Returns 0 if it is ready (or, with `--live`, if it runs), otherwise 1.
pub(crate) async fn run(config: &Config, health: Health) -> anyhow::Result<ExitCode> {
    // Other settings may be wrong here. This command needs none of them.
    let listen = config.parsed("http.listen").unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    let server = health.url.map_or_else(|| address_of(listen), |url| url.trim_end_matches('/').to_owned());
    let (path, well) = match health.live {
        true => ("/healthz", "the process runs"),
        false => ("/readyz", "the server is ready"),
    };
    // A proxy of the environment leads out of this machine, and the server is usually on it.
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(health.timeout)).build()?;
    let said = match client.get(format!("{server}{path}")).send().await {
        Ok(answer) if answer.status() == StatusCode::OK => {
            result(format_args!("{server}: {well}"), &json!({ "url": server, "healthy": true }));
            return Ok(ExitCode::SUCCESS);
        }
        Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
            "the process runs, but it is not ready: its log says why, and so does /readyz with a service token".to_owned()
        }
        Ok(answer) => format!("it answered {}: is this a Loquet server?", answer.status()),
        Err(error) => {
            let why = Causes(&error.without_url()).to_string();
            format!("no answer: {why}. If the server listens elsewhere, name its address with --url")
        }
    };
    note(format_args!("loquet: {server}: {said}"));
    Ok(ExitCode::FAILURE)
}

/// Returns the URL of a server on this machine. A server that listens on every address is asked on the loopback
/// address.
fn address_of(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_every_address_is_asked_on_the_loopback_address() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://[::1]:8080"),
            ("10.1.2.3:80", "http://10.1.2.3:80"),
        ] {
            assert_eq!(address_of(listen.parse().unwrap()), asked);
        }
    }
}
