use loquet_domain::Moment;
use loquet_domain::account::{ActivationMails, Origin, Profile, Role};
use loquet_domain::ids::CompanyId;
use loquet_domain::values::email_address::{EmailAddress, EmailHash};
use loquet_domain::values::erasable::Erasable;
use loquet_domain::values::language::Language;
use loquet_domain::values::person::{Person, PersonName};

use super::*;
use crate::local_time::Precision;

fn letters() -> Letters {
    let head = Letterhead {
        brand: "MyCCV".to_owned(),
        public_url: "https://portal.example".to_owned(),
        time_zone: chrono_tz::Europe::Brussels,
        accents: Accents {
            light: Accent { colour: "#003366".to_owned(), text: "#ffffff".to_owned() },
            dark: Accent { colour: "#99c2ff".to_owned(), text: "#121614".to_owned() },
        },
    };
    Letters::new(head).unwrap()
}

fn marie(name: &str) -> Option<Person> {
    Some(Person {
        email: EmailAddress::parse("marie@boulangerie.be").ok()?,
        // Old events may contain such a name.
        given_name: PersonName::stored(name.to_owned()),
        family_name: PersonName::parse("Dupont").ok()?,
    })
}

fn profile(language: Language, person: &Person) -> Profile {
    Profile {
        company: CompanyId(Uuid::nil()),
        role: Role::Administrator,
        language,
        email_hash: EmailHash(String::new()),
        origin: Origin::Colleague { account_id: None },
        person: Erasable::Known(person.clone()),
        erased: false,
        activations: ActivationMails::default(),
    }
}

fn write(kind: MailKind, language: Language, name: &str) -> Option<Message> {
    let person = marie(name)?;
    let profile = profile(language, &person);
    let until = "2026-11-23T13:05:00Z".parse().ok()?;
    let linked =
        matches!(kind, MailKind::Activation | MailKind::PasswordReset | MailKind::PasswordResetBySupport);
    let link = linked.then(|| letters().link("activate", "TOKEN"));
    let told = [
        "sites",
        "order",
        "company",
        "giver",
        "taker",
        "reference",
        "browser",
        "system",
        "address",
        "count",
        "who",
        "ends",
        "waits",
        "role",
        "first",
        "by",
    ];
    let places = told.map(|place| (place, place.to_uppercase())).to_vec();
    let tidings = Tidings { link, places, ..Tidings::of(until) };
    letters().write(Uuid::nil(), kind, (&person, &profile), tidings).ok()
}

#[test]
fn every_mail_has_all_its_words_in_every_language() {
    let letters = letters();
    for language in Language::ALL {
        for kind in MailKind::ALL {
            for part in ["subject", "paragraph-1", "paragraph-2"] {
                let name = format!("{}-{part}", kind.name());
                assert!(letters.words().has(language, &name), "{language:?} lacks {name}");
            }
            let parts = ["{ $", "-subject", "-paragraph-", "-button"];
            let missing = |text: &str| parts.iter().any(|part| text.contains(part));
            let message =
                write(kind, language, "Marie").unwrap_or_else(|| panic!("{kind:?} in {language:?}"));
            assert!(!missing(&message.subject), "{}", message.subject);
            assert!(!missing(&message.text), "{}", message.text);
        }
    }
}

#[test]
fn a_mail_has_the_colours_of_the_pages_for_light_and_for_dark_screens() {
    let html = write(MailKind::Activation, Language::Fr, "Marie").map(|message| message.html).unwrap();
    let (dark, light) = html.split_once("</style>").unwrap();
    assert!(light.contains("background:#003366;color:#ffffff"), "{light}");
    let (_, dark) = dark.split_once("prefers-color-scheme: dark").unwrap();
    assert!(dark.contains("background: #99c2ff !important; color: #121614 !important"), "{dark}");
}

#[test]
fn the_french_activation_mail_has_the_subject_that_the_customer_chose() {
    let message = write(MailKind::Activation, Language::Fr, "Marie");
    assert_eq!(message.map(|m| m.subject), Some("Confirmez votre compte MyCCV".to_owned()));
}

#[test]
fn the_release_is_told_in_local_time() {
    let text = write(MailKind::LockedOut, Language::Fr, "Marie").map(|m| m.text).unwrap_or_default();
    assert!(text.contains("le 23/11/2026 à 14:05 (CET)"), "{text}");
}

#[test]
fn a_time_is_told_as_exactly_as_its_reader_needs_it() {
    let person = marie("Marie").unwrap();
    let moment = "2026-11-23T13:05:00.001Z".parse().unwrap();
    let told = |precision| {
        let tidings =
            Tidings { precision, places: vec![("who", "everybody".to_owned())], ..Tidings::of(moment) };
        let to = (&person, &profile(Language::Nl, &person));
        letters().write(Uuid::nil(), MailKind::LockedOut, to, tidings).unwrap().text
    };
    assert!(told(Precision::Minute).contains("uiterlijk op 23-11-2026 om 14:05 (CET)."));
    assert!(told(Precision::NextMinute).contains("uiterlijk op 23-11-2026 om 14:06 (CET)."));
    assert!(told(Precision::Day).contains("uiterlijk op 23-11-2026."));
}

#[test]
fn a_mail_of_a_new_device_says_what_is_known_and_no_more() {
    let person = marie("Marie").unwrap();
    let told = |language, known: [&str; 3]| {
        let places = ["browser", "system", "address"].into_iter().zip(known.map(str::to_owned)).collect();
        let tidings = Tidings { places, ..Tidings::of(Moment::default()) };
        letters()
            .write(Uuid::nil(), MailKind::NewDevice, (&person, &profile(language, &person)), tidings)
            .unwrap()
            .text
    };
    let all = ["Firefox", "Linux", "203.0.113.7"];
    assert!(told(Language::Fr, all).contains("encore\u{a0}: Firefox sur Linux, à l’adresse IP 203.0.113.7."));
    assert!(told(Language::Nl, all).contains("kenden: Firefox op Linux, met IP-adres 203.0.113.7."));
    assert!(told(Language::En, all).contains("before: Firefox on Linux, at the IP address 203.0.113.7."));
    let nothing = told(Language::En, ["unknown"; 3]);
    assert!(nothing.contains("before: a program that we do not recognise."), "{nothing}");
}

#[test]
fn one_new_site_is_told_in_the_singular_and_several_in_the_plural() {
    let person = marie("Marie").unwrap();
    let subject = |count: &str| {
        let places = [("sites", "Rue Neuve, Bruxelles"), ("order", "SO-1"), ("count", count)];
        let places = places.map(|(place, text)| (place, text.to_owned())).to_vec();
        let tidings = Tidings { places, ..Tidings::of(Moment::default()) };
        let to = (&person, &profile(Language::Fr, &person));
        letters().write(Uuid::nil(), MailKind::SitesOpened, to, tidings).unwrap().subject
    };
    assert_eq!(subject("one"), "Nouveau site sur MyCCV");
    assert_eq!(subject("several"), "Nouveaux sites sur MyCCV");
}

#[test]
fn a_mail_without_buttons_introduces_its_link_as_its_language_does() {
    let text = |language| write(MailKind::Activation, language, "Marie").unwrap().text;
    assert!(text(Language::Fr).contains("Choisir mon mot de passe\u{a0}:\nhttps://"));
    assert!(text(Language::Nl).contains("Mijn wachtwoord kiezen:\nhttps://"));
}

#[test]
fn a_name_cannot_smuggle_markup_into_the_html() {
    let message = write(MailKind::Activation, Language::En, "<b>Marie</b>&");
    let html = message.map(|m| m.html).unwrap_or_default();
    assert!(!html.contains("<b>"), "{html}");
    assert!(html.contains("https://portal.example/activate?token=TOKEN"), "{html}");
}

#[test]
fn no_mail_makes_a_link_of_a_name_however_old_its_event_is() {
    let names = ["http://win.example/", "www.win.example", "Claim at win.example", "a\r\nBcc: b@win.example"];
    for (kind, name) in MailKind::ALL.into_iter().flat_map(|kind| names.map(|name| (kind, name))) {
        let message = write(kind, Language::En, name).unwrap();
        for part in [&message.subject, &message.to_name, &message.text, &message.html] {
            for link in ["http://win", "www.win", "win.example", "@win"] {
                assert!(!part.contains(link), "{kind:?} {name:?}: {part}");
            }
            assert!(!part.contains('\r'), "{kind:?} {name:?}: {part}");
        }
        assert!(!message.subject.contains('\n') && !message.to_name.contains('\n'));
    }
}

/// The variables whose values other people choose.
const CHOSEN_BY_OTHERS: [&str; 9] =
    ["sites", "order", "count", "giver", "taker", "reference", "browser", "system", "address"];

#[test]
fn what_others_chose_is_no_link_in_any_mail() {
    let person = marie("Marie").unwrap();
    for kind in MailKind::ALL {
        for (language, place) in
            Language::ALL.into_iter().flat_map(|language| CHOSEN_BY_OTHERS.map(|place| (language, place)))
        {
            let mut places = CHOSEN_BY_OTHERS.map(|p| (p, String::new()));
            places
                .iter_mut()
                .filter(|(p, _)| *p == place)
                .for_each(|(_, text)| *text = "https://win.example".into());
            let tidings = Tidings { places: places.to_vec(), ..Tidings::of(Moment::default()) };
            let message =
                letters().write(Uuid::nil(), kind, (&person, &profile(language, &person)), tidings).unwrap();
            for part in [message.subject, message.text, message.html] {
                assert!(!part.contains("://win") && !part.contains("win.example"), "{kind:?}: {part}");
            }
        }
    }
}
