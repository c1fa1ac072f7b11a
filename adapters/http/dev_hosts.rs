//! The host names that a development server answers to. It shows every mail to anybody, so a web page must not reach
//! it. By DNS rebinding, the name of any web page can lead to 127.0.0.1; the browser then sends that name in `Host`.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};

use crate::responses::problem::Problem;

/// `localhost`, the loopback addresses, the address that the server listens on, and the name in `public_url`. Ports
/// are not compared: a page can forge a name by its DNS but not a port, and a tunnel to the server changes the port.
#[derive(Clone, Debug)]
pub struct DevHosts {
    /// In lower case. An IPv6 address has its brackets.
    names: Vec<String>,
    /// The address that the server listens on. A request with another host name gets this address in its
    /// answer.
    listening: SocketAddr,
}

impl DevHosts {
    /// The names of a server that listens on this address. `public_url` is where links in mails lead.
    #[must_use]
    pub fn of(listening: SocketAddr, public_url: &str) -> Self {
        let address = match listening.ip() {
            IpAddr::V4(four) => four.to_string(),
            IpAddr::V6(six) => format!("[{six}]"),
        };
        let scheme_less = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
        let public = name_of(scheme_less.split('/').next().unwrap_or_default());
        let names = [address.as_str(), "localhost", "127.0.0.1", "[::1]"].into_iter().chain(public);
        Self { names: names.map(str::to_ascii_lowercase).collect(), listening }
    }

    /// Refuses a request whose `Host` is another name, is missing, or is there twice.
    pub(crate) fn admit(&self, request: &Request) -> Result<(), Problem> {
        let of_target = request.uri().authority().map(Authority::as_str);
        let is_ours =
            |host: &str| name_of(host).is_some_and(|name| self.names.contains(&name.to_ascii_lowercase()));
        if one_host(request.headers()).is_some_and(is_ours) && of_target.is_none_or(is_ours) {
            return Ok(());
        }
        let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "not-a-development-host");
        Err(problem.with("host", self.listening))
    }
}

/// The name in `name:port` or `name`. Returns `None` if the text after the name is no port.
fn name_of(host: &str) -> Option<&str> {
    // An IPv6 address contains colons.
    let end = host.find(']').map_or(0, |bracket| bracket + 1);
    let (within, rest) = host.split_at_checked(end)?;
    let (name, port) = rest.split_once(':').map_or((rest, None), |(name, port)| (name, Some(port)));
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let name = host.get(..within.len() + name.len())?;
    (is_port && !name.is_empty()).then_some(name)
}

/// The value of `Host`, if the header is there exactly once, as RFC 9112, 3.2 demands.
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
        for ours in
            ["127.0.0.1:8080", "localhost:8080", "LocalHost", "[::1]:8080", "127.0.0.1", "localhost:9000"]
        {
            assert!(asked(&hosts, "/dev/mail", &[ours]), "{ours}");
        }
        for other in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example:8080",
            "evil.example@localhost:8080",
            "localhost:8080@evil.example",
            "localhost:8080.evil.example",
            "localhost:99999",
            "localhost.",
            "127.0.0.1.nip.io:8080",
            "127.0.0.1]evil.example",
            "192.168.1.7:8080",
            "0.0.0.0:8080",
            "[::ffff:127.0.0.1]:8080",
            "localhost:8080, evil.example",
            ":8080",
            "[",
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
    fn the_public_address_and_the_one_it_listens_on_are_names_of_it() {
        let with = |url: &str| DevHosts::of("[::ffff:127.0.0.2]:80".parse().unwrap(), url);
        let hosts = with("https://Portal.example/path");
        assert!(asked(&hosts, "/", &["portal.example"]) && asked(&hosts, "/", &["portal.example:443"]));
        assert!(asked(&hosts, "/", &["[::ffff:127.0.0.2]"]) && !asked(&hosts, "/", &["[::2]"]));
        assert!(!asked(&hosts, "/", &["https"]) && !asked(&hosts, "/", &["path"]));
        let hosts = with("http://[fd00::7]:9000");
        assert!(asked(&hosts, "/", &["[fd00::7]:9000"]) && !asked(&hosts, "/", &["[fd00::8]:9000"]));
    }
}
