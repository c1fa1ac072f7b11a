//! Dutch-speaking Belgium.

use super::{Country, Groups, Language, Region};

pub(super) static REGION: Region = Region {
    language: Language::Nl,
    country: Country::Belgium,
    given: &[
        "An", "Els", "Griet", "Katrien", "Sofie", "Lies", "Hilde", "Leen", "Kim", "Sarah", "Eva", "Lotte",
        "Inge", "Veerle", "Ilse", "Nele", "Annelies", "Karen", "Noor", "Jan", "Luc", "Marc", "Dirk", "Koen",
        "Wim", "Bart", "Tom", "Pieter", "Stijn", "Kristof", "Jeroen", "Wouter", "Tim", "Filip", "Geert",
        "Johan", "Steven", "Jonas", "Thijs", "Yassin", "Ruben",
    ],
    family: &[
        "Peeters", "Janssens", "Maes", "Jacobs", "Mertens", "Willems", "Claes", "Goossens", "Wouters",
        "De Smet", "Vermeulen", "Pauwels", "Hermans", "Aerts", "Michiels", "Martens", "De Backer", "Smets",
        "Claeys", "Desmet", "Lemmens", "Van Damme", "Verhoeven", "Stevens", "Cools", "Segers", "Baert",
        "De Clercq", "Bogaert", "Coppens", "Lauwers", "Van den Broeck", "Thys", "Wuyts", "Vandenberghe",
        "Verstraete", "Declercq", "Timmermans", "Hendrickx", "Yilmaz", "Vervoort", "Bosmans", "Moens",
    ],
    towns: &[
        ("2000", "Antwerpen"), ("2018", "Antwerpen"), ("2060", "Antwerpen"), ("2140", "Borgerhout"),
        ("2300", "Turnhout"), ("2400", "Mol"), ("2440", "Geel"), ("2500", "Lier"), ("2800", "Mechelen"),
        ("3000", "Leuven"), ("3200", "Aarschot"), ("3290", "Diest"), ("3300", "Tienen"), ("3500", "Hasselt"),
        ("3600", "Genk"), ("3700", "Tongeren"), ("3800", "Sint-Truiden"), ("8000", "Brugge"),
        ("8300", "Knokke-Heist"), ("8400", "Oostende"), ("8500", "Kortrijk"), ("8600", "Diksmuide"),
        ("8700", "Tielt"), ("8800", "Roeselare"), ("8900", "Ieper"), ("9000", "Gent"), ("9050", "Gentbrugge"),
        ("9100", "Sint-Niklaas"), ("9160", "Lokeren"), ("9200", "Dendermonde"), ("9300", "Aalst"),
        ("9400", "Ninove"), ("9500", "Geraardsbergen"), ("9600", "Ronse"), ("9700", "Oudenaarde"),
        ("9800", "Deinze"), ("9900", "Eeklo"), ("1500", "Halle"), ("1800", "Vilvoorde"), ("1700", "Dilbeek"),
    ],
    streets: &[
        "Grote Markt", "Stationsstraat", "Kerkstraat", "Nieuwstraat", "Hoogstraat", "Molenstraat",
        "Dorpsstraat", "Meir", "Bruul", "Diestsestraat", "Brusselsesteenweg", "Gentsesteenweg",
        "Antwerpsesteenweg", "Veldstraat", "Langestraat", "Korte Nieuwstraat", "Schoolstraat",
        "Kapelstraat", "Marktplein", "Statieplein", "Bondgenotenlaan", "Leopoldlaan", "Koningin Astridlaan",
        "Vlamingstraat", "Steenstraat", "Kasteelstraat", "Beekstraat", "Lindenlaan", "Vismarkt", "Oude Baan",
    ],
    trades: &[
        "Bakkerij {}", "Slagerij {}", "Apotheek {}", "Boekhandel {}", "Garage {}", "Bloemen {}",
        "Frituur {}", "Brasserie {}", "Kapsalon {}", "Optiek {}", "IJzerwaren {}", "Patisserie {}",
        "Kruidenier {}", "Restaurant {}", "Wassalon {}", "Juwelier {}", "Fietsen {}", "Schoenen {}",
        "Vishandel {}", "Traiteur {}", "Gebroeders {}", "{} en Zonen",
    ],
    doors: &[
        "'t Hoekje", "De Gouden Korenaar", "Bij {}", "De Markt", "Het Atelier", "De Oude Molen",
        "'t Vlaams Huis", "De Smaakmaker", "Het Goede Brood", "De Blauwe Bloem", "Het Pleintje", "De Kroon",
        "Zoet & Zout", "De Spil", "'t Kasteeltje", "Dagvers",
    ],
    forms: &["BV", "BV", "BV", "NV", "VOF", "CV"],
    chains: &["Versmarkt Vlaanderen", "Bakkers aan Zee", "Snelpunt Stations", "Optiek Noord"],
    sites: &["Centrum", "Station", "Bedrijvenpark", "Galerij", "Magazijn", "Markt", "Toog", "Terras", "Drive"],
    groups: Groups {
        till: ("Kassa", "Ziet de transacties van de eigen winkel"),
        manager: ("Winkelverantwoordelijken", "Terminals, tickets en transacties van hun winkels"),
        books: ("Boekhouding", "Facturen en transacties van alle locaties"),
    },
    opening_hours: "Open van dinsdag tot zondag, 7-18.30 uur",
    returns: "Ruilen binnen 14 dagen met dit ticket",
    thanks: &["Bedankt en tot ziens", "Dank voor uw bezoek", "Bedankt voor uw vertrouwen", "Nog een fijne dag"],
    tax: "BTW",
    released: "de klant heeft gebeld, identiteit nagegaan",
    left: "heeft het bedrijf verlaten",
    forgotten: "schriftelijk gevraagd",
};
