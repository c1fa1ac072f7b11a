//! All texts for people, in French, Dutch and English. Each language has one Fluent file.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use loquet_domain::values::language::Language;
use unic_langid::LanguageIdentifier;

/// The texts of a catalogue in all languages.
pub struct Words {
    bundles: [(Language, FluentBundle<FluentResource>); 3],
}

/// A catalogue can't be read. This is found at start-up and by a test, never while the server runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the texts in {language} can't be read: {why}")]
pub struct UnreadableWords {
    /// The language.
    pub language: &'static str,
    /// What is wrong.
    pub why: String,
}

/// The values for the variables in a text.
pub type Places<'a> = &'a [(&'a str, &'a str)];

impl Words {
    /// Reads the three files of a catalogue.
    ///
    /// # Errors
    /// [`UnreadableWords`] names the first error.
    pub fn read(fr: &str, nl: &str, en: &str) -> Result<Self, UnreadableWords> {
        Ok(Self {
            bundles: [
                (Language::Fr, bundle(Language::Fr, fr)?),
                (Language::Nl, bundle(Language::Nl, nl)?),
                (Language::En, bundle(Language::En, en)?),
            ],
        })
    }

    /// A message in a language. If it is missing there, returns the French one. If that is missing too, returns its
    /// name.
    #[must_use]
    pub fn say(&self, language: Language, name: &str, places: Places<'_>) -> String {
        self.look_up(language, name, places)
            .or_else(|| self.look_up(Language::default(), name, places))
            .unwrap_or_else(|| name.to_owned())
    }

    /// Whether a language has a message.
    #[must_use]
    pub fn has(&self, language: Language, name: &str) -> bool {
        self.bundle(language).is_some_and(|bundle| bundle.has_message(name))
    }

    fn look_up(&self, language: Language, name: &str, places: Places<'_>) -> Option<String> {
        let bundle = self.bundle(language)?;
        let pattern = bundle.get_message(name)?.value()?;
        // Most texts have no variables.
        if pattern.elements.len() == 1 {
            let mut faults = Vec::new();
            let text = bundle.format_pattern(pattern, None, &mut faults);
            if faults.is_empty() {
                return Some(text.into_owned());
            }
        }
        let mut args = FluentArgs::new();
        for (place, text) in places {
            // A count is a number, so that a text can choose by it.
            let count = (*place == "count").then(|| text.parse::<u32>().ok()).flatten();
            args.set(*place, count.map_or_else(|| FluentValue::from(*text), FluentValue::from));
        }
        let mut faults = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&args), &mut faults).into_owned();
        faults.is_empty().then_some(text)
    }

    fn bundle(&self, language: Language) -> Option<&FluentBundle<FluentResource>> {
        self.bundles.iter().find(|(of, _)| *of == language).map(|(_, bundle)| bundle)
    }
}

fn bundle(language: Language, text: &str) -> Result<FluentBundle<FluentResource>, UnreadableWords> {
    let fault = |why: String| UnreadableWords { language: language.code(), why };
    let resource =
        FluentResource::try_new(text.to_owned()).map_err(|(_, faults)| fault(format!("{faults:?}")))?;
    let id: LanguageIdentifier = language.code().parse().map_err(|e| fault(format!("{e:?}")))?;
    let mut bundle = FluentBundle::new_concurrent(vec![id]);
    // Fluent puts isolation marks around variables. They would end up in subjects and addresses.
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).map_err(|faults| fault(format!("{faults:?}")))?;
    Ok(bundle)
}
