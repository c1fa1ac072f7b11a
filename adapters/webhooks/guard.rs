//! Keeps deliveries out of the operator's own network (server-side request forgery, OWASP ASVS 5.0, 13.2.4).
//!
//! A URL names a host, and whoever names the host chooses the addresses that it has. So the addresses are judged when the
//! connection is made, and not when the URL is given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Networks that are not on the public Internet, or reach it only through something else: the special-purpose registries
/// of IANA (RFC 6890), and multicast.
const NOT_PUBLIC: [&str; 17] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    // In IPv6, what is public lies within 2000::/3, except these.
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
];

/// Decides which URLs and addresses events may be sent to.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allowed: Arc<Vec<IpNet>>,
    refused: Arc<Vec<IpNet>>,
}

/// Why a URL can't be an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// It can't be read.
    #[error("'{0}' is no URL, such as https://example.com/loquet")]
    NoUrl(String),
    /// It has another scheme than `https`.
    #[error("a webhook needs https. http is possible only to networks in webhooks.allowed_networks")]
    NotHttps,
    /// It has a user name or password in it.
    #[error("a URL with a user name or password is not accepted: deliveries are signed instead")]
    Credentials,
    /// It names an address of a network that is not public.
    #[error(
        "{0} is an address of a network that is not public. Add the network to webhooks.allowed_networks if events may be sent there"
    )]
    NotPublic(IpAddr),
}

/// Why no connection is made.
#[derive(Debug, thiserror::Error)]
enum NotConnected {
    #[error(
        "the name {name} leads to {address}, an address of a network that is not public (webhooks.allowed_networks)"
    )]
    NotPublic { name: String, address: IpAddr },
    #[error("the name {0} has no address")]
    NoAddress(String),
}

impl Guard {
    /// Allows public addresses, and those of these networks.
    #[must_use]
    pub fn new(allowed: Vec<IpNet>) -> Self {
        let refused = NOT_PUBLIC.iter().filter_map(|network| network.parse().ok()).collect();
        Self { allowed: Arc::new(allowed), refused: Arc::new(refused) }
    }

    /// Whether the operator lists the address.
    fn is_listed(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|network| network.contains(&address))
    }

    /// Whether events may be sent to an address.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = embedded(address);
        let is_public = match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => address.segments()[0] & 0xe000 == 0x2000,
        };
        self.is_listed(address) || is_public && !self.refused.iter().any(|network| network.contains(&address))
    }

    /// Checks a URL as far as it can be checked without its addresses.
    ///
    /// # Errors
    /// [`UrlRefused`] says why it can't be an endpoint.
    pub fn check(&self, url: &str) -> Result<Url, UrlRefused> {
        let read = Url::parse(url).ok().filter(|url| url.has_host());
        let url = read.ok_or_else(|| UrlRefused::NoUrl(url.to_owned()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlRefused::Credentials);
        }
        let address = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        if let Some(address) = address.filter(|address| !self.allows(*address)) {
            return Err(UrlRefused::NotPublic(address));
        }
        match (url.scheme(), address) {
            ("https", _) => Ok(url),
            ("http", Some(address)) if self.is_listed(embedded(address)) => Ok(url),
            // The addresses of the name are judged when the connection is made.
            ("http", None) if !self.allowed.is_empty() => Ok(url),
            _ => Err(UrlRefused::NotHttps),
        }
    }

    /// A resolver for connections of this kind of URL. Over `http`, events go to listed networks alone.
    pub(crate) fn resolver(&self, is_encrypted: bool) -> Guarded {
        Guarded { guard: self.clone(), is_encrypted }
    }
}

/// The IPv4 address in an IPv6 address that stands for one (RFC 4291, 2.5.5; RFC 3056; RFC 6052).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
            if v6 != Ipv6Addr::LOCALHOST && v6 != Ipv6Addr::UNSPECIFIED =>
        {
            of(high, low)
        }
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of(high, low),
        [0x2002, high, low, ..] => of(high, low),
        _ => address,
    }
}

/// Resolves names, and refuses those that lead to an address that is not allowed.
pub(crate) struct Guarded {
    guard: Guard,
    is_encrypted: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, is_encrypted) = (self.guard.clone(), self.is_encrypted);
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let fits = |address: IpAddr| match is_encrypted {
                true => guard.allows(address),
                false => guard.is_listed(embedded(address)),
            };
            if let Some(other) = found.iter().map(SocketAddr::ip).find(|address| !fits(*address)) {
                return Err(NotConnected::NotPublic { name, address: other }.into());
            }
            if found.is_empty() {
                return Err(NotConnected::NoAddress(name).into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_of_the_operators_network_are_refused_however_they_are_written() {
        let guard = Guard::new(Vec::new());
        for inside in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b:1::1",
            "100::1",
        ] {
            assert!(!guard.allows(address(inside)), "{inside}");
        }
        for outside in
            ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808"]
        {
            assert!(guard.allows(address(outside)), "{outside}");
        }
    }

    #[test]
    fn a_listed_network_is_allowed_and_no_other() {
        let guard = Guard::new(vec!["10.1.0.0/16".parse().unwrap(), "fd00:1::/32".parse().unwrap()]);
        for (text, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("fd00:1::9", true),
            ("fd00:2::9", false),
        ] {
            assert_eq!(guard.allows(address(text)), allowed, "{text}");
        }
    }

    #[test]
    fn a_url_is_https_without_credentials_and_leads_nowhere_inside() {
        let guard = Guard::new(Vec::new());
        assert!(guard.check("https://example.com/hooks?x=1").is_ok());
        assert!(guard.check("https://[2606:4700::1111]/").is_ok());
        for (url, why) in [
            ("example.com", "is no URL"),
            ("https://", "is no URL"),
            ("file:///etc/passwd", "is no URL"),
            ("http://example.com", "needs https"),
            ("ftp://example.com", "needs https"),
            ("https://user@example.com", "user name"),
            ("https://user:secret@example.com", "user name"),
            ("https://127.0.0.1/", "not public"),
            ("https://2130706433/", "not public"),
            ("https://0x7f.1/", "not public"),
            ("https://0177.0.0.1/", "not public"),
            ("https://[::1]/", "not public"),
            ("https://[::ffff:169.254.169.254]/latest", "not public"),
        ] {
            let said = guard.check(url).unwrap_err().to_string();
            assert!(said.contains(why), "{url}: {said}");
        }
        let inside = Guard::new(vec!["10.0.0.0/8".parse().unwrap()]);
        assert!(inside.check("http://10.0.0.9:8080/in").is_ok());
        assert!(inside.check("http://127.0.0.1/").is_err());
        assert!(inside.check("http://1.1.1.1/").is_err(), "the open Internet is not listed");
    }

    /// The name is harmless in the URL. Its addresses are not.
    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_when_the_connection_is_made() {
        let guard = Guard::new(Vec::new());
        let name = |text: &str| text.parse::<Name>().unwrap();
        let refused = guard.resolver(true).resolve(name("localhost")).await.err().unwrap().to_string();
        assert!(refused.contains("localhost") && refused.contains("not public"), "{refused}");
        let near = Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert!(near.resolver(true).resolve(name("localhost")).await.is_ok());
        assert!(near.resolver(false).resolve(name("localhost")).await.is_ok());
    }
}
