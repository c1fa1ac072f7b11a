//! The kinds of settings, and the values that each kind allows.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use loquet_http::{Branding, BrandingRefused, Colour};

/// The values that a setting may have, with their bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// One line, not empty.
    Text,
    /// A whole number, bounds included.
    Number(u64, u64),
    /// A number and a unit: `20ms`, `30s`, `15m`, `12h`, `90d`; bounds included.
    Duration(&'static str, &'static str),
    /// One of these.
    Choice(&'static [&'static str]),
    /// Address and port.
    Listen,
    /// Addresses or networks, separated by commas: `10.0.0.0/8, ::1`. The list may be empty. A network that covers
    /// addresses of several owners is refused.
    Networks,
    /// `https://…`, or `http://…`.
    Url,
    /// A time zone's name in the IANA database.
    Zone,
    /// A file or a folder.
    Path,
    /// `Name <address>`.
    Mailbox,
    /// A filter of log lines, in the syntax of `tracing`.
    Filter,
    /// A share between 0 and 1.
    Share,
    /// A colour in which text can be read on white.
    Colour,
    /// Text that is never shown.
    Secret,
}

/// A value that a setting may not have. It says what the setting takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Wrong(String);

impl From<&str> for Wrong {
    fn from(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self(why)
    }
}

/// Reads a duration such as `15m`.
///
/// # Errors
/// Says how a duration is written.
pub(crate) fn duration(text: &str) -> Result<Duration, Wrong> {
    let wrong = || Wrong::from("a duration is a whole number followed by ms, s, m, h or d, such as 15m");
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let milliseconds: u64 = match text.strip_prefix(digits) {
        Some("ms") => 1,
        Some("s") => 1000,
        Some("m") => 60_000,
        Some("h") => 3_600_000,
        Some("d") => 86_400_000,
        _ => return Err(wrong()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits.parse().map_err(|_| Wrong::from("too long"))?;
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| Wrong::from("too long"))
}

impl Kind {
    /// Checks a value. The error says what is wrong with it.
    pub(crate) fn check(&self, text: &str) -> Result<(), Wrong> {
        if text.contains(['\n', '\r', '\0']) {
            return Err("it must be one line".into());
        }
        match *self {
            Self::Text | Self::Path | Self::Secret if text.trim().is_empty() => {
                Err("it must not be empty".into())
            }
            Self::Text | Self::Path | Self::Secret => Ok(()),
            Self::Number(least, most) => match text.parse::<u64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(()),
                _ => Err(format!("it must be a whole number from {least} to {most}").into()),
            },
            Self::Duration(least, most) => {
                let given = duration(text)?;
                if given < duration(least)? || given > duration(most)? {
                    return Err(format!("it must be from {least} to {most}").into());
                }
                Ok(())
            }
            Self::Choice(known) if known.contains(&text) => Ok(()),
            Self::Choice(known) => Err(format!("it must be one of {}", known.join(", ")).into()),
            Self::Listen => text
                .parse::<SocketAddr>()
                .map(drop)
                .map_err(|_| Wrong::from("it must be an address and a port, such as 127.0.0.1:8080")),
            Self::Networks => networks(text).map(drop),
            Self::Url => url(text),
            Self::Zone => text
                .parse::<chrono_tz::Tz>()
                .map(drop)
                .map_err(|_| Wrong::from("unknown time zone; an example of a valid one is Europe/Brussels")),
            Self::Mailbox if loquet_mail::smtp::is_sender(text) => Ok(()),
            Self::Mailbox => Err("it must be an address, or 'Name <address>'".into()),
            Self::Filter => {
                tracing_subscriber::EnvFilter::try_new(text).map(drop).map_err(|e| e.to_string().into())
            }
            Self::Share => match text.parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(()),
                _ => Err("it must be a number from 0 to 1".into()),
            },
            Self::Colour => colour(text).map(drop),
        }
    }

    /// The allowed values in a few words, for the sample and the help.
    pub(crate) fn range(&self) -> String {
        match *self {
            Self::Text => "text".to_owned(),
            Self::Number(least, most) => format!("{least} to {most}"),
            Self::Duration(least, most) => format!("{least} to {most}"),
            Self::Choice(known) => known.join(", "),
            Self::Listen => "address:port".to_owned(),
            Self::Networks => {
                "addresses or networks, separated by commas; none larger than 10.0.0.0/8 or fc00::/7"
                    .to_owned()
            }
            Self::Url => "a URL".to_owned(),
            Self::Zone => "a name of the IANA time zone database".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Mailbox => "'Name <address>'".to_owned(),
            Self::Filter => "error, warn, info, debug, or target=level, ...".to_owned(),
            Self::Share => "0 to 1".to_owned(),
            Self::Colour => "a colour such as #0f5c4a, dark enough for white text".to_owned(),
            Self::Secret => "a secret".to_owned(),
        }
    }

    /// Whether TOML writes the value without quotes.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self, Self::Number(..) | Self::Share)
    }
}

/// Reads the colour of the pages.
///
/// # Errors
/// Says how a colour is written, or that text in it could not be read.
fn colour(text: &str) -> Result<Branding, Wrong> {
    let refused = |why: BrandingRefused| Wrong::from(why.to_string());
    text.parse().and_then(|colour: Colour| Branding::default().with_colour(colour)).map_err(refused)
}

/// Reads networks. A single address is a network of one.
///
/// # Errors
/// Names the part that is neither an address nor a network.
pub(crate) fn networks(text: &str) -> Result<Vec<IpNet>, Wrong> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let alone = part.parse::<std::net::IpAddr>().map(IpNet::from);
            let network = part.parse::<IpNet>().or(alone);
            network
                .map_err(|_| Wrong::from(format!("'{part}' is neither an address nor a network")))
                .map(of_ipv4)
                .and_then(no_wider)
        })
        .collect()
}

/// A network of IPv4 addresses that are written as IPv6 addresses (RFC 4291, 2.5.5.2) is that network of IPv4. Clients'
/// addresses are compared in this form.
fn of_ipv4(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let IpNet::V6(wide) = network else { return network };
    let address = wide.addr().to_ipv4_mapped().zip(wide.prefix_len().checked_sub(MAPPED));
    let narrow = address.and_then(|(address, length)| ipnet::Ipv4Net::new(address, length).ok());
    narrow.map_or(network, IpNet::V4)
}

/// The largest networks that have one owner are the private ones: `10.0.0.0/8` and `fc00::/7` (RFC 1918, RFC 4193).
fn no_wider(network: IpNet) -> Result<IpNet, Wrong> {
    let least = if matches!(network, IpNet::V4(_)) { 8 } else { 7 };
    match network.prefix_len() >= least {
        true => Ok(network),
        false => {
            Err(format!("'{network}' is too large: everybody in it could forge their client address").into())
        }
    }
}

fn url(text: &str) -> Result<(), Wrong> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let is_url = reqwest::Url::parse(text).is_ok_and(|url| url.has_host());
    if !is_url || host.is_empty() || text.contains(['?', '#', ' ', '"', '<', '@', '\\']) {
        return Err("it must consist of scheme, host and path only, such as https://portal.example".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_mapped_addresses_is_the_network_that_they_stand_for() {
        let read =
            |text: &str| networks(text).map(|read| read.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(read("::ffff:10.0.0.0/104"), Ok(vec!["10.0.0.0/8".to_owned()]));
        assert_eq!(
            read("::ffff:192.0.2.7, 2001:db8::/32"),
            Ok(vec!["192.0.2.7/32".to_owned(), "2001:db8::/32".to_owned()])
        );
        assert!(read("::ffff:0.0.0.0/96").is_err(), "everybody could forge an address");
    }
}
