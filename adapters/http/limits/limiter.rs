//! Limits the requests of one client, and of all anonymous callers together (GCRA, with the `governor` library).
//!
//! A limit is checked before anything is looked up, so its answer reveals nothing about accounts (law 11).

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

use loquet_http_ports::service_tokens::TokenFamily;

/// A rate in requests a second, and the number of requests that may come at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Rate {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All requests of one client address.
    pub requests: Rate,
    /// The logins, reset requests and followed links of one client address.
    pub anonymous: Rate,
    /// The logins, reset requests and followed links of all client addresses together.
    pub all_anonymous: Rate,
    /// How many programs may follow the events at the same time.
    pub event_streams: usize,
}

/// After this number of requests, addresses without recent requests are removed.
const SWEEP: u32 = 10_000;
/// A /48 network has this many times the limit of a /64 network. The owner of a /48 network can use 65 536 /64
/// networks.
pub(crate) const WIDER: u32 = 8;
/// One request in this many of the common limit is reserved for addresses that were not seen recently.
const SHARE: u32 = 5;
/// An address counts as not seen recently if it makes at most this number of requests after a pause, and then one a
/// minute.
const RARELY: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

/// The searches that one token may make: this number at once after a pause, then one a second. This is enough to help
/// one person after another, and makes copying all customers by name slow and visible.
const SEARCHES_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

type Keyed = DefaultKeyedRateLimiter<IpAddr>;
pub(crate) type Until = NotUntil<<DefaultClock as Clock>::Instant>;

/// Counts requests.
pub struct Limiter {
    pub(crate) requests: ByClient,
    pub(crate) anonymous: ByClient,
    /// The common limit of all anonymous callers, without the share for newcomers.
    everybody: DefaultDirectRateLimiter,
    newcomers: DefaultDirectRateLimiter,
    lately: Keyed,
    pub(crate) searches: DefaultKeyedRateLimiter<TokenFamily>,
    seen: AtomicU32,
}

/// Counts by address. An IPv6 address is counted with its /48 network too.
pub(crate) struct ByClient {
    near: Keyed,
    wide: Keyed,
}

impl ByClient {
    fn new(rate: Rate) -> Self {
        let wider = |rate: NonZeroU32| rate.saturating_mul(NonZeroU32::MIN.saturating_add(WIDER - 1));
        let wide = Rate { per_second: wider(rate.per_second), burst: wider(rate.burst) };
        Self { near: RateLimiter::keyed(quota(rate)), wide: RateLimiter::keyed(quota(wide)) }
    }

    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Until> {
        let Counted { near, wide } = Counted::of(address);
        self.near.check_key(&near)?;
        wide.map_or(Ok(()), |wide| self.wide.check_key(&wide))
    }

    fn forget_rested(&self) {
        self.near.retain_recent();
        self.wide.retain_recent();
    }
}

fn quota(rate: Rate) -> Quota {
    Quota::per_second(rate.per_second).allow_burst(rate.burst)
}

impl Limiter {
    /// Counts from zero.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let part = |of: NonZeroU32| NonZeroU32::new(of.get() / SHARE).unwrap_or(NonZeroU32::MIN);
        let rest = |of: NonZeroU32| NonZeroU32::new(of.get() - of.get() / SHARE).unwrap_or(NonZeroU32::MIN);
        let all = limits.all_anonymous;
        let split = |share: &dyn Fn(NonZeroU32) -> NonZeroU32| {
            RateLimiter::direct(quota(Rate { per_second: share(all.per_second), burst: share(all.burst) }))
        };
        Self {
            requests: ByClient::new(limits.requests),
            anonymous: ByClient::new(limits.anonymous),
            everybody: split(&rest),
            newcomers: split(&part),
            lately: RateLimiter::keyed(Quota::per_minute(NonZeroU32::MIN).allow_burst(RARELY)),
            searches: RateLimiter::keyed(quota(Rate {
                per_second: NonZeroU32::MIN,
                burst: SEARCHES_AT_ONCE,
            })),
            seen: AtomicU32::new(0),
        }
    }

    /// Takes one request from the common limit of all anonymous callers. A flood can use up the common part.
    /// An address that was not seen recently still has the share for newcomers, which a flood from known
    /// addresses can't use.
    pub(crate) fn of_all_anonymous(&self, address: Option<IpAddr>) -> Result<(), Until> {
        let is_new = address.is_some_and(|address| {
            let Counted { near, wide } = Counted::of(address);
            self.lately.check_key(&wide.unwrap_or(near)).is_ok()
        });
        match self.everybody.check() {
            Err(_) if is_new => self.newcomers.check(),
            taken => taken,
        }
    }

    pub(crate) fn sweep(&self) {
        if self.seen.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.requests.forget_rested();
            self.anonymous.forget_rested();
            self.lately.retain_recent();
            self.searches.retain_recent();
        }
    }
}

/// The keys under which every limit counts an address: requests, anonymous callers' requests, connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// An IPv4 address as it is. For an IPv6 address, its /64 network: a provider gives each customer at
    /// least one.
    pub(crate) near: IpAddr,
    /// For an IPv6 address, its /48 network, which may have [`WIDER`] times as much.
    pub(crate) wide: Option<IpAddr>,
}

impl Counted {
    /// An IPv4 address that is written as IPv6 (RFC 4291, 2.5.5.2) counts as IPv4.
    pub(crate) fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let wide = address.is_ipv6().then(|| network(address, 48));
        Self { near: network(address, 64), wide }
    }
}

/// The network of an IPv6 address, with this number of bits. Returns an IPv4 address as it is.
fn network(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or_default();
            IpAddr::V6(Ipv6Addr::from(u128::from(six) & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_version_6_is_counted_with_its_network() {
        let counted = |text: &str| {
            let Counted { near, wide } = Counted::of(text.parse().unwrap());
            (near.to_string(), wide.map(|wide| wide.to_string()))
        };
        let both = |near: &str, wide: &str| (near.to_owned(), Some(wide.to_owned()));
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), both("2001:db8:1:2::", "2001:db8:1::"));
        assert_eq!(counted("192.0.2.1"), ("192.0.2.1".to_owned(), None));
        assert_eq!(counted("::ffff:192.0.2.1"), ("192.0.2.1".to_owned(), None));
    }

    fn limiter(anonymous: u32, all: u32) -> Limiter {
        let rate = |n| Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(n).unwrap() };
        let (anonymous, all_anonymous) = (rate(anonymous), rate(all));
        Limiter::new(&Limits { requests: rate(1000), anonymous, all_anonymous, event_streams: 1 })
    }

    fn through(tries: usize, ask: impl Fn(usize) -> bool) -> usize {
        (0..tries).filter(|n| ask(*n)).count()
    }

    #[test]
    fn one_customer_of_a_provider_gets_no_further_with_all_of_its_networks() {
        let limiter = limiter(10, 1);
        let from = |text: String| limiter.anonymous.check(text.parse().unwrap()).is_ok();
        assert!((10..30).contains(&through(100, |n| from(format!("2001:db8:1:1::{n:x}")))));
        // 1000 networks within one /48 get eight times as much, not a thousand times.
        assert!((60..120).contains(&through(1000, |n| from(format!("2001:db8:1:{n:x}::1")))));
        assert!(from("2001:db8:2:1::1".to_owned()), "a neighbour is not concerned");
        assert!((90..=100).contains(&through(100, |n| from(format!("198.51.100.{n}")))));
    }

    #[test]
    fn a_flood_from_many_addresses_leaves_a_share_for_who_was_not_here_lately() {
        let limiter = limiter(1000, 1000);
        let from = |text: String| limiter.of_all_anonymous(Some(text.parse().unwrap())).is_ok();
        // 50 addresses make 20 000 tries. They get the common part, and nothing of the newcomers' share.
        let flood = through(20_000, |n| from(format!("198.51.100.{}", n % 50)));
        assert!((800..850).contains(&flood), "{flood}");
        let flood = through(1000, |n| from(format!("2001:db8:1:{n:x}::1")));
        assert!(flood <= 50, "one network, however many addresses: {flood}");
        for n in 0..20 {
            assert!(from(format!("203.0.113.{n}")));
        }
    }
}
