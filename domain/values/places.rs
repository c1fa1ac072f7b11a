//! Places with names in several languages: each is one place.
//!
//! The table holds facts alone. It was compiled by hand, and not every entry was compared with its source yet. For
//! Brussels' municipalities, the source is the Special Act of 12 January 1989 on the Brussels institutions, article 2,
//! with their official names in both languages. For other Belgian municipalities, it is the list of municipalities of
//! Statbel (FPS Economy) for the official names. For names in the other national languages, the sources are
//! Wikipedia's "List of names of Belgian places in other languages" and "Lijst van Nederlandse namen voor Franstalige
//! plaatsen in België". For France, Luxembourg, Germany and the Netherlands, they are Wikipedia's "Nederlandse exoniemen",
//! "Exonymes français" and the list of Luxembourg's communes in three languages.
//!
//! Villages that became part of a municipality are other places, so they are not in the table. A postal code is compared
//! besides the town. So two places of one name in one country stay two.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::values::latin::words;

/// The country of a place, and its names.
type Place = (&'static str, &'static [&'static str]);

/// The City of Brussels. Within the Brussels region, people write its name for every municipality.
const BRUSSELS: &[&str] = &[
    "Bruxelles",
    "Brussel",
    "Brüssel",
    "Brussels",
    "Bruxelles-Ville",
    "Ville de Bruxelles",
    "Stad Brussel",
    "Brussel-Stad",
    "City of Brussels",
    "Bruxelles-Capitale",
    "Brussel-Hoofdstad",
    "Bxl",
];

#[rustfmt::skip]
const PLACES: &[Place] = &[
    // Brussels: nineteen municipalities, and three former ones that are still postal towns.
    ("BE", BRUSSELS),
    ("BE", &["Anderlecht"]),
    ("BE", &["Auderghem", "Oudergem"]),
    ("BE", &["Berchem-Sainte-Agathe", "Sint-Agatha-Berchem"]),
    ("BE", &["Etterbeek"]),
    ("BE", &["Evere"]),
    ("BE", &["Forest", "Vorst"]),
    ("BE", &["Ganshoren"]),
    ("BE", &["Ixelles", "Elsene"]),
    ("BE", &["Jette"]),
    ("BE", &["Koekelberg"]),
    ("BE", &["Molenbeek-Saint-Jean", "Sint-Jans-Molenbeek", "Molenbeek"]),
    ("BE", &["Saint-Gilles", "Sint-Gillis"]),
    ("BE", &["Saint-Josse-ten-Noode", "Sint-Joost-ten-Node", "Saint-Josse", "Sint-Joost"]),
    ("BE", &["Schaerbeek", "Schaarbeek"]),
    ("BE", &["Uccle", "Ukkel"]),
    ("BE", &["Watermael-Boitsfort", "Watermaal-Bosvoorde"]),
    ("BE", &["Woluwe-Saint-Lambert", "Sint-Lambrechts-Woluwe"]),
    ("BE", &["Woluwe-Saint-Pierre", "Sint-Pieters-Woluwe"]),
    ("BE", &["Laeken", "Laken"]),
    ("BE", &["Neder-Over-Heembeek"]),
    ("BE", &["Haren"]),
    // Flanders.
    ("BE", &["Eeklo", "Eecloo"]),
    ("BE", &["Maaseik", "Maeseyck"]),
    ("BE", &["Leopoldsburg", "Bourg-Léopold"]),
    ("BE", &["Knokke-Heist", "Knocke-Heyst"]),
    ("BE", &["Knokke", "Knocke"]),
    ("BE", &["Herentals", "Herenthals"]),
    ("BE", &["Geel", "Gheel"]),
    ("BE", &["Mol", "Moll"]),
    ("BE", &["Heist-op-den-Berg", "Heyst-op-den-Berg"]),
    ("BE", &["Zottegem", "Sottegem"]),
    ("BE", &["Deinze", "Deynze"]),
    ("BE", &["Temse", "Tamise"]),
    ("BE", &["Antwerpen", "Anvers", "Antwerp"]),
    ("BE", &["Gent", "Gand", "Ghent"]),
    ("BE", &["Brugge", "Bruges", "Brügge"]),
    ("BE", &["Leuven", "Louvain", "Löwen"]),
    ("BE", &["Mechelen", "Malines", "Mecheln"]),
    ("BE", &["Aalst", "Alost"]),
    ("BE", &["Kortrijk", "Courtrai"]),
    ("BE", &["Oostende", "Ostende", "Ostend"]),
    ("BE", &["Roeselare", "Roulers"]),
    ("BE", &["Ieper", "Ypres", "Ypern"]),
    ("BE", &["Dendermonde", "Termonde"]),
    ("BE", &["Oudenaarde", "Audenarde"]),
    ("BE", &["Ronse", "Renaix"]),
    ("BE", &["Geraardsbergen", "Grammont"]),
    ("BE", &["Lier", "Lierre"]),
    ("BE", &["Sint-Niklaas", "Saint-Nicolas-Waes", "Saint-Nicolas"]),
    ("BE", &["Sint-Truiden", "Saint-Trond"]),
    ("BE", &["Tongeren", "Tongres"]),
    ("BE", &["Borgloon", "Looz"]),
    ("BE", &["Bilzen", "Bilsen"]),
    ("BE", &["Zoutleeuw", "Léau"]),
    ("BE", &["Tienen", "Tirlemont"]),
    ("BE", &["Aarschot", "Aerschot"]),
    ("BE", &["Scherpenheuvel", "Montaigu"]),
    ("BE", &["Scherpenheuvel-Zichem", "Montaigu-Zichem"]),
    ("BE", &["Halle", "Hal"]),
    ("BE", &["Vilvoorde", "Vilvorde"]),
    ("BE", &["Sint-Genesius-Rode", "Rhode-Saint-Genèse"]),
    ("BE", &["Sint-Pieters-Leeuw", "Leeuw-Saint-Pierre"]),
    ("BE", &["Kraainem", "Crainhem"]),
    ("BE", &["Bever", "Biévène"]),
    ("BE", &["Herne", "Hérinnes"]),
    ("BE", &["Galmaarden", "Gammerages"]),
    ("BE", &["Hoeilaart", "Hoeylaert"]),
    ("BE", &["Menen", "Menin"]),
    ("BE", &["Wervik", "Wervicq"]),
    ("BE", &["Mesen", "Messines"]),
    ("BE", &["Spiere-Helkijn", "Espierres-Helchin"]),
    ("BE", &["Diksmuide", "Dixmude"]),
    ("BE", &["Nieuwpoort", "Nieuport"]),
    ("BE", &["Veurne", "Furnes"]),
    ("BE", &["De Panne", "La Panne"]),
    ("BE", &["Koksijde", "Coxyde"]),
    ("BE", &["De Haan", "Le Coq"]),
    ("BE", &["Blankenberge", "Blankenberghe"]),
    ("BE", &["Poperinge", "Poperinghe"]),
    ("BE", &["Torhout", "Thourout"]),
    ("BE", &["Tielt", "Thielt"]),
    ("BE", &["Izegem", "Iseghem"]),
    ("BE", &["Waregem", "Waereghem"]),
    ("BE", &["Harelbeke", "Harlebeke"]),
    ("BE", &["Voeren", "Fourons"]),
    ("BE", &["Sint-Martens-Voeren", "Fouron-Saint-Martin"]),
    ("BE", &["'s-Gravenvoeren", "Fouron-le-Comte"]),
    ("BE", &["Sint-Pieters-Voeren", "Fouron-Saint-Pierre"]),
    ("BE", &["Kortenberg", "Cortenberg"]),
    ("BE", &["Overijse", "Overyssche"]),
    ("BE", &["Tervuren", "Tervueren"]),
    ("BE", &["Zaventem", "Saventhem"]),
    // Wallonia.
    ("BE", &["Liège", "Luik", "Lüttich"]),
    ("BE", &["Namur", "Namen"]),
    ("BE", &["Mons", "Bergen"]),
    ("BE", &["Tournai", "Doornik"]),
    ("BE", &["Mouscron", "Moeskroen"]),
    ("BE", &["Comines-Warneton", "Komen-Waasten"]),
    ("BE", &["Comines", "Komen"]),
    ("BE", &["Warneton", "Waasten"]),
    ("BE", &["Ath", "Aat"]),
    ("BE", &["Lessines", "Lessen"]),
    ("BE", &["Flobecq", "Vloesberg"]),
    ("BE", &["Ellezelles", "Elzele"]),
    ("BE", &["Enghien", "Edingen"]),
    ("BE", &["Silly", "Opzullik"]),
    ("BE", &["Soignies", "Zinnik"]),
    ("BE", &["Braine-le-Comte", "'s-Gravenbrakel"]),
    ("BE", &["Braine-l'Alleud", "Eigenbrakel"]),
    ("BE", &["Braine-le-Château", "Kasteelbrakel"]),
    ("BE", &["Ittre", "Itter"]),
    ("BE", &["Tubize", "Tubeke"]),
    ("BE", &["Rebecq", "Rebek"]),
    ("BE", &["Nivelles", "Nijvel"]),
    ("BE", &["Wavre", "Waver"]),
    ("BE", &["La Hulpe", "Terhulpen"]),
    ("BE", &["Grez-Doiceau", "Graven"]),
    ("BE", &["Jodoigne", "Geldenaken"]),
    ("BE", &["Hélécine", "Heylissem"]),
    ("BE", &["Orp-Jauche", "Adorp-Geten"]),
    ("BE", &["Beauvechain", "Bevekom"]),
    ("BE", &["Genappe", "Genepiën"]),
    ("BE", &["Gembloux", "Gembloers"]),
    ("BE", &["Hannut", "Hannuit"]),
    ("BE", &["Waremme", "Borgworm"]),
    ("BE", &["Oreye", "Oerle"]),
    ("BE", &["Huy", "Hoei"]),
    ("BE", &["Visé", "Wezet"]),
    ("BE", &["Bassenge", "Bitsingen"]),
    ("BE", &["Limbourg", "Limburg"]),
    ("BE", &["Plombières", "Bleyberg", "Bleiberg"]),
    ("BE", &["Welkenraedt", "Welkenraat"]),
    ("BE", &["Baelen", "Balen"]),
    ("BE", &["Malmedy", "Malmünd"]),
    ("BE", &["Waimes", "Weismes"]),
    ("BE", &["Bastogne", "Bastenaken", "Bastnach"]),
    ("BE", &["Arlon", "Aarlen", "Arel"]),
    ("BE", &["Messancy", "Metzig"]),
    ("BE", &["Fauvillers", "Feitweiler"]),
    ("BE", &["Martelange", "Martelingen"]),
    ("BE", &["Rochefort", "Rotsoord"]),
    ("BE", &["Saint-Hubert", "Sint-Hubert"]),
    ("BE", &["Saint-Ghislain", "Sint-Gislen"]),
    ("BE", &["Lincent", "Lijsem"]),
    // The German-speaking municipalities.
    ("BE", &["Eupen", "Néau"]),
    ("BE", &["Kelmis", "La Calamine"]),
    ("BE", &["Bütgenbach", "Butgenbach"]),
    ("BE", &["Büllingen", "Bullange"]),
    ("BE", &["Amel", "Amblève"]),
    ("BE", &["Sankt Vith", "Saint-Vith"]),
    // The Netherlands.
    ("NL", &["Den Haag", "'s-Gravenhage", "La Haye", "The Hague"]),
    ("NL", &["'s-Hertogenbosch", "Den Bosch", "Bois-le-Duc"]),
    ("NL", &["Maastricht", "Maestricht"]),
    ("NL", &["Vlissingen", "Flessingue", "Flushing"]),
    ("NL", &["Nijmegen", "Nimègue", "Nymwegen"]),
    ("NL", &["Leeuwarden", "Ljouwert"]),
    ("NL", &["Roermond", "Ruremonde"]),
    ("NL", &["Groningen", "Groningue"]),
    ("NL", &["Sluis", "L'Écluse"]),
    ("NL", &["Breda", "Bréda"]),
    ("NL", &["Leiden", "Leyde"]),
    ("NL", &["Sneek", "Snits"]),
    ("NL", &["Bolsward", "Boalsert"]),
    ("NL", &["Franeker", "Frjentsjer"]),
    ("NL", &["Harlingen", "Harns"]),
    ("NL", &["Heerenveen", "It Hearrenfean"]),
    ("NL", &["Workum", "Warkum"]),
    ("NL", &["Stavoren", "Starum"]),
    ("NL", &["Hindeloopen", "Hylpen"]),
    ("NL", &["IJlst", "Drylts"]),
    ("NL", &["Sloten", "Sleat"]),
    ("NL", &["Joure", "De Jouwer"]),
    ("NL", &["Lemmer", "De Lemmer"]),
    ("NL", &["Burgum", "Bergum"]),
    // Luxembourg.
    ("LU", &["Luxembourg", "Luxemburg", "Lëtzebuerg", "Luxembourg-Ville", "Ville de Luxembourg", "Stad Lëtzebuerg",
             "Luxemburg-Stadt", "Stadt Luxemburg", "Luxembourg City"]),
    ("LU", &["Esch-sur-Alzette", "Esch an der Alzette", "Esch-Uelzecht", "Esch/Alzette"]),
    ("LU", &["Differdange", "Differdingen", "Déifferdeng"]),
    ("LU", &["Dudelange", "Düdelingen", "Diddeleng"]),
    ("LU", &["Ettelbruck", "Ettelbrück", "Ettelbréck"]),
    ("LU", &["Diekirch", "Dikrech"]),
    ("LU", &["Echternach", "Iechternach"]),
    ("LU", &["Wiltz", "Wolz"]),
    ("LU", &["Clervaux", "Clerf", "Klierf"]),
    ("LU", &["Vianden", "Veianen"]),
    ("LU", &["Grevenmacher", "Gréivemaacher"]),
    ("LU", &["Remich", "Réimech"]),
    ("LU", &["Mersch", "Miersch"]),
    ("LU", &["Redange", "Redingen", "Réiden"]),
    ("LU", &["Redange-sur-Attert", "Redingen an der Attert"]),
    ("LU", &["Pétange", "Petingen", "Péiteng"]),
    ("LU", &["Bertrange", "Bartringen", "Bartreng"]),
    ("LU", &["Strassen", "Stroossen"]),
    ("LU", &["Bettembourg", "Bettemburg", "Beetebuerg"]),
    ("LU", &["Schifflange", "Schifflingen", "Schëffleng"]),
    ("LU", &["Sanem", "Sassenheim", "Suessem"]),
    ("LU", &["Hesperange", "Hesperingen", "Hesper"]),
    ("LU", &["Walferdange", "Walferdingen", "Walfer"]),
    ("LU", &["Kayl", "Käl"]),
    ("LU", &["Rumelange", "Rümelingen", "Rëmeleng"]),
    ("LU", &["Steinfort", "Stengefort"]),
    ("LU", &["Junglinster", "Jonglënster"]),
    ("LU", &["Mondorf-les-Bains", "Bad Mondorf", "Munneref"]),
    ("LU", &["Niederanven", "Nidderaanwen"]),
    ("LU", &["Capellen", "Capellen (Mamer)", "Kapellen"]),
    ("LU", &["Troisvierges", "Ulflingen", "Ëlwen"]),
    ("NL", &["Grou", "Grouw"]),
    ("NL", &["Gorredijk", "De Gordyk"]),
    ("NL", &["Surhuisterveen", "Surhústerfean"]),
    ("NL", &["Dronrijp", "Dronryp"]),
    ("NL", &["Buitenpost", "Bûtenpost"]),
    ("NL", &["Oosterwolde", "Easterwâlde"]),
    ("NL", &["Wolvega", "Wolvegea"]),
    ("NL", &["Beetsterzwaag", "Beetstersweach"]),
    ("NL", &["Damwoude", "Damwâld"]),
    ("NL", &["Zwaagwesteinde", "De Westereen"]),
    ("NL", &["Veenwouden", "Feanwâlden"]),
    ("NL", &["Hardegarijp", "Hurdegaryp"]),
    ("NL", &["Giekerk", "Gytsjerk"]),
    ("NL", &["Tietjerk", "Tytsjerk"]),
    ("NL", &["Oenkerk", "Oentsjerk"]),
    ("NL", &["Middelburg", "Middelbourg"]),
    // The north of France, and great towns.
    ("FR", &["Lille", "Rijsel"]),
    ("FR", &["Dunkerque", "Duinkerke", "Duinkerken", "Dunkirk", "Dünkirchen"]),
    ("FR", &["Roubaix", "Robaais"]),
    ("FR", &["Tourcoing", "Toerkonje"]),
    ("FR", &["Armentières", "Armentiers"]),
    ("FR", &["Hazebrouck", "Hazebroek"]),
    ("FR", &["Bailleul", "Belle"]),
    ("FR", &["Cassel", "Kassel"]),
    ("FR", &["Bergues", "Sint-Winoksbergen"]),
    ("FR", &["Gravelines", "Grevelingen"]),
    ("FR", &["Bourbourg", "Broekburg"]),
    ("FR", &["Hondschoote", "Hondschote"]),
    ("FR", &["Saint-Omer", "Sint-Omaars"]),
    ("FR", &["Calais", "Kales"]),
    ("FR", &["Boulogne-sur-Mer", "Bonen"]),
    ("FR", &["Arras", "Atrecht"]),
    ("FR", &["Douai", "Dowaai"]),
    ("FR", &["Cambrai", "Kamerijk"]),
    ("FR", &["Valenciennes", "Valencijn"]),
    ("FR", &["Comines", "Komen"]),
    ("FR", &["Halluin", "Halewijn"]),
    ("FR", &["Wervicq-Sud", "Zuid-Wervik"]),
    ("FR", &["Grande-Synthe", "Groot-Sinten"]),
    ("FR", &["Coudekerque-Branche", "Koudekerke-Tak"]),
    ("FR", &["Paris", "Parijs"]),
    ("FR", &["Strasbourg", "Straatsburg", "Straßburg"]),
    ("FR", &["Thionville", "Diedenhofen"]),
    // Germany, near the border.
    ("DE", &["Aachen", "Aken", "Aix-la-Chapelle"]),
    ("DE", &["Köln", "Keulen", "Cologne"]),
    ("DE", &["Trier", "Trèves"]),
    ("DE", &["Monschau", "Montjoie"]),
];

/// The places of a country by the folded words of their names.
fn by_name() -> &'static BTreeMap<(&'static str, String), usize> {
    static BY_NAME: OnceLock<BTreeMap<(&'static str, String), usize>> = OnceLock::new();
    BY_NAME.get_or_init(|| {
        let named = (0..).zip(PLACES).flat_map(|(place, (country, names))| {
            names.iter().map(move |name| ((*country, town_words(name).concat()), place))
        });
        named.collect()
    })
}

/// The words of a town's name, with the differences dropped that do not matter: `St` is a saint, and `ij` is `y`.
fn town_words(name: &str) -> Vec<String> {
    let saint = |word: String| match word.as_str() {
        "st" | "sint" | "sankt" | "skt" => "saint".to_owned(),
        "ste" | "sinte" => "sainte".to_owned(),
        _ => word.replace("ij", "y"),
    };
    words(name).into_iter().map(saint).collect()
}

/// The names of the countries, as they stand behind a town: `Bruxelles (Belgique)`.
const COUNTRIES: [(&str, &[&str]); 5] = [
    ("BE", &["belgique", "belgie", "belgien", "belgium"]),
    ("NL", &["nederland", "netherlands", "holland", "niederlande"]),
    ("FR", &["france", "frankrijk", "frankreich"]),
    ("DE", &["deutschland", "duitsland", "allemagne", "germany"]),
    // A town of Luxembourg has the name of the country.
    ("LU", &[]),
];

/// Drops the name of the country behind the town.
fn drop_country(words: &mut Vec<String>, country: &str) {
    let names = COUNTRIES.iter().find(|(known, _)| *known == country).map_or(&[][..], |(_, names)| names);
    if words.len() > 1 && words.last().is_some_and(|last| names.contains(&last.as_str())) {
        words.pop();
    }
}

/// A country whose places are in the table.
fn country_of(country: &str) -> Option<&'static str> {
    ["BE", "NL", "LU", "FR", "DE"].into_iter().find(|known| *known == country)
}

/// The names of the place that has this name, in all languages. Empty if the table does not have it.
#[must_use]
pub fn names_of(country: &str, town: &str) -> &'static [&'static str] {
    let place = country_of(country).and_then(|country| place(country, &town_words(town)));
    place.and_then(|place| PLACES.get(place)).map_or(&[], |(_, names)| names)
}

/// A town in the form in which it is compared. All names of a place give the same, also two of them together, such as
/// `Bruxelles-Brussel`. A postal code in the town is dropped, and so are `Cedex` and the number of a postal district:
/// `1000 Bruxelles 1`. `code` is the postal code in the form in which it is compared.
#[must_use]
pub fn folded_town(country: &str, code: &str, town: &str) -> String {
    let mut words = town_words(town);
    drop_country(&mut words, country);
    drop_code(&mut words, country, code);
    drop_district(&mut words);
    let Some(country) = country_of(country) else { return words.concat() };
    match place(country, &words) {
        // A municipality of the Brussels region is also called Brussels. Its postal code tells which one it is.
        Some(0) => format!("@{}", in_brussels(code).unwrap_or(0)),
        Some(place) => format!("@{place}"),
        None => words.concat(),
    }
}

/// The postal code of each place in the Brussels region, in the order of the table. The source is the list of bpost.
const CODES_IN_BRUSSELS: [&str; 22] = [
    "1000", "1070", "1160", "1082", "1040", "1140", "1190", "1083", "1050", "1090", "1081", "1080", "1060",
    "1210", "1030", "1180", "1170", "1200", "1150", "1020", "1120", "1130",
];

/// The place in the Brussels region that has this postal code.
fn in_brussels(code: &str) -> Option<usize> {
    CODES_IN_BRUSSELS.iter().position(|known| *known == code)
}

/// The place that these words name, once or in two languages.
fn place(country: &'static str, words: &[String]) -> Option<usize> {
    let called = |words: &[String]| by_name().get(&(country, words.concat())).copied();
    called(words).or_else(|| {
        (1..words.len()).find_map(|at| {
            let (one, other) = words.split_at_checked(at)?;
            called(one).filter(|place| called(other) == Some(*place))
        })
    })
}

/// Drops the postal code before or after the town, with or without the country: `B-1000 Bruxelles`.
fn drop_code(words: &mut Vec<String>, country: &str, code: &str) {
    let country = country.to_lowercase();
    let short = country.get(..1).unwrap_or_default();
    for taken in 1..words.len().min(4) {
        let begins = words.get(..taken).unwrap_or_default().concat();
        let prefixes = [country.as_str(), short, ""];
        if !code.is_empty() && prefixes.iter().any(|prefix| begins.strip_prefix(prefix) == Some(code)) {
            words.drain(..taken);
            return;
        }
    }
    if words.len() > 1 && words.last().is_some_and(|last| last == code) {
        words.pop();
    }
}

/// Drops `Cedex`, and the number of a postal district: `Bruxelles 1`, `Paris 8e`, `Lyon Cedex 03`.
fn drop_district(words: &mut Vec<String>) {
    let is_district = |word: &String| {
        let digits = word.trim_end_matches("er").trim_end_matches("eme").trim_end_matches('e');
        (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if words.len() > 1 && words.last().is_some_and(is_district) {
        words.pop();
    }
    if words.len() > 1 && words.last().is_some_and(|last| last == "cedex") {
        words.pop();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_name_is_that_of_two_places_of_a_country() {
        let mut seen: BTreeMap<(&str, String), usize> = BTreeMap::new();
        for (place, (country, names)) in PLACES.iter().enumerate() {
            for name in *names {
                let other = seen.insert((country, town_words(name).concat()), place);
                assert!(other.is_none_or(|other| other == place), "{name}");
            }
        }
    }

    #[test]
    fn each_postal_code_of_brussels_leads_to_its_municipality() {
        for (code, name) in [
            ("1000", "Bruxelles"),
            ("1050", "Elsene"),
            ("1180", "Uccle"),
            ("1150", "Woluwe-Saint-Pierre"),
            ("1130", "Haren"),
        ] {
            let place = in_brussels(code).map(|place| PLACES[place].1);
            assert!(place.is_some_and(|names| names.contains(&name)), "{code}");
        }
        assert_eq!(PLACES[CODES_IN_BRUSSELS.len() - 1].1, ["Haren"]);
    }

    #[test]
    fn all_names_of_a_place_are_one_and_names_of_two_places_are_two() {
        for (one, (country, names)) in PLACES.iter().enumerate() {
            for (other, (abroad, others)) in PLACES.iter().enumerate() {
                for name in *names {
                    for another in *others {
                        let same = folded_town(country, "9999", name) == folded_town(abroad, "9999", another);
                        assert!(country != abroad || same == (one == other), "{name} {another}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_town_is_one_however_it_is_written() {
        for (country, code, one, other) in [
            ("BE", "1050", "Ixelles", "Elsene"),
            ("BE", "1050", "Ixelles", "ELSENE"),
            ("BE", "1050", "Ixelles", "Ixelles/Elsene"),
            ("BE", "1050", "Ixelles", "Ixelles - Elsene"),
            ("BE", "1050", "Ixelles", "1050 Ixelles"),
            ("BE", "1050", "Ixelles", "B-1050 Elsene"),
            ("BE", "1050", "Ixelles", "Bruxelles"),
            ("BE", "1050", "Elsene", "1050 Brussel"),
            ("BE", "1000", "Bruxelles", "Brussels"),
            ("BE", "1000", "Bruxelles", "Bruxelles 1"),
            ("BE", "1000", "Bruxelles", "1000 Bruxelles 1"),
            ("BE", "1000", "Bruxelles", "Bruxelles-Brussel"),
            ("BE", "1000", "Bruxelles", "BRUXELLES (Belgique)"),
            ("BE", "1000", "Bruxelles", "1000 Brussel, België"),
            ("NL", "2511ab", "Den Haag", "Den Haag, Nederland"),
            ("BE", "1080", "Molenbeek-Saint-Jean", "Molenbeek"),
            ("BE", "9140", "Temse", "Tamise"),
            ("NL", "9001ab", "Grou", "Grouw"),
            ("NL", "8401ab", "Gorredijk", "De Gordyk"),
            ("BE", "1210", "Saint-Josse-ten-Noode", "St-Joost-ten-Node"),
            ("BE", "1060", "Saint-Gilles", "St. Gillis"),
            ("BE", "4000", "Liège", "Luik"),
            ("BE", "4000", "LIEGE", "Lüttich"),
            ("BE", "4000", "Liège", "4000 Liège 1"),
            ("BE", "1400", "Nivelles", "Nyvel"),
            ("BE", "7090", "Braine-le-Comte", "'s Gravenbrakel"),
            ("BE", "8900", "Ieper", "Ypres"),
            ("BE", "9100", "Sint-Niklaas", "St.-Niklaas"),
            ("BE", "4780", "Sankt Vith", "St. Vith"),
            ("BE", "4780", "Sankt Vith", "Saint-Vith"),
            ("NL", "2511ab", "Den Haag", "'s-Gravenhage"),
            ("NL", "2511ab", "Den Haag", "2511 AB 's-GRAVENHAGE"),
            ("NL", "5211ab", "Den Bosch", "’s-Hertogenbosch"),
            ("NL", "1971ab", "IJmuiden", "Ymuiden"),
            ("FR", "59000", "Lille", "Rijsel"),
            ("FR", "59000", "Lille", "Lille Cedex"),
            ("FR", "59000", "Lille", "LILLE CEDEX 9"),
            ("FR", "59140", "Dunkerque", "Duinkerke"),
            ("FR", "75008", "Paris", "Paris 8e"),
            ("FR", "75008", "Paris", "75008 Paris 08"),
            ("LU", "1234", "Luxembourg", "Lëtzebuerg"),
            ("LU", "1234", "Luxembourg", "L-1234 Luxemburg"),
            ("DE", "52062", "Aachen", "Aken"),
        ] {
            assert_eq!(folded_town(country, code, one), folded_town(country, code, other), "{one} {other}");
        }
    }

    #[test]
    fn other_towns_stay_others() {
        for (country, code, one, other) in [
            ("BE", "4000", "Liège", "Glain"),
            ("BE", "4000", "Liège", "Rocourt"),
            ("BE", "1050", "Ixelles", "Ixelles-les-Bains"),
            ("BE", "1050", "Ixelles", "Etterbeek"),
            ("BE", "1000", "Bruxelles", "Ixelles"),
            ("BE", "9000", "Gent", "Bruxelles"),
            ("BE", "3300", "Molenbeek-Wersbeek", "Molenbeek"),
            ("NL", "7551aa", "Hengelo", "Hengelo Gld"),
            ("NL", "1861aa", "Bergen", "Mons"),
            ("FR", "59000", "Lille", "Lille-Sud"),
            ("BE", "2000", "Antwerpen", "1000 Antwerpen"),
        ] {
            assert_ne!(folded_town(country, code, one), folded_town(country, code, other), "{one} {other}");
        }
    }
}
