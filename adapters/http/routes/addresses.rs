//! Postal addresses, as they come and go.

use loquet_domain::values::address::{Address, AddressRule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::responses::faults::Faults;

/// A postal address.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Address)]
pub(crate) struct AddressBody {
    #[schema(example = "Rue Neuve")]
    street: String,
    #[schema(example = "12")]
    number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#box: Option<String>,
    #[schema(example = "1000")]
    postal_code: String,
    #[schema(example = "Bruxelles")]
    town: String,
    #[schema(example = "BE")]
    country: String,
}

impl AddressBody {
    /// The address, or every part of it that does not hold.
    pub(crate) fn check(self, under: &str, faults: &mut Faults) -> Option<Address> {
        let Self { street, number, r#box, postal_code, town, country } = self;
        let rule = |rule| match rule {
            AddressRule::Text => "address-text",
            AddressRule::PostalCode => "address-postal-code",
            AddressRule::Country => "address-country",
        };
        match (Address { street, number, r#box, postal_code, town, country }).check() {
            Ok(address) => Some(address),
            Err(parts) => {
                parts
                    .into_iter()
                    .for_each(|fault| faults.add(format!("{under}/{}", fault.part), rule(fault.rule)));
                None
            }
        }
    }
}

impl From<Address> for AddressBody {
    fn from(address: Address) -> Self {
        let Address { street, number, r#box, postal_code, town, country } = address;
        Self { street, number, r#box, postal_code, town, country }
    }
}
