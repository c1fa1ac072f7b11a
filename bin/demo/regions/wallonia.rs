//! French-speaking Belgium.

use super::{Country, Groups, Language, Region};

pub(super) static REGION: Region = Region {
    language: Language::Fr,
    country: Country::Belgium,
    given: &[
        "Marie", "Nathalie", "Isabelle", "Martine", "Sophie", "Catherine", "Julie", "Céline", "Aurélie",
        "Émilie", "Valérie", "Caroline", "Laurence", "Véronique", "Amélie", "Fatima", "Chloé", "Manon",
        "Inès", "Jean", "Philippe", "Michel", "Pierre", "Olivier", "Benoît", "Thierry", "Vincent", "Nicolas",
        "François", "Laurent", "Christophe", "Stéphane", "Mohamed", "Youssef", "Mehdi", "Hugo", "Louis",
        "Arthur", "Jérôme", "Grégory", "Bernard",
    ],
    family: &[
        "Dupont", "Lambert", "Dubois", "Dumont", "Martin", "Leclercq", "Simon", "Laurent", "Denis", "Renard",
        "Lejeune", "Gérard", "Petit", "Lemaire", "Charlier", "Mathieu", "Collard", "Thomas", "Bastin",
        "Noël", "Delvaux", "Henrard", "Gilles", "Collin", "Marchal", "Piron", "Rousseau", "Delcourt",
        "Libert", "Bodart", "Poncelet", "Hubert", "Baudoin", "Evrard", "El Amrani", "Benali", "Carlier",
        "Wauters", "Fontaine", "Godefroid", "Toussaint", "Stassart", "Maréchal",
    ],
    towns: &[
        ("1000", "Bruxelles"), ("1030", "Schaerbeek"), ("1040", "Etterbeek"), ("1050", "Ixelles"),
        ("1060", "Saint-Gilles"), ("1070", "Anderlecht"), ("1180", "Uccle"), ("1190", "Forest"),
        ("1300", "Wavre"), ("1340", "Ottignies"), ("1400", "Nivelles"), ("1420", "Braine-l'Alleud"),
        ("1480", "Tubize"), ("4000", "Liège"), ("4020", "Liège"), ("4100", "Seraing"), ("4300", "Waremme"),
        ("4500", "Huy"), ("4600", "Visé"), ("4800", "Verviers"), ("4900", "Spa"), ("4960", "Malmedy"),
        ("5000", "Namur"), ("5100", "Jambes"), ("5300", "Andenne"), ("5500", "Dinant"), ("5590", "Ciney"),
        ("5600", "Philippeville"), ("6000", "Charleroi"), ("6040", "Jumet"), ("6200", "Châtelet"),
        ("6600", "Bastogne"), ("6700", "Arlon"), ("6800", "Libramont"), ("6900", "Marche-en-Famenne"),
        ("7000", "Mons"), ("7060", "Soignies"), ("7100", "La Louvière"), ("7130", "Binche"),
        ("7500", "Tournai"), ("7700", "Mouscron"), ("7800", "Ath"),
    ],
    streets: &[
        "Rue Neuve", "Rue de la Station", "Grand-Place", "Place du Marché", "Rue de l'Église",
        "Chaussée de Waterloo", "Chaussée de Wavre", "Avenue Louise", "Rue Haute", "Rue du Moulin",
        "Rue des Écoles", "Place Albert Ier", "Boulevard Anspach", "Avenue Reine Astrid", "Rue de Namur",
        "Rue de Bruxelles", "Rue du Commerce", "Rue Saint-Jacques", "Rue des Carmes", "Quai de la Sambre",
        "Boulevard d'Avroy", "Rue Léopold", "Rue du Pont", "Rue de France", "Chaussée de Charleroi",
        "Rue des Tanneurs", "Place de la Gare", "Rue du Village", "Rue de la Montagne", "Avenue de Tervueren",
    ],
    trades: &[
        "Boulangerie {}", "Boucherie {} et Fils", "Pharmacie {}", "Librairie {}", "Garage {}",
        "Fleurs {}", "Friterie {}", "Brasserie {}", "Coiffure {}", "Optique {}", "Quincaillerie {}",
        "Pâtisserie {}", "Épicerie {}", "Restaurant {}", "Pressing {}", "Bijouterie {}", "Cycles {}",
        "Chaussures {}", "Poissonnerie {}", "Traiteur {}", "{} Frères", "Établissements {}",
    ],
    doors: &[
        "Le Fournil", "La Petite Table", "Au Coin Gourmand", "Chez {}", "Le Bon Pain", "L'Atelier",
        "Au Vieux Moulin", "La Fleur Bleue", "Le Comptoir", "Les Délices de {}", "La Bonne Adresse",
        "Le Relais", "Aux Trois Tilleuls", "Le Panier Frais", "La Perle", "Au Fil du Temps",
    ],
    forms: &["SRL", "SRL", "SRL", "SA", "SNC", "SCRL"],
    chains: &["Boulangeries du Midi", "Station Express", "Les Frais Marchés", "Optique Centrale"],
    sites: &["Centre", "Gare", "Zoning", "Galerie", "Entrepôt", "Marché", "Comptoir", "Terrasse", "Drive"],
    groups: Groups {
        till: ("Caisse", "Voit les transactions de son magasin"),
        manager: ("Gérants de magasin", "Terminaux, tickets et transactions de leurs magasins"),
        books: ("Comptabilité", "Factures et transactions de tous les sites"),
    },
    opening_hours: "Ouvert du mardi au dimanche, 7h-18h30",
    returns: "Échange sous 14 jours avec ce ticket",
    thanks: &["Merci de votre visite", "Merci et à bientôt", "Merci de votre confiance", "Bonne journée"],
    tax: "TVA",
    released: "le client a appelé, son identité est vérifiée",
    left: "a quitté l'entreprise",
    forgotten: "demandé par écrit",
};
