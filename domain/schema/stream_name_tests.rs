//! The names of streams are frozen, because existing logs contain them.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::CATEGORIES;
use crate::decider::Decider;
use crate::ids::{AccountId, CompanyId, LogoId, OrderId, SiteId, TakeOverId};
use crate::stream::StreamId;
use crate::values::email_address::EmailHash;
use crate::values::serial_number::SerialNumber;
use crate::{
    access, account, administration, company, email_claim, logo, order, receipt, serial_claim, takeover,
    terminals,
};

/// One stream of each aggregate.
fn streams() -> [StreamId; 11] {
    let id = Uuid::from_u128(7);
    [
        account::stream(AccountId(id)),
        email_claim::stream(&EmailHash("ab12".to_owned())),
        company::stream(CompanyId(id)),
        order::stream(&OrderId::parse("SO-2026-000123").unwrap()),
        terminals::stream(CompanyId(id)),
        serial_claim::stream(&SerialNumber::parse("1234567890").unwrap()),
        access::stream(CompanyId(id)),
        receipt::stream(SiteId(id)),
        logo::stream(LogoId(id)),
        takeover::stream(TakeOverId(id)),
        administration::stream(),
    ]
}

#[test]
fn every_stream_is_named_as_it_was_frozen() {
    let names = streams().map(|stream| stream.to_string());
    assert_eq!(
        names.each_ref().map(String::as_str),
        [
            "account-00000000-0000-0000-0000-000000000007",
            "email-ab12",
            "company-00000000-0000-0000-0000-000000000007",
            "order-SO-2026-000123",
            "terminals-00000000-0000-0000-0000-000000000007",
            "serial-1234567890",
            "access-00000000-0000-0000-0000-000000000007",
            "receipt-00000000-0000-0000-0000-000000000007",
            "logo-00000000-0000-0000-0000-000000000007",
            "takeover-00000000-0000-0000-0000-000000000007",
            "administration-system",
        ]
    );
}

#[test]
fn every_aggregates_category_is_in_the_list_and_no_two_are_the_same() {
    let streams = streams();
    let of_aggregates: Vec<_> = streams.iter().map(StreamId::category).collect();
    assert_eq!(of_aggregates, CATEGORIES);
    assert_eq!(of_aggregates.iter().collect::<BTreeSet<_>>().len(), CATEGORIES.len());
}

#[test]
fn what_an_aggregate_decides_on_is_of_its_own_category() {
    let of_deciders = [
        account::Account::CATEGORY,
        email_claim::EmailClaim::CATEGORY,
        company::Company::CATEGORY,
        order::Order::CATEGORY,
        terminals::Terminals::CATEGORY,
        serial_claim::SerialClaim::CATEGORY,
        access::Access::CATEGORY,
        receipt::Receipt::CATEGORY,
        logo::KeptLogo::CATEGORY,
        takeover::TakeOver::CATEGORY,
        administration::Administration::CATEGORY,
    ];
    assert_eq!(of_deciders, CATEGORIES);
}

#[test]
fn only_an_accounts_stream_names_an_account() {
    let account = AccountId(Uuid::from_u128(7));
    let named = streams().map(|stream| stream.account());
    assert_eq!(named.iter().flatten().collect::<Vec<_>>(), [&account]);
    assert_eq!(StreamId::new(account::CATEGORY, "nobody").account(), None);
}
