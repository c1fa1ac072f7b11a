//! The names by which a development server may be asked. It shows every mail to whoever asks, so a page on the web
//! must not ask it: by DNS rebinding any page's own name can lead to 127.0.0.1, and the browser then sends that name in
//! `Host`.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;

/// `localhost`, the loopback addresses, and what the operator names as the public address.
#[derive(Clone, Debug)]
pub struct DevHosts {
    /// Name and port as `Host` says them, in lower case. The first is told to who asks by another.
    known: Vec<String>,
}

impl DevHosts {
    /// The names of a server that listens on this address. `public_url` is where links in mails lead.
    #[must_use]
    pub fn of(listening: SocketAddr, public_url: &str) -> Self {
        let address = match listening {
            SocketAddr::V4(four) => four.ip().to_string(),
            SocketAddr::V6(six) => format!("[{}]", six.ip()),
        };
        let names = [address.as_str(), "localhost", "127.0.0.1", "[::1]"];
        let with_port = |name: &str, port: u16, usual: u16| {
            let named = format!("{name}:{port}");
            // A browser leaves out the scheme's usual port.
            std::iter::once(named).chain((port == usual).then(|| name.to_owned()))
        };
        let mut known: Vec<_> =
            names.into_iter().flat_map(|name| with_port(name, listening.port(), 80)).collect();
        let (usual, rest) = match public_url.strip_prefix("https://") {
            Some(rest) => (443, rest),
            None => (80, public_url.trim_start_matches("http://")),
        };
        let authority = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
        // After the bracket of an address of version 6, if it is one.
        let after_name = authority.rsplit(']').next().unwrap_or_default();
        match after_name.contains(':') {
            true => {
                let bare = authority.strip_suffix(&format!(":{usual}")).map(ToOwned::to_owned);
                known.extend(bare.into_iter().chain([authority]));
            }
            false if !authority.is_empty() => known.extend(with_port(&authority, usual, usual)),
            false => {}
        }
        Self { known }
    }

    /// Refuses a request that is for another name, for none or for two.
    pub(crate) fn admit(&self, request: &Request) -> Result<(), Problem> {
        let of_target = request.uri().authority().map(|authority| authority.as_str());
        let is_ours = |name: &str| self.known.contains(&name.to_ascii_lowercase());
        if one_host(request.headers()).is_some_and(is_ours) && of_target.is_none_or(is_ours) {
            return Ok(());
        }
        let known = self.known.first().map_or("localhost", String::as_str);
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "not-a-development-host").with("host", known))
    }
}

/// What `Host` says, where it stands there once, as it must (RFC 9112, 3.2).
fn one_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?;
    if hosts.next().is_some() {
        return None;
    }
    host.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(hosts: &DevHosts, target: &str, said: &[&str]) -> bool {
        let mut request = Request::builder().uri(target);
        for host in said {
            request = request.header(header::HOST, *host);
        }
        hosts.admit(&request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn a_development_server_answers_to_its_own_names_alone() {
        let hosts = DevHosts::of("127.0.0.1:8080".parse().unwrap(), "http://127.0.0.1:8080");
        for ours in ["127.0.0.1:8080", "localhost:8080", "LocalHost:8080", "[::1]:8080"] {
            assert!(asked(&hosts, "/dev/mail", &[ours]), "{ours}");
        }
        for other in [
            "evil.example",
            "evil.example:8080",
            "localhost",
            "localhost:8081",
            "localhost.evil.example:8080",
            "evil.example@localhost:8080",
            "localhost:8080.evil.example",
            "127.0.0.1",
            "127.0.0.1.nip.io:8080",
            "192.168.1.7:8080",
            "0.0.0.0:8080",
            "[::ffff:127.0.0.1]:8080",
            "localhost:8080, evil.example",
            "",
        ] {
            assert!(!asked(&hosts, "/dev/mail", &[other]), "{other}");
        }
        assert!(!asked(&hosts, "/", &[]), "no Host");
        assert!(!asked(&hosts, "/", &["localhost:8080", "evil.example"]), "two of them");
        assert!(!asked(&hosts, "http://evil.example/", &["localhost:8080"]), "the target's own counts");
        assert!(asked(&hosts, "http://localhost:8080/", &["localhost:8080"]));
    }

    #[test]
    fn the_public_address_is_a_name_of_it_with_the_port_or_without_the_usual_one() {
        let with = |url: &str| DevHosts::of("[::1]:80".parse().unwrap(), url);
        let hosts = with("https://Portal.example");
        assert!(asked(&hosts, "/", &["portal.example"]) && asked(&hosts, "/", &["portal.example:443"]));
        assert!(!asked(&hosts, "/", &["portal.example:80"]));
        assert!(asked(&hosts, "/", &["localhost"]) && asked(&hosts, "/", &["[::1]:80"]));
        let hosts = with("http://[fd00::7]:9000/portal");
        assert!(asked(&hosts, "/", &["[fd00::7]:9000"]) && !asked(&hosts, "/", &["[fd00::7]"]));
        let hosts = with("http://portal.example:80");
        assert!(asked(&hosts, "/", &["portal.example"]) && asked(&hosts, "/", &["portal.example:80"]));
    }
}
