//! What names, streets and towns are like, region by region. Data, and nothing else.

mod flanders;
mod netherlands;
mod wallonia;

use loquet_domain::values::enterprise_number::Country;
use loquet_domain::values::language::Language;

/// Where a company is, and how people speak there.
pub(super) struct Region {
    pub(super) language: Language,
    pub(super) country: Country,
    /// Given names.
    pub(super) given: &'static [&'static str],
    /// Family names.
    pub(super) family: &'static [&'static str],
    /// Postal code and town; in the Netherlands the four digits of a code.
    pub(super) towns: &'static [(&'static str, &'static str)],
    pub(super) streets: &'static [&'static str],
    /// What companies do: what stands in the register before or around the owner's name, `{}`.
    pub(super) trades: &'static [&'static str],
    /// Names over the door.
    pub(super) doors: &'static [&'static str],
    /// Legal forms.
    pub(super) forms: &'static [&'static str],
    /// What chains are called.
    pub(super) chains: &'static [&'static str],
    /// What sites are called once somebody names them.
    pub(super) sites: &'static [&'static str],
    pub(super) groups: Groups,
    /// Above a payment, after the name over the door.
    pub(super) opening_hours: &'static str,
    /// Between payment and cardholder's part.
    pub(super) returns: &'static str,
    /// Below everything.
    pub(super) thanks: &'static [&'static str],
    /// What stands before the number of the value-added tax.
    pub(super) tax: &'static str,
    /// Why support ends a lockout.
    pub(super) released: &'static str,
    /// Why an account is deleted, and why a person is forgotten.
    pub(super) left: &'static str,
    pub(super) forgotten: &'static str,
}

/// Names of user groups and what they are for.
pub(super) struct Groups {
    pub(super) till: (&'static str, &'static str),
    pub(super) manager: (&'static str, &'static str),
    pub(super) books: (&'static str, &'static str),
}

/// The region of a company: nine of twenty French-speaking Belgium, six Dutch-speaking, five the Netherlands.
pub(super) fn region(of_twenty: u64) -> &'static Region {
    match of_twenty {
        0..9 => &wallonia::REGION,
        9..15 => &flanders::REGION,
        _ => &netherlands::REGION,
    }
}
