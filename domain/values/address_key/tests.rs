//! Equal addresses have equal keys and different addresses have different keys, for addresses as people write them.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Street, number, box, postal code, town, country.
type Written = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// Each line is one address, written in several ways.
const PLACES: &[&[Written]] = &[
    &[
        ("Zone industrielle Nord", "1", "", "1000", "Bruxelles", "BE"),
        ("Z.I. Nord", "1", "", "1000", "Bruxelles", "BE"),
        ("ZI Nord", "1", "", "1000", "Bruxelles", "BE"),
        ("Zone ind. Nord", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Drève des Pins", "1", "", "1000", "Bruxelles", "BE"),
        ("Dr. des Pins", "1", "", "1000", "Bruxelles", "BE"),
        ("Drev. des Pins", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Dr. Van Damstraat", "1", "", "1000", "Bruxelles", "BE"),
        ("Dokter Van Damstraat", "1", "", "1000", "Bruxelles", "BE"),
        ("Docteur Van Damstraat", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Prins Boudewijnlaan", "1", "", "1000", "Bruxelles", "BE"),
        ("Pr. Boudewijnlaan", "1", "", "1000", "Bruxelles", "BE"),
        ("Prins Boudewijnln", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Prinses Astridlaan", "1", "", "1000", "Bruxelles", "BE"),
        ("Pr. Astridlaan", "1", "", "1000", "Bruxelles", "BE"),
        ("Princesse Astridlaan", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Grote Markt", "1", "", "1000", "Bruxelles", "BE"),
        ("Grt. Markt", "1", "", "1000", "Bruxelles", "BE"),
        ("Gr. Markt", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Gebroeders Van Raemdonckstraat", "1", "", "1000", "Bruxelles", "BE"),
        ("Gebr. Van Raemdonckstr.", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue des Frères Legrain", "1", "", "1000", "Bruxelles", "BE"),
        ("Rue des Frs. Legrain", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue du Major Lefèvre", "1", "", "1000", "Bruxelles", "BE"),
        ("Rue du Maj. Lefèvre", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rond-Point Schuman", "1", "", "1000", "Bruxelles", "BE"),
        ("Rd-Pt Schuman", "1", "", "1000", "Bruxelles", "BE"),
        ("Rd. Point Schuman", "1", "", "1000", "Bruxelles", "BE"),
        ("Rpt. Schuman", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Quai du Commerce", "1", "", "1000", "Bruxelles", "BE"),
        ("Quai du Comm.", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Place de l'Église", "1", "", "1000", "Bruxelles", "BE"),
        ("Pl. de l'Égl.", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue Pierre Ier", "1", "", "1000", "Bruxelles", "BE"),
        ("Rue Pierre I", "1", "", "1000", "Bruxelles", "BE"),
        ("Rue Pierre 1er", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[("Rue I", "1", "", "1000", "Bruxelles", "BE")],
    &[
        ("Rue du Bourgmestre Max", "1", "", "1000", "Bruxelles", "BE"),
        ("Rue du Bgm. Max", "1", "", "1000", "Bruxelles", "BE"),
        ("Rue du Bourgm. Max", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Burgemeester Maxlaan", "1", "", "1000", "Bruxelles", "BE"),
        ("Bgm. Maxlaan", "1", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Nieuwezijds Voorburgwal", "1", "", "1012 AB", "Amsterdam", "NL"),
        ("N.Z. Voorburgwal", "1", "", "1012 AB", "Amsterdam", "NL"),
        ("NZ Voorburgwal", "1", "", "1012 AB", "Amsterdam", "NL"),
    ],
    &[
        ("Oudezijds Voorburgwal", "1", "", "1012 AB", "Amsterdam", "NL"),
        ("O.Z. Voorburgwal", "1", "", "1012 AB", "Amsterdam", "NL"),
    ],
    &[("Aachener Weg", "1", "", "52062", "Aachen", "DE"), ("Aachener W.", "1", "", "52062", "Aachen", "DE")],
    &[
        ("Rue Neuve", "12", "3", "1000", "Bruxelles", "BE"),
        ("rue neuve", "12", "bte 3", "1000", "BRUXELLES", "BE"),
        ("R. Neuve", "12 bte 3", "", "1000", "Bruxelles", "BE"),
        ("Rue  Neuve,", "12/3", "", "1000", "Bruxelles", "BE"),
        ("Rue Neuve", "n° 12", "Boîte 3", "1000", "Bruxelles", "BE"),
        ("RUE NEUVE", "012", "b3", "1000", "bruxelles", "BE"),
    ],
    &[
        ("Rue Neuve", "12", "", "1000", "Bruxelles", "BE"),
        ("Rue Neuve", "nr. 12", " ", "1000", "Bruxelles", "BE"),
    ],
    &[("Rue Neuve", "123", "", "1000", "Bruxelles", "BE")],
    &[
        ("Rue Neuve", "1", "23", "1000", "Bruxelles", "BE"),
        ("Rue Neuve", "1 bus 23", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue Neuve", "12A", "", "1000", "Bruxelles", "BE"),
        ("Rue Neuve", "12 a", "", "1000", "Bruxelles", "BE"),
        ("Rue Neuve", "12-A", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue Neuve", "12B", "", "1000", "Bruxelles", "BE"),
        ("Rue Neuve", "12 b", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue Neuve", "12 bis", "", "1000", "Bruxelles", "BE"),
        ("Rue Neuve", "12bis", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue Neuve", "12-14", "", "1000", "Bruxelles", "BE"),
        ("Rue Neuve", "12 - 14", "", "1000", "Bruxelles", "BE"),
    ],
    &[("Rue Neuve", "1214", "", "1000", "Bruxelles", "BE")],
    &[
        ("Kerkstraat", "12B", "3", "2000", "Antwerpen", "BE"),
        ("Kerkstraat", "12B bus 3", "", "2000", "Antwerpen", "BE"),
        ("Kerkstraat", "12 B bte 3", "", "2000", "Antwerpen", "BE"),
        ("Kerkstraat", "12B/3", "", "2000", "Antwerpen", "BE"),
    ],
    &[
        ("Kerkstraat", "12 bus 3", "", "2000", "Antwerpen", "BE"),
        ("Kerkstraat", "12 b 3", "", "2000", "Antwerpen", "BE"),
        ("Kerkstraat", "12b3", "", "2000", "Antwerpen", "BE"),
    ],
    &[
        ("Steenweg op Gent", "12", "", "9300", "Aalst", "BE"),
        ("Stwg op Gent", "12", "", "9300", "Aalst", "BE"),
        ("Stw. op Gent", "12", "", "9300", "Aalst", "BE"),
    ],
    &[
        ("Laan van Meerdervoort", "12", "", "2517 AK", "Den Haag", "NL"),
        ("Ln. van Meerdervoort", "12", "", "2517 AK", "'s-Gravenhage", "NL"),
    ],
    &[
        ("Kerkstraat", "12-II", "", "1017 GA", "Amsterdam", "NL"),
        ("Kerkstraat", "12 II", "", "1017 GA", "Amsterdam", "NL"),
        ("Kerkstraat", "12/II", "", "1017 GA", "Amsterdam", "NL"),
    ],
    &[
        ("Kerkstraat", "12-H", "", "1017 GA", "Amsterdam", "NL"),
        ("Kerkstraat", "12 hs", "", "1017 GA", "Amsterdam", "NL"),
        ("Kerkstraat", "12 huis", "", "1017 GA", "Amsterdam", "NL"),
    ],
    &[("Rue Neuve", "12", "", "4000", "Liège", "BE"), ("Rue Neuve", "12", "", "4000", "LIEGE", "BE")],
    &[
        ("Avenue Louise", "480", "", "1050", "Ixelles", "BE"),
        ("Av. Louise", "480", "", "1050", "Ixelles", "BE"),
        ("AV LOUISE", "480", "", "1050", "IXELLES", "BE"),
        ("Ave. Louise", "480", "", "1050", "Ixelles", "BE"),
    ],
    &[
        ("Boulevard de l'Impératrice", "7", "", "1000", "Bruxelles", "BE"),
        ("Bd de l’Imperatrice", "7", "", "1000", "Bruxelles", "BE"),
        ("Bld. de l Impe\u{301}ratrice", "7", "", "1000", "Bruxelles", "BE"),
        ("BLVD DE L'IMPÉRATRICE", "7", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue Saint-Jean", "5", "", "7000", "Mons", "BE"),
        ("Rue St-Jean", "5", "", "7000", "Mons", "BE"),
        ("rue St. Jean", "5", "", "7000", "Mons", "BE"),
    ],
    &[
        ("Rue Sainte-Jeanne", "5", "", "7000", "Mons", "BE"),
        ("Rue Ste Jeanne", "5", "", "7000", "Mons", "BE"),
    ],
    &[("Rue Saint-Jeanne", "5", "", "7000", "Mons", "BE")],
    &[
        ("Chaussée de Charleroi", "110", "", "1060", "Saint-Gilles", "BE"),
        ("Chée de Charleroi", "110", "", "1060", "St-Gilles", "BE"),
        ("CHEE DE CHARLEROI", "110", "", "1060", "SAINT GILLES", "BE"),
        ("Ch. de Charleroi", "110", "", "1060", "St Gilles", "BE"),
    ],
    &[
        ("Chemin de Charleroi", "110", "", "1060", "Saint-Gilles", "BE"),
        ("Chem. de Charleroi", "110", "", "1060", "Saint-Gilles", "BE"),
    ],
    &[
        ("Kerkstraat", "8", "", "9000", "Gent", "BE"),
        ("Kerkstr.", "8", "", "9000", "Gent", "BE"),
        ("KERKSTR", "8", "", "9000", "GENT", "BE"),
        ("Kerk straat", "8", "", "9000", "Gent", "BE"),
        ("Kerk str.", "nr 8", "", "9000", "Gent", "BE"),
    ],
    &[("Kerklaan", "8", "", "9000", "Gent", "BE"), ("Kerkln.", "8", "", "9000", "Gent", "BE")],
    &[("Kerkplein", "8", "", "9000", "Gent", "BE"), ("Kerkpln", "8", "", "9000", "Gent", "BE")],
    &[
        ("Kerkstraat", "8", "2", "9000", "Gent", "BE"),
        ("Kerkstr.", "8 bus 2", "", "9000", "Gent", "BE"),
        ("Kerkstraat", "8", "bus 02", "9000", "Gent", "BE"),
    ],
    &[
        ("Gentsesteenweg", "100", "", "9300", "Aalst", "BE"),
        ("Gentse Steenweg", "100", "", "9300", "Aalst", "BE"),
        ("Gentsestwg.", "100", "", "9300", "Aalst", "BE"),
        ("Gentse Stwg", "100", "", "9300", "Aalst", "BE"),
    ],
    &[
        ("Sint-Jansstraat", "1", "", "9100", "Sint-Niklaas", "BE"),
        ("St.-Jansstr.", "1", "", "9100", "St-Niklaas", "BE"),
        ("St Jansstraat", "1", "", "9100", "SINT NIKLAAS", "BE"),
    ],
    &[
        ("Burgemeester Maxlaan", "2", "", "2000", "Antwerpen", "BE"),
        ("Burg. Maxlaan", "2", "", "2000", "Antwerpen", "BE"),
        ("Burg. Maxln", "2", "", "2000", "ANTWERPEN", "BE"),
    ],
    &[
        ("Van der Meerschenstraat", "3", "", "2600", "Berchem", "BE"),
        ("v.d. Meerschenstr.", "3", "", "2600", "Berchem", "BE"),
        ("v/d Meerschenstraat", "3", "", "2600", "Berchem", "BE"),
    ],
    &[
        ("Prinsengracht", "263", "2", "1016 GV", "Amsterdam", "NL"),
        ("prinsengracht", "263-2", "", "1016GV", "AMSTERDAM", "NL"),
        ("Prinsengracht", "263 2", "", "1016 gv", "Amsterdam", "NL"),
    ],
    &[("Prinsengracht", "263", "", "1016 GV", "Amsterdam", "NL")],
    &[("Prinsengracht", "2632", "", "1016 GV", "Amsterdam", "NL")],
    &[
        ("Prinsengracht", "263A", "", "1016 GV", "Amsterdam", "NL"),
        ("Prinsengracht", "263-a", "", "1016GV", "Amsterdam", "NL"),
    ],
    &[
        ("Dr. Schaepmanstraat", "5", "", "3051 AA", "Rotterdam", "NL"),
        ("Dokter Schaepmanstr.", "5", "", "3051AA", "Rotterdam", "NL"),
    ],
    &[("Main Street", "4", "", "1930", "Zaventem", "BE"), ("Main St.", "4", "", "1930", "Zaventem", "BE")],
    &[("Place Flagey", "18", "", "1050", "Ixelles", "BE"), ("Pl. Flagey", "18", "", "1050", "Ixelles", "BE")],
    &[("Square Flagey", "18", "", "1050", "Ixelles", "BE"), ("Sq Flagey", "18", "", "1050", "Ixelles", "BE")],
    &[
        ("Rue des Deux Églises", "20", "", "1000", "Bruxelles", "BE"),
        ("r. des deux eglises", "20", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue de l'Église", "20", "", "1000", "Bruxelles", "BE"),
        ("Rue de l Eglise", "20", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Route de Lennik", "900", "", "1070", "Anderlecht", "BE"),
        ("Rte de Lennik", "900", "", "1070", "Anderlecht", "BE"),
    ],
    &[("Rue du Cœur", "4", "", "5000", "Namur", "BE"), ("Rue du Coeur", "4", "", "5000", "Namur", "BE")],
    &[
        ("Place de la Monnaie", "1", "", "1000", "Bruxelles", "BE"),
        ("Pl. de la Monnaie", "1", "", "B-1000", "Brussel", "BE"),
        ("PL DE LA MONNAIE", "1", "", "BE 1000", "1000 Bruxelles", "BE"),
        ("Place de la Monnaie", "1", "", "1000", "Bruxelles 1", "BE"),
        ("Place de la Monnaie", "1", "", "1000", "Bruxelles / Brussel", "BE"),
    ],
    &[
        ("Koningin Astridlaan", "1", "", "8200", "Brugge", "BE"),
        ("Kon. Astridlaan", "1", "", "8200", "Bruges", "BE"),
        ("KON ASTRIDLN", "1", "", "8200", "BRUGGE", "BE"),
    ],
    &[
        ("Koning Albertlaan", "1", "", "8200", "Brugge", "BE"),
        ("Kon. Albertlaan", "1", "", "8200", "Brugge", "BE"),
    ],
    &[
        ("Onze-Lieve-Vrouwestraat", "4", "", "2800", "Mechelen", "BE"),
        ("Onze Lieve Vrouwstraat", "4", "", "2800", "Malines", "BE"),
        ("O.L.V.-straat", "4", "", "2800", "Mechelen", "BE"),
        ("O.L.Vrouwestraat", "4", "", "2800", "Mechelen", "BE"),
        ("O.-L.-Vrouwstr.", "4", "", "2800", "Mechelen", "BE"),
        ("OLV straat", "4", "", "2800", "Mechelen", "BE"),
        ("OLVrouwstraat", "4", "", "2800", "Mechelen", "BE"),
        ("O.L.Vr.-straat", "4", "", "2800", "Mechelen", "BE"),
    ],
    &[
        ("Rue Notre-Dame", "7", "", "5000", "Namur", "BE"),
        ("Rue N.-D.", "7", "", "5000", "Namen", "BE"),
        ("r. N.D.", "7", "", "5000", "Namur", "BE"),
        ("Rue N.-Dame", "7", "", "5000", "Namur", "BE"),
        ("Rue ND", "7", "", "5000", "Namur", "BE"),
    ],
    &[
        ("Passage du Nord", "3", "", "1000", "Bruxelles", "BE"),
        ("Pass. du Nord", "3", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Galerie de la Reine", "3", "", "1000", "Bruxelles", "BE"),
        ("Gal. de la Reine", "3", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Avenue du Général Leclerc", "3", "", "59000", "Lille", "FR"),
        ("Av. du Gal Leclerc", "3", "", "F-59000", "Rijsel", "FR"),
        ("av du Gén. Leclerc", "3", "", "59000", "LILLE CEDEX", "FR"),
    ],
    &[
        ("Grand-Place", "1", "", "7000", "Mons", "BE"),
        ("Gr. Place", "1", "", "7000", "Bergen", "BE"),
        ("Gr.-Pl.", "1", "", "7000", "Mons", "BE"),
    ],
    &[("Grote Markt", "1", "", "2000", "Antwerpen", "BE"), ("Gr. Markt", "1", "", "2000", "Anvers", "BE")],
    &[
        ("Grand Rue", "1", "", "1661", "Luxembourg", "LU"),
        ("Gr. Rue", "1", "", "L-1661", "Luxemburg", "LU"),
        ("Grande Rue", "1", "", "LU-1661", "Lëtzebuerg", "LU"),
    ],
    &[
        ("Eerste Helmersstraat", "5", "", "1054 AA", "Amsterdam", "NL"),
        ("1e Helmersstraat", "5", "", "1054AA", "Amsterdam", "NL"),
        ("1ste Helmersstr.", "5", "", "NL-1054 AA", "AMSTERDAM", "NL"),
    ],
    &[
        ("Tweede Helmersstraat", "5", "", "1054 AA", "Amsterdam", "NL"),
        ("2e Helmersstraat", "5", "", "1054 AA", "Amsterdam", "NL"),
    ],
    &[
        ("Place du 1er Mai", "5", "", "6000", "Charleroi", "BE"),
        ("Pl. du Premier Mai", "5", "", "6000", "Charleroi", "BE"),
    ],
    &[
        ("Avenue Léopold II", "5", "", "1080", "Molenbeek-Saint-Jean", "BE"),
        ("Av. Leopold 2", "5", "", "1080", "Sint-Jans-Molenbeek", "BE"),
    ],
    &[
        ("Chaussée de Mons", "900", "", "1070", "Anderlecht", "BE"),
        ("Chaus. de Mons", "900", "", "1070", "Anderlecht", "BE"),
        ("Chssée de Mons", "900", "", "1070", "Anderlecht", "BE"),
        ("chs. de Mons", "900", "", "1070", "Bruxelles", "BE"),
    ],
    &[
        ("Hauptstraße", "12", "", "4700", "Eupen", "BE"),
        ("Hauptstr.", "12", "", "B-4700", "EUPEN", "BE"),
        ("Hauptstrasse", "12", "", "4700", "Eupen", "BE"),
        ("Haupt Str.", "12", "", "4700", "Eupen", "BE"),
    ],
    &[
        ("Malmedyer Straße", "12", "", "4780", "St. Vith", "BE"),
        ("Malmedyer Str.", "12", "", "4780", "Sankt Vith", "BE"),
    ],
    &[("Marktplatz", "12", "", "52062", "Aachen", "DE"), ("Marktpl.", "12", "", "D-52062", "Aken", "DE")],
    &[
        ("IJzerlaan", "8", "", "8600", "Diksmuide", "BE"),
        ("Yzerlaan", "8", "", "8600", "Dixmude", "BE"),
        ("Ĳzerln.", "8", "", "8600", "Diksmuide", "BE"),
    ],
    &[
        ("Prinsengracht", "8", "", "1015 AB", "Amsterdam", "NL"),
        ("Prinsengr.", "8", "", "1015AB", "Amsterdam", "NL"),
    ],
    &[
        ("Nieuwe Kerkstraat", "8", "", "1018 AB", "Amsterdam", "NL"),
        ("Nwe Kerkstr", "8", "", "1018 AB", "Amsterdam", "NL"),
    ],
    &[
        ("Lange Voorhout", "8", "", "2514 EA", "Den Haag", "NL"),
        ("Lange Voorhout", "8", "", "2514EA", "'s-Gravenhage", "NL"),
    ],
    &[
        ("Zoning Nord", "s/n", "", "7500", "Tournai", "BE"),
        ("Zoning Nord", "S.N.", "", "7500", "Doornik", "BE"),
        ("Zoning Nord", "sn", "", "7500", "Tournai", "BE"),
        ("Zoning Nord", "sans numéro", "", "7500", "Tournai", "BE"),
        ("Zoning Nord", "sans n°", "", "7500", "Tournai", "BE"),
        ("Zoning Nord", "z/n", "", "7500", "Tournai", "BE"),
        ("Zoning Nord", "zonder nummer", "", "7500", "Tournai", "BE"),
        ("Zoning Nord", "-", "", "7500", "Tournai", "BE"),
    ],
    &[
        ("Zoning Nord", "s/n", "3", "7500", "Tournai", "BE"),
        ("Zoning Nord", "S/N bte 3", "", "7500", "Tournai", "BE"),
    ],
    &[
        ("Rue Haute", "12-14", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12/14", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12 – 14", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12 à 14", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12 tot 14", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12 t/m 14", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12 et 14", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12+14", "", "1000", "Bruxelles", "BE"),
    ],
    &[("Rue Haute", "12", "", "1000", "Bruxelles", "BE")],
    &[
        ("Rue Haute", "12", "13", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12/13", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12 #13", "", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue Haute", "12", "14", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12 bte n° 14", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12", "Boîte nr. 014", "1000", "Bruxelles", "BE"),
    ],
    &[
        ("Rue Haute", "12 ter", "", "1000", "Bruxelles", "BE"),
        ("Rue Haute", "12TER", "", "1000", "Bruxelles", "BE"),
    ],
    // What looks like an abbreviation is a name.
    &[("Rue Ave Maria", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue Avenue Maria", "1", "", "1000", "Bruxelles", "BE")],
    &[("Avenue Maria", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue du Pl", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue du Plein", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue du Col", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue du Colonel", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue du Boul", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue du Boulevard", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue N. D. Dupont", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue Notre-Dame Dupont", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue de la Loi", "1", "", "1000", "Bruxelles", "BE")],
    &[("Rue des Lois", "1", "", "1000", "Bruxelles", "BE")],
    &[("Grand Chemin", "1", "", "5000", "Namur", "BE")],
    &[("Grande Chaussée", "1", "", "5000", "Namur", "BE")],
    &[("Bergstraat", "1", "", "4700", "Eupen", "BE")],
    &[("Bergstraße", "1", "", "4700", "Eupen", "BE")],
    &[("Rue Haute", "12", "", "4000", "Glain", "BE")],
    &[("Rue Haute", "12", "", "4000", "Liège", "BE"), ("Rue Haute", "12", "", "4000", "Luik", "BE")],
];

fn address(written: Written) -> Address {
    let (street, number, r#box, postal_code, town, country) = written;
    Address {
        street: street.to_owned(),
        number: number.to_owned(),
        r#box: Some(r#box.to_owned()).filter(|text| !text.is_empty()),
        postal_code: postal_code.to_owned(),
        town: town.to_owned(),
        country: country.to_owned(),
    }
}

#[test]
fn one_place_has_one_key_however_it_is_written_and_no_other_place_has_it() {
    let mut seen: Vec<(AddressKey, usize, Written)> = Vec::new();
    for (place, ways) in PLACES.iter().enumerate() {
        for way in *ways {
            let key = address(*way).key();
            for (other_key, other_place, other) in &seen {
                let same = key == *other_key;
                assert_eq!(
                    same,
                    place == *other_place,
                    "{way:?}\n{other:?}\n{} {}",
                    address(*way).folded(),
                    address(*other).folded()
                );
            }
            seen.push((key, place, *way));
        }
    }
}

/// Changes a text in ways that do not make it another address.
fn noise(text: &str, spaces: bool, capitals: bool, accents: bool) -> String {
    let text = if capitals { text.to_uppercase() } else { text.to_lowercase() };
    let text = if accents { text.replace(['e', 'E'], "é").replace(['a', 'A'], "à") } else { text };
    if spaces { format!("  {} ", text.replace([' ', '-'], " . ")) } else { text }
}

proptest! {
    #[test]
    fn case_accents_punctuation_and_spacing_tell_no_addresses_apart(
        place in select(PLACES), way in any::<Index>(), spaces: bool, capitals: bool, accents: bool
    ) {
        let plain = address(*way.get(place));
        let noisy = Address {
            street: noise(&plain.street, spaces, capitals, accents),
            town: noise(&plain.town, spaces, capitals, accents),
            number: if capitals { plain.number.to_uppercase() } else { plain.number.to_lowercase() },
            postal_code: if spaces { format!(" {} ", plain.postal_code) } else { plain.postal_code.clone() },
            ..plain.clone()
        };
        prop_assert_eq!(plain.folded(), noisy.folded());
    }

    #[test]
    fn another_number_box_code_or_country_is_another_address(
        place in select(PLACES), number in 1_u32..999, other in 1_u32..999
    ) {
        let [first, ..] = place else { return Ok(()) };
        let at = |number: u32, r#box: Option<u32>| Address {
            number: number.to_string(),
            r#box: r#box.map(|n| n.to_string()),
            ..address(*first)
        };
        prop_assert_eq!(at(number, None).key() == at(other, None).key(), number == other);
        prop_assert_eq!(at(1, Some(number)).key() == at(1, Some(other)).key(), number == other);
        prop_assert_ne!(at(number, None).key(), at(number, Some(other)).key());
        let elsewhere = Address { postal_code: "9999".to_owned(), ..at(number, None) };
        prop_assert_ne!(at(number, None).key(), elsewhere.key());
        let abroad = Address { country: "ES".to_owned(), ..at(number, None) };
        prop_assert_ne!(at(number, None).key(), abroad.key());
    }

    #[test]
    fn two_streets_of_one_town_differ_when_their_letters_do(
        one in "[A-Z][a-z]{3,9}(straat|laan|plein)", other in "[A-Z][a-z]{3,9}(straat|laan|plein)"
    ) {
        let at = |street: &str| Address { street: street.to_owned(), ..address(("", "8", "", "9000", "Gent", "BE")) };
        prop_assert_eq!(at(&one).key() == at(&other).key(), one.to_lowercase() == other.to_lowercase());
    }

    #[test]
    fn folding_never_panics_and_says_the_same_twice(street in "\\PC{0,30}", number in "\\PC{0,8}", r#box in "\\PC{0,8}") {
        let address = Address { street, number, r#box: Some(r#box), ..address(("", "", "", "1000", "Gent", "BE")) };
        prop_assert_eq!(address.key(), address.clone().key());
    }
}
