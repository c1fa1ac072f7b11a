//! A merchant of the sample data: its company, people, sites and orders. Everything is computed from the seed
//! and the merchant's number, so nothing has to be stored.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow};
use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::company::{CompanyName, Registration};
use loquet_domain::ids::{CompanyId, OrderId};
use loquet_domain::order::{Channel, Contact, Content, Line};
use loquet_domain::ports::Tokens;
use loquet_domain::values::address::Address;
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::enterprise_number::{Country, EnterpriseNumber};
use loquet_domain::values::erasable::Erasable;
use loquet_domain::values::language::Language;
use loquet_domain::values::person::{Person, PersonName};
use loquet_domain::values::serial_number::SerialNumber;

use loquet_domain::app::NewOrder;

use super::dice::Dice;
use super::regions::{Region, region};
use super::size::{CHAIN, Size, TakeOverPlan};

/// The terminal models. A model that is sold more often is listed more often.
const MODELS: [&str; 10] = [
    "PAX A920 Mobile",
    "PAX A920 Mobile",
    "PAX A920 Mobile",
    "PAX A920 Mobile",
    "PAX A80 Duo Base",
    "PAX A80 Duo Base",
    "PAX A77 Compact",
    "PAX A77 Compact",
    "Verifone V400m",
    "Verifone P400 Plus",
];
/// The letters of Dutch postal codes.
const LETTERS: &[u8] = b"ABCDEGHJKLMNPRTVWXZ";
/// The purposes of a merchant's dice, besides those of acts.
const NAME: u64 = 1;
const OFFICE: u64 = 2;
const ORDERS: u64 = 3;
const PEOPLE: u64 = 4;
const NUMBERS: u64 = 5;
/// The order number for terminals that were ordered without a serial number. Their serial numbers are derived
/// from it and recorded later.
const NOTED_LATER: u64 = 63;

/// A merchant.
#[derive(Clone)]
pub(super) struct Merchant {
    pub(super) number: u32,
    pub(super) size: Size,
    pub(super) region: &'static Region,
    seed: u64,
}

/// The person whom an order names as its contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A person of the merchant itself.
    Own(u32),
    /// The owner of another merchant.
    OwnerOf(u32),
}

impl Merchant {
    pub(super) fn of(seed: u64, number: u32, size: Size) -> Self {
        let region = region(Dice::of(seed, &[number.into()]).below(20));
        Self { number, size, region, seed }
    }

    pub(super) fn dice(&self, about: u64) -> Dice {
        Dice::of(self.seed, &[self.number.into(), about])
    }

    /// Returns whether the merchant is a chain.
    pub(super) fn is_chain(&self) -> bool {
        self.size.sites >= CHAIN
    }

    /// Returns whether the owner activates the account and manages the company. This is so if there are
    /// colleagues, or if the company will be taken over.
    pub(super) fn is_kept(&self, takeovers: &[TakeOverPlan]) -> bool {
        let named = |plan: &TakeOverPlan| plan.from == self.number || plan.to == self.number;
        self.size.people > 1 || takeovers.iter().any(named)
    }

    fn family(&self, shift: u64) -> &'static str {
        let mut dice = self.dice(PEOPLE);
        let (at, names) = (dice.roll() % 1_000_003, self.region.family);
        nth(names, at + shift)
    }

    /// Returns the registered name without its legal form.
    fn trade(&self) -> String {
        let mut dice = self.dice(NAME);
        match self.is_chain() {
            true => dice.pick(self.region.chains).to_owned(),
            false => dice.pick(self.region.trades).replace("{}", self.family(0)),
        }
    }

    /// Returns the name on the shop, if it differs from the registered name.
    fn door(&self) -> Option<String> {
        let mut dice = self.dice(NAME);
        let (_, named) = (dice.roll(), dice.chance(35) && !self.is_chain());
        named.then(|| dice.pick(self.region.doors).replace("{}", self.person_names(0).0))
    }

    /// Returns the name that customers see.
    pub(super) fn called(&self) -> String {
        self.door().unwrap_or_else(|| self.trade())
    }

    /// Returns a unique enterprise number. The merchant's number is multiplied by a number that has no common
    /// divisor with the size of the range, so no result repeats.
    fn enterprise_number(&self) -> anyhow::Result<EnterpriseNumber> {
        let (number, shift) = (u64::from(self.number), Dice::of(self.seed, &[NUMBERS]).below(1_000_000));
        let digits = match self.region.country {
            Country::Belgium => {
                let body = 2_000_000 + (number * 3_456_789 + shift) % 8_000_000;
                format!("{body:08}{:02}", 97 - body % 97)
            }
            Country::Netherlands => (10_000_000 + (number * 34_567_891 + shift) % 80_000_000).to_string(),
        };
        Ok(EnterpriseNumber::parse(self.region.country, &digits)?)
    }

    pub(super) fn company(&self) -> anyhow::Result<CompanyId> {
        Ok(CompanyId::registered_as(&self.enterprise_number()?))
    }

    pub(super) fn registration(&self) -> anyhow::Result<Registration> {
        let form = self.dice(OFFICE).pick(self.region.forms);
        let door = self.door();
        Ok(Registration {
            number: self.enterprise_number()?,
            legal_name: CompanyName::parse(&format!("{} {form}", self.trade()))?,
            trading_name: door.map(|door| CompanyName::parse(&door)).transpose()?,
            registered_office: self.address(0)?,
        })
    }

    /// Returns a given name and a family name. No two people of a merchant have the same.
    fn person_names(&self, person: u32) -> (&'static str, &'static str) {
        let (names, person) = (self.region.given, u64::from(person));
        let first = self.dice(PEOPLE).roll() % 997;
        let round = person / u64::try_from(names.len()).unwrap_or(1).max(1);
        (nth(names, first + person), self.family(person * 7 + round))
    }

    /// Returns a person of the company. Number zero is the owner.
    pub(super) fn person(&self, person: u32) -> anyhow::Result<Person> {
        let (given, family) = self.person_names(person);
        let domain = format!("{}-{}.example", plain(&self.trade(), "-"), self.number);
        let email = format!("{}.{}@{domain}", plain(given, ""), plain(family, ""));
        Ok(Person {
            email: EmailAddress::parse(&email).with_context(|| format!("'{email}' is no address"))?,
            given_name: PersonName::parse(given)?,
            family_name: PersonName::parse(family)?,
        })
    }

    /// Returns the language for a person: nearly always the language of the region.
    pub(super) fn language(&self, person: u32) -> Language {
        match Dice::of(self.seed, &[self.number.into(), PEOPLE, person.into()]).chance(4) {
            true => Language::En,
            false => self.region.language,
        }
    }

    /// Returns the address of a site. Number zero is also the registered office. The sites of a shop are near
    /// one another; those of a chain are everywhere.
    pub(super) fn address(&self, site: u32) -> anyhow::Result<Address> {
        let towns = self.region.towns;
        let home = self.dice(OFFICE).roll() % 9973;
        let mut dice = Dice::of(self.seed, &[self.number.into(), OFFICE, site.into()]);
        let away = match (site, self.is_chain()) {
            (0, _) => 0,
            (_, true) => dice.below(1000),
            (_, false) => dice.below(5).saturating_sub(2),
        };
        let (code, town) = nth(towns, home + away);
        let postal_code = match self.region.country {
            Country::Belgium => code.to_owned(),
            Country::Netherlands => format!("{code} {}{}", letter(&mut dice), letter(&mut dice)),
        };
        let address = Address {
            street: dice.pick(self.region.streets).to_owned(),
            number: dice.between(1, 190).to_string(),
            r#box: dice.chance(8).then(|| dice.between(1, 12).to_string()),
            postal_code,
            town: town.to_owned(),
            country: self.region.country.to_string(),
        };
        address.check().map_err(|faults| anyhow!("an address of the sample world does not hold: {faults:?}"))
    }

    /// Returns the number of sites. Two sites at the same address count as one.
    pub(super) fn count_sites(&self) -> anyhow::Result<u64> {
        let mut places = BTreeSet::new();
        for site in 0..self.size.sites {
            places.insert(self.address(site)?.key());
        }
        Ok(u64::try_from(places.len())?)
    }

    /// Returns how many orders bring the sites and terminals.
    pub(super) fn stock_orders(&self) -> u32 {
        let mut dice = self.dice(ORDERS);
        let more = match self.size.sites {
            1 => u64::from(dice.chance(30)),
            sites if sites >= CHAIN => dice.between(3, 5),
            sites => dice.between(0, u64::from(sites.min(4)) - 1),
        };
        1 + u32::try_from(more).unwrap_or(0)
    }

    pub(super) fn order_id(&self, order: u32, at: Moment) -> anyhow::Result<OrderId> {
        let number = u64::from(self.number) * 100 + u64::from(order);
        Ok(OrderId::parse(&format!("SO-{}-{number:07}", at.format("%Y")))?)
    }

    /// Returns an order. Each of the first orders brings some of the sites. Every later one brings a terminal
    /// for an existing site.
    pub(super) fn order(
        &self,
        order: u32,
        at: Moment,
        (contact, language): (Person, Language),
        tokens: &dyn Tokens,
    ) -> anyhow::Result<NewOrder> {
        let mut dice = Dice::of(self.seed, &[self.number.into(), ORDERS, order.into()]);
        let (sites, orders) = (self.size.sites, self.stock_orders());
        let share = |n: u32| u64::from(sites) * u64::from(n) / u64::from(orders);
        let (first, end) = if order < orders { (share(order), share(order + 1)) } else { (0, 0) };
        let mut named: Vec<u32> = (first..end).filter_map(|site| u32::try_from(site).ok()).collect();
        if named.is_empty() {
            named.push(u32::try_from(dice.below(share(1).max(1))).unwrap_or(0));
        }
        let mut lines = Vec::with_capacity(named.len());
        for site in named {
            lines.push(self.line(&mut dice, (order, lines.len()), site)?);
        }
        let channel = if dice.chance(70) { Channel::Online } else { Channel::Offline };
        let waited = match channel {
            Channel::Online => TimeDelta::seconds(i64::try_from(dice.between(2, 40))?),
            Channel::Offline => TimeDelta::minutes(i64::try_from(dice.between(20, 400))?),
        };
        let content = Content {
            id: self.order_id(order, at)?,
            channel,
            placed_at: at - waited,
            company: Erasable::Known(self.registration()?),
            language,
            email_hash: tokens.email_hash(&contact.email),
            lines,
        };
        Ok(NewOrder { content, contact: Contact { person: contact, language } })
    }

    fn line(&self, dice: &mut Dice, (order, line): (u32, usize), site: u32) -> anyhow::Result<Line> {
        let (model, quantity) = (dice.pick(&MODELS), dice.pick(&[1_u32, 1, 1, 1, 2, 2, 3, 4]).max(1));
        let first = u64::try_from(line)? * 8;
        let serials = match dice.chance(82) {
            true => (0..quantity)
                .map(|unit| SerialNumber::parse(&self.serial(order.into(), first + u64::from(unit))))
                .collect::<Result<Vec<_>, _>>()?,
            false => Vec::new(),
        };
        let delivery_address = Erasable::Known(self.address(site)?);
        Ok(Line { model: model.to_owned(), quantity, serials, delivery_address })
    }

    /// Returns the serial number of a terminal. No two terminals have the same.
    fn serial(&self, order: u64, unit: u64) -> String {
        let terminal = (u128::from(self.number) * 64 + u128::from(order)) * 4096 + u128::from(unit);
        format!("{:012}", terminal * 387_420_489_001 % 1_000_000_000_000)
    }

    /// Returns the serial number of a terminal that was ordered without one. It is recorded later.
    pub(super) fn later_serial(&self, nth: u64) -> anyhow::Result<SerialNumber> {
        Ok(SerialNumber::parse(&self.serial(NOTED_LATER, nth))?)
    }

    /// Returns the line about the value-added tax on receipts.
    pub(super) fn tax_line(&self) -> anyhow::Result<String> {
        let number = self.enterprise_number()?;
        Ok(match number.country() {
            Country::Belgium => format!("{} BE {}", self.region.tax, number.digits()),
            Country::Netherlands => format!("KvK {}", number.digits()),
        })
    }
}

fn nth<T: Copy + Default>(of: &[T], at: u64) -> T {
    let count = u64::try_from(of.len()).unwrap_or(1).max(1);
    usize::try_from(at % count).ok().and_then(|at| of.get(at).copied()).unwrap_or_default()
}

fn letter(dice: &mut Dice) -> char {
    dice.pick(LETTERS).into()
}

/// Returns a text in the letters of e-mail addresses: without accents, and with the words joined.
fn plain(text: &str, joined: &str) -> String {
    let text = text.to_lowercase();
    let folded = text.chars().map(|letter| match letter {
        'à' | 'â' | 'ä' | 'á' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'î' | 'ï' | 'í' => 'i',
        'ô' | 'ö' | 'ó' => 'o',
        'ù' | 'û' | 'ü' | 'ú' => 'u',
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => ' ',
    });
    folded.collect::<String>().split_whitespace().collect::<Vec<_>>().join(joined)
}

#[cfg(test)]
mod tests {
    use super::super::world::World;
    use super::*;

    #[test]
    fn no_two_people_have_one_address_no_two_companies_one_number_no_two_terminals_one_serial() {
        let world = World::new(11, 5_000, Moment::from_timestamp(1_790_000_000, 0).unwrap());
        let (mut emails, mut numbers, mut serials) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut people, mut terminals) = (0, 0);
        for merchant in (0..world.count()).map(|number| world.merchant(number).unwrap()) {
            assert!(numbers.insert(merchant.enterprise_number().unwrap().digits().to_owned()));
            for person in 0..merchant.size.people {
                people += 1;
                emails.insert(merchant.person(person).unwrap().email.as_str().to_owned());
            }
            for order in 0..merchant.stock_orders() {
                for unit in 0..4 {
                    terminals += 1;
                    serials.insert(merchant.serial(order.into(), unit));
                }
            }
        }
        assert_eq!((people, emails.len(), serials.len()), (5_000, 5_000, terminals));
    }

    #[test]
    fn addresses_are_those_of_their_country_and_names_those_of_their_language() {
        let world = World::new(3, 2_000, Moment::from_timestamp(1_790_000_000, 0).unwrap());
        let mut countries = BTreeSet::new();
        for merchant in (0..world.count()).map(|number| world.merchant(number).unwrap()) {
            let registration = merchant.registration().unwrap();
            let country = registration.number.country().to_string();
            assert_eq!(registration.registered_office.country, country);
            for site in 0..merchant.size.sites.min(5) {
                assert_eq!(
                    merchant.address(site).unwrap().postal_code.len(),
                    if country == "BE" { 4 } else { 7 }
                );
            }
            countries.insert((country, merchant.region.language.code()));
        }
        let expected = [("BE", "fr"), ("BE", "nl"), ("NL", "nl")];
        assert_eq!(countries, expected.map(|(country, language)| (country.to_owned(), language)).into());
    }
}
