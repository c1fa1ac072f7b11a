//! The languages of everything that a person reads.

use serde::{Deserialize, Serialize};

/// French, Dutch or English. French is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Français.
    #[default]
    Fr,
    /// Nederlands.
    Nl,
    /// English.
    En,
}

impl Language {
    /// Every language, the default first.
    pub const ALL: [Self; 3] = [Self::Fr, Self::Nl, Self::En];

    /// The ISO 639-1 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::Nl => "nl",
            Self::En => "en",
        }
    }

    /// Reads an ISO 639-1 code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// The best of the three languages for an `Accept-Language` header (RFC 9110, 12.5.4). Returns French if none
    /// fits.
    #[must_use]
    pub fn accepted(header: &str) -> Self {
        let weighted = header.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next()?.split('-').next()?.to_ascii_lowercase();
            let quality = parts.find_map(|p| p.strip_prefix("q="));
            let quality: f32 = quality.map_or(Some(1.0), |q| q.parse().ok())?;
            Some((Self::parse(&tag)?, quality)).filter(|(_, quality)| *quality > 0.0)
        });
        weighted
            .fold(None, |best: Option<(Self, f32)>, next| match best {
                Some(held) if held.1 >= next.1 => Some(held),
                _ => Some(next),
            })
            .map_or(Self::default(), |(language, _)| language)
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn the_language_of_the_highest_quality_is_chosen_and_french_where_none_is_known() {
        assert_eq!(Language::accepted("de, nl-BE;q=0.8, en;q=0.9"), Language::En);
        assert_eq!(Language::accepted("nl,en"), Language::Nl);
        assert_eq!(Language::accepted("de;q=1, *;q=0.5"), Language::Fr);
        assert_eq!(Language::accepted("en;q=0, nl;q=x"), Language::Fr);
        assert_eq!(Language::accepted(""), Language::Fr);
    }
}
