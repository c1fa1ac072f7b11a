//! The names, streets and towns of each region. This folder holds only data.

mod flanders;
mod netherlands;
mod wallonia;

use loquet_domain::values::enterprise_number::Country;
use loquet_domain::values::language::Language;

/// The place and language of a company.
pub(super) struct Region {
    pub(super) language: Language,
    pub(super) country: Country,
    /// Given names.
    pub(super) given: &'static [&'static str],
    /// Family names.
    pub(super) family: &'static [&'static str],
    /// Postal codes and towns. In the Netherlands, the four digits of a code.
    pub(super) towns: &'static [(&'static str, &'static str)],
    pub(super) streets: &'static [&'static str],
    /// Company activities. In the registered name, `{}` stands for the owner's name.
    pub(super) trades: &'static [&'static str],
    /// Names on shops.
    pub(super) doors: &'static [&'static str],
    /// Legal forms.
    pub(super) forms: &'static [&'static str],
    /// The names of chains.
    pub(super) chains: &'static [&'static str],
    /// The names that owners give to sites.
    pub(super) sites: &'static [&'static str],
    pub(super) groups: Groups,
    /// The line above a payment, after the name of the shop.
    pub(super) opening_hours: &'static str,
    /// The line between the payment and the cardholder's part.
    pub(super) returns: &'static str,
    /// The last line.
    pub(super) thanks: &'static [&'static str],
    /// The words before the number for the value-added tax.
    pub(super) tax: &'static str,
    /// Reasons why support ends a lockout.
    pub(super) released: &'static str,
    /// Reasons why an account is deleted, and why a person is erased.
    pub(super) left: &'static str,
    pub(super) forgotten: &'static str,
}

/// The names of user groups, and their purposes.
pub(super) struct Groups {
    pub(super) till: (&'static str, &'static str),
    pub(super) manager: (&'static str, &'static str),
    pub(super) books: (&'static str, &'static str),
}

/// Returns the region of a company. Of twenty companies, nine are in French-speaking Belgium, six in
/// Dutch-speaking Belgium, and five in the Netherlands.
pub(super) fn region(of_twenty: u64) -> &'static Region {
    match of_twenty {
        0..9 => &wallonia::REGION,
        9..15 => &flanders::REGION,
        _ => &netherlands::REGION,
    }
}
