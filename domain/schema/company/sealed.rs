//! Which field of the encrypted part holds which value of a company.

use crate::company::{CompanyName, MovedSite, Registration, SiteName};
use crate::schema::{Private, Sealable};
use crate::values::address::Address;
use crate::values::enterprise_number::EnterpriseNumber;

/// Values that each such event has. If one is absent, it was erased.
macro_rules! always {
    ($($type:ty => $field:ident),* $(,)?) => {
        $(impl Sealable for $type {
            fn seal(self, private: &mut Private) {
                private.$field = Some(self.into());
            }

            fn open(private: &Private) -> Option<Self> {
                private.$field.clone().map(Into::into)
            }
        })*
    };
}

/// Values that such an event may have.
macro_rules! at_times {
    ($($type:ty => $field:ident),* $(,)?) => {
        $(impl Sealable for Option<$type> {
            fn seal(self, private: &mut Private) {
                private.$field = self;
            }

            fn open(private: &Private) -> Option<Self> {
                Some(private.$field.clone())
            }
        })*
    };
}

always! {
    Registration => registration,
    CompanyName => legal_name,
    EnterpriseNumber => number,
    Address => address,
    SiteName => site_name,
    Vec<MovedSite> => sites,
}

at_times! {
    CompanyName => trading_name,
    Address => address,
    SiteName => site_name,
}
