//! The Netherlands.

use super::{Country, Groups, Language, Region};

pub(super) static REGION: Region = Region {
    language: Language::Nl,
    country: Country::Netherlands,
    given: &[
        "Anna", "Emma", "Sanne", "Lisa", "Femke", "Anouk", "Marieke", "Linda", "Ingrid", "Esther", "Mirjam",
        "Annemarie", "Saskia", "Wilma", "Fleur", "Iris", "Maud", "Roos", "Fenna", "Daan", "Sem", "Bram",
        "Sander", "Jeroen", "Maarten", "Erik", "Henk", "Kees", "Willem", "Jaap", "Dennis", "Rick", "Niels",
        "Joost", "Gijs", "Thomas", "Mark", "Ahmed", "Rob", "Hans", "Lars",
    ],
    family: &[
        "de Jong", "Jansen", "de Vries", "van den Berg", "Bakker", "van Dijk", "Visser", "Janssen", "Smit",
        "Meijer", "de Boer", "Mulder", "de Groot", "Bos", "Vos", "Peters", "Hendriks", "van Leeuwen",
        "Dekker", "Brouwer", "de Wit", "Dijkstra", "Smits", "de Graaf", "van der Meer", "van der Linden",
        "Kok", "Jacobs", "de Haan", "Vermeer", "van den Heuvel", "van der Veen", "Schouten", "Willems",
        "van Beek", "Hoekstra", "Koster", "Prins", "Huisman", "Postma", "Kuipers", "Veenstra", "Öztürk",
    ],
    towns: &[
        ("1012", "Amsterdam"), ("1017", "Amsterdam"), ("1071", "Amsterdam"), ("1211", "Hilversum"),
        ("1315", "Almere"), ("1506", "Zaandam"), ("1621", "Hoorn"), ("1811", "Alkmaar"), ("2011", "Haarlem"),
        ("2311", "Leiden"), ("2511", "Den Haag"), ("2512", "Den Haag"), ("2611", "Delft"), ("2801", "Gouda"),
        ("3011", "Rotterdam"), ("3012", "Rotterdam"), ("3311", "Dordrecht"), ("3511", "Utrecht"),
        ("3512", "Utrecht"), ("3811", "Amersfoort"), ("4001", "Tiel"), ("4331", "Middelburg"),
        ("4461", "Goes"), ("4611", "Bergen op Zoom"), ("4811", "Breda"), ("5038", "Tilburg"),
        ("5211", "'s-Hertogenbosch"), ("5611", "Eindhoven"), ("5701", "Helmond"), ("5911", "Venlo"),
        ("6041", "Roermond"), ("6211", "Maastricht"), ("6511", "Nijmegen"), ("6811", "Arnhem"),
        ("7001", "Doetinchem"), ("7311", "Apeldoorn"), ("7411", "Deventer"), ("7511", "Enschede"),
        ("8011", "Zwolle"), ("8911", "Leeuwarden"), ("9401", "Assen"), ("9711", "Groningen"),
    ],
    streets: &[
        "Hoofdstraat", "Dorpsstraat", "Stationsweg", "Kerkstraat", "Grotestraat", "Marktstraat",
        "Breestraat", "Langestraat", "Molenweg", "Nieuwstraat", "Oudegracht", "Prinsengracht",
        "Coolsingel", "Lijnbaan", "Kalverstraat", "Herestraat", "Voorstraat", "Wilhelminastraat",
        "Julianaplein", "Beatrixlaan", "Oranjestraat", "Zuidplein", "Havenstraat", "Vismarkt",
        "Spuistraat", "Grote Marktstraat", "Schoolstraat", "Raadhuisplein", "Emmastraat", "Westerkade",
    ],
    trades: &[
        "Bakkerij {}", "Slagerij {}", "Apotheek {}", "Boekhandel {}", "Autobedrijf {}", "Bloemenhuis {}",
        "Cafetaria {}", "Eetcafé {}", "Kapsalon {}", "Opticien {}", "IJzerhandel {}", "Banketbakkerij {}",
        "Kaashandel {}", "Restaurant {}", "Stomerij {}", "Juwelier {}", "Rijwielhandel {}", "Schoenmode {}",
        "Vishandel {}", "Catering {}", "Gebroeders {}", "{} & Zonen",
    ],
    doors: &[
        "De Hoek", "Het Posthuis", "Bij {}", "De Waag", "Het Atelier", "De Korenmolen", "Lekker Bakken",
        "De Smaak", "Het Goede Brood", "De Tulp", "Het Plein", "De Kroon", "Zoet en Hartig", "De Haven",
        "'t Kaashuys", "Dagvers",
    ],
    forms: &["B.V.", "B.V.", "B.V.", "V.O.F.", "N.V."],
    chains: &["Versplein", "Stationsbakkers", "Tankpunt Nederland", "Kijk Opticiens"],
    sites: &["Centrum", "Station", "Bedrijventerrein", "Passage", "Magazijn", "Markt", "Balie", "Terras", "Haven"],
    groups: Groups {
        till: ("Kassa", "Ziet de transacties van de eigen winkel"),
        manager: ("Filiaalleiders", "Terminals, bonnen en transacties van hun filialen"),
        books: ("Administratie", "Facturen en transacties van alle locaties"),
    },
    opening_hours: "Open van maandag tot zaterdag, 8-18 uur",
    returns: "Ruilen binnen 14 dagen met deze bon",
    thanks: &["Bedankt en tot ziens", "Dank voor uw bezoek", "Graag tot de volgende keer", "Fijne dag verder"],
    tax: "Btw",
    released: "de klant heeft gebeld, identiteit gecontroleerd",
    left: "werkt hier niet meer",
    forgotten: "schriftelijk verzocht",
};
