# The pages of the portal. Every sentence says one thing, to somebody who does not know this system.

## The frame
skip = Aller au contenu
menu = Menu
menu-overview = Vue d'ensemble
menu-sites = Sites
menu-terminals = Terminaux
menu-users = Utilisateurs
menu-groups = Groupes d'utilisateurs
menu-company = Entreprise
menu-takeovers = Reprises
help = Aide
help-all = Tous les articles d'aide
contact = Contact
language = Langue
log-in = Se connecter
log-out = Se déconnecter
account = Mon compte
dev-mail = E-mails de ce serveur de développement
api-docs = Documentation de l'API
password-show = Afficher le mot de passe
save = Enregistrer
moment = le { $day } à { $time } ({ $zone })
day = le { $day }
no-such-page = Cette page n'existe pas
no-such-page-text = L'adresse contient peut-être une erreur, ou la page a été déplacée.

## Logging in
login-heading = Connectez-vous à { $brand }
email = Adresse e-mail
password = Mot de passe
forgot-link = Mot de passe oublié
cannot-log-in-link = Je ne peux pas me connecter
activate-link = Activer mon compte
to-login = Vers la page de connexion
back-to-login = Retour à la page de connexion
code-heading = Vérification en deux étapes
code = Code
code-hint = Les six chiffres affichés par votre application, ou un de vos codes de secours.
begin-again = Recommencer
lost-phone = Je n'ai plus mon téléphone
forgot-heading = Choisissez un nouveau mot de passe
forgot-intro = Indiquez votre adresse e-mail. Vous recevrez un lien pour choisir un nouveau mot de passe.
forgot-send = Envoyer le lien
forgot-sent-heading = Consultez votre boîte e-mail
forgot-sent-text = Si un compte actif utilise cette adresse e-mail, un lien lui est envoyé. Il fonctionne pendant une heure.
forgot-sent-no-mail = Toujours pas d'e-mail après quelques minutes ? Regardez dans vos e-mails indésirables et vérifiez l'adresse.
contact-intro = Le support vous aide quand vous n'y arrivez pas vous-même.
contact-unknown = Le numéro de téléphone et l'adresse e-mail du support figurent sur votre contrat et sur vos factures.
contact-days = Le support répond sept jours sur sept.

## Done
done-saved = C'est enregistré.
done-logged-out = Vous êtes déconnecté.
done-password-changed = Votre mot de passe est modifié. Toutes les sessions ouvertes ont été fermées.
done-session-ended = La session a été fermée.
done-device-forgotten = Retiré de vos appareils de confiance.
done-second-step-on = La vérification en deux étapes est activée.
done-second-step-off = La vérification en deux étapes est désactivée.
done-receipt-saved = C'est enregistré. Chaque terminal imprimera le nouveau ticket après sa prochaine synchronisation.
done-terminals-moved = Les terminaux choisis sont maintenant affectés à ce site.
done-none-chosen = Rien n'a changé : choisissez au moins un terminal.
done-terminal-released = Le terminal est libéré : il n'est plus lié à votre entreprise.
done-user-created = Le compte est créé. Un e-mail d'activation est en route.
done-user-admitted = Cette personne est acceptée. Elle peut se connecter dès que son compte est activé.
done-user-deleted = Le compte est supprimé.
done-role-changed = Le rôle est modifié.
done-activation-sent = Un nouvel e-mail d'activation est en route.
done-group-created = Le groupe est créé. Choisissez maintenant ses membres.
done-group-deleted = Le groupe est supprimé.
done-member-added = Cette personne est maintenant membre. Ses droits s'appliquent dès son prochain clic.
done-member-removed = Cette personne n'est plus membre.
done-takeover-agreed = Votre accord est enregistré.

## The account
tab-profile = Profil
tab-password = Mot de passe
tab-second-step = Vérification en deux étapes
tab-sessions = Sessions
tab-devices = Appareils de confiance
tab-logins = Connexions récentes
tab-data = Mes données
your-email = Votre adresse e-mail :
email-never-changes = Elle identifie votre compte et ne peut pas être modifiée. Pour une autre adresse, il faut un nouveau compte.
given-name = Prénom
family-name = Nom
language-hint = Vos pages et vos e-mails sont dans cette langue.
current-password = Mot de passe actuel
new-password = Nouveau mot de passe
password-change = Modifier le mot de passe
password-change-hint = Toutes vos sessions seront fermées et vous recevrez un e-mail de confirmation.
sessions-intro = Voici où vous êtes connecté. S'il y a des sessions que vous ne reconnaissez pas, fermez-les et modifiez votre mot de passe.
this-one = Vous êtes ici
last-used = dernière utilisation
end = Fermer
end-all = Fermer toutes les sessions, y compris celle-ci
browser-on = { $browser } sur { $system }
unknown-browser = Navigateur inconnu
unknown-address = adresse inconnue
devices-intro = Vous vous êtes déjà connecté avec ces appareils. Si quelqu'un d'autre essaie de deviner votre mot de passe, vous pouvez toujours les utiliser pour vous connecter.
devices-none = Il n'y a aucun appareil de confiance.
trusted-since = connu depuis
forget = Retirer
forget-all = Retirer tous les appareils
logins-intro = Les dernières tentatives de connexion avec votre adresse e-mail.
logins-none = Il n'y a encore aucune tentative.
when = Quand
what = Résultat
where-from = D'où
attempt-succeeded = Connexion réussie
attempt-failed = Mot de passe erroné
attempt-awaited-conversion = Mot de passe correct, accès pas encore accepté
attempt-second-step-asked = Mot de passe correct, code demandé
attempt-code-failed = Code erroné
data-intro = Tout ce que nous conservons sur vous, dans un fichier. Le texte est fait pour être lu, le fichier JSON pour les programmes.
data-text = Télécharger le texte
data-json = Télécharger le fichier JSON

## The second step
on = Activée
off = Désactivée
second-step-intro = Avec la vérification en deux étapes, vous vous connectez avec votre mot de passe et un code d'une application de votre téléphone. Un mot de passe volé ne suffit donc pas pour entrer.
second-step-advice = Protégez votre compte avec la vérification en deux étapes.
second-step-begin = Activer la vérification en deux étapes
second-step-1 = Installez une application d'authentification sur votre téléphone, par exemple Google Authenticator.
second-step-2 = Scannez le code QR que nous afficherons ensuite.
second-step-3 = Conservez les dix codes de secours en lieu sûr.
scan-heading = Scannez ce code QR avec votre application
scan-1 = Ouvrez votre application d'authentification, ajoutez un compte et scannez le code QR.
scan-2 = Saisissez les six chiffres affichés par l'application.
scan-alt = Code QR pour votre application d'authentification
scan-secret = Si vous ne pouvez pas le scanner, saisissez ce secret dans l'application :
second-step-confirm = Activer
codes-heading = Vos codes de secours pour { $brand }
codes-intro = Chaque code fonctionne une seule fois, à la place d'un code de votre application. Nous ne les affichons que maintenant.
codes-print = Imprimez cette page ou notez les codes. Ne les gardez pas sur votre téléphone.
codes-kept = J'ai conservé les codes
codes-left = Codes de secours restants : { $count }
codes-new = Créer de nouveaux codes de secours
codes-new-question = Les anciens codes ne fonctionneront plus.
second-step-off = Désactiver la vérification en deux étapes
second-step-off-question = Votre mot de passe suffira alors pour vous connecter.
print = Imprimer

## The company
hello = Bonjour { $name }
waits-for-you = À faire
waiting-person = { $name } ({ $email }) attend votre accord pour pouvoir se connecter.
waiting-takeover = Reprise { $reference }, conclusion prévue { $day }
decide = Décider
look = Voir
enterprise-number = Numéro d'entreprise
customer-since = Client depuis
number-hint = Pour un nouveau numéro d'entreprise, contactez le support.
company-change = Modifier les noms et les adresses
legal-name = Nom de l'entreprise
trading-name = Nom commercial
trading-name-hint = Le nom de votre commerce. Laissez ce champ vide si c'est le nom de l'entreprise.
address = Adresse
address-street = Rue
address-number = Numéro
address-box = Boîte
address-postal-code = Code postal
address-town = Localité
address-country = Pays (BE, NL, …)
address-of-registered-office = Siège social
address-of-invoicing-address = Adresse de facturation
address-of-correspondence-address = Adresse de correspondance
site-at-office = Si le siège social change et qu'un site s'y trouve :
site-stays = Le site reste où il est
site-moves = Le site déménage aussi
site-at-office-hint = Ce choix ne compte que si vous avez des terminaux au siège social.

## Sites
sites-none = Vous n'avez pas encore de site. Un site s'ouvre automatiquement quand un terminal est commandé à une adresse.
sites-open-themselves = Un site s'ouvre automatiquement quand un terminal est commandé à une nouvelle adresse.
terminal-count = { $count ->
    [0] aucun terminal
    [1] 1 terminal
   *[other] { $count } terminaux
}
open-since = Ouvert depuis
site-name = Nom du site
site-name-hint = Laissez ce champ vide pour que le nom suive l'adresse.
site-rename = Modifier le nom
terminals-none = Il n'y a aucun terminal ici.
receipt = Ticket
receipt-intro = Choisissez ce que vos terminaux impriment en haut et en bas de chaque ticket.
receipt-change = Modifier le ticket
receipt-name = Nom commercial sur le ticket
receipt-name-hint = Laissez ce champ vide pour imprimer le nom commercial de votre entreprise.
receipt-header = En-tête
receipt-middle = Texte du milieu
receipt-footer = Pied du ticket
receipt-hint-header = Par exemple vos heures d'ouverture.
receipt-hint-middle = Il est imprimé sous le montant.
receipt-hint-footer = Par exemple un mot de remerciement.
receipt-logo = Logo
receipt-logo-hint = Une image PNG ou JPEG. Elle est imprimée en noir et blanc.
receipt-logo-remove = Ne pas imprimer de logo
receipt-preview = Aperçu
receipt-preview-alt = Le ticket tel qu'il sera imprimé
receipt-beyond = { $count ->
    [1] Un terminal de ce site imprime un autre ticket : seul le support peut le modifier.
   *[other] { $count } terminaux de ce site impriment un autre ticket : seul le support peut le modifier.
}

## Terminals
site = Site
all-sites = Tous les sites
filter = Afficher
choose = Choisir
choose-terminal = Choisir { $terminal }
model = Modèle
serial = Numéro de série
serial-unknown = pas encore connu
move-to = Affecter les terminaux choisis au site
terminals-move = Affecter à un autre site
since = Ajouté
terminal-history = Sites jusqu'à présent
site-not-yours = un site auquel vous n'avez pas accès
release-heading = Renvoyé, remplacé ou vendu ?
release-intro = Libérez le terminal : il ne sera plus lié à votre entreprise. Il n'imprimera plus votre ticket et quelqu'un d'autre pourra le commander.
release-button = Libérer ce terminal
release-question = Un terminal libéré ne revient que par une nouvelle commande.
release-why = Raison
release-returned = Il a été renvoyé
release-replaced = Il a été remplacé
release-sold-on = Il a été vendu
release-now = Libérer maintenant

## Users
users-none = Il n'y a encore personne ici.
user-new = Ajouter un collègue
user-new-intro = Votre collègue reçoit un e-mail avec un lien pour choisir son mot de passe.
role = Rôle
role-administrator = Administrateur
role-temporary-administrator = En attente d'accord
role-user = Utilisateur
role-user-means = Utilisateur : peut faire ce que ses groupes permettent
role-administrator-means = Administrateur : peut tout faire dans cette entreprise
user-create = Ajouter
status-active = Actif
status-awaiting-activation = Pas encore activé
status-deleted = Supprimé
status-erased = Effacé
last-login = Dernière connexion
never = jamais
user-is-you = C'est vous. Vos réglages se trouvent sous votre nom, en haut de la page.
user-may = Ce que cette personne peut faire
user-may-nothing = Rien pour l'instant. Ajoutez cette personne à un groupe.
admit-intro = Cette personne est mentionnée dans une commande. Elle ne pourra se connecter qu'après votre accord.
admit-administrator = Accepter comme administrateur
admit-user = Accepter comme utilisateur
activation-send = Envoyer un nouvel e-mail d'activation
make-administrator = Nommer administrateur
make-user = Rendre simple utilisateur
user-delete = Supprimer ce compte
user-delete-question = Cette personne ne pourra plus se connecter. Son historique reste.
user-delete-now = Supprimer maintenant
everywhere = sur tous les sites
these-sites = sur ces sites
permission-view-transactions = Voir les transactions
permission-view-invoices = Voir les factures
permission-manage-users = Gérer les utilisateurs
permission-manage-terminals = Gérer les terminaux
permission-manage-receipts = Gérer les tickets
permission-activate-terminal-app = Activer l'application du terminal
permission-manage-company = Gérer l'entreprise

## User groups
groups-intro = Un groupe donne des droits à ses membres, sur tous les sites ou sur certains.
groups-none = Il n'y a encore aucun groupe.
group-new = Créer un groupe
group-name = Nom
group-description = Description
group-permissions = Ce que ses membres peuvent faire
group-create = Créer le groupe
group-members = Membres
group-no-members = Ce groupe n'a pas encore de membres.
group-no-users = Seuls les utilisateurs peuvent être membres. Les administrateurs peuvent déjà tout faire.
member-count = { $count ->
    [0] aucun membre
    [1] 1 membre
   *[other] { $count } membres
}
member-add = Ajouter un membre
member-add-now = Ajouter
member-where = Où
person = Personne
remove = Retirer
group-delete = Supprimer ce groupe
group-delete-question = Ses membres perdent les droits que seul ce groupe leur donnait.
group-delete-now = Supprimer maintenant

## Take-overs
takeovers-intro = Quand un commerce change de mains, ses sites, ses terminaux et ses comptes suivent. C'est le support qui ouvre une reprise.
takeovers-none = Il n'y a aucune reprise.
takeover-open = Ouverte
takeover-completing = Conclusion en cours
takeover-completed = Conclue
takeover-cancelled = Annulée
takeover-side-transferor = Votre entreprise est celle qui cède.
takeover-side-acquirer = Votre entreprise est celle qui reprend.
takeover-due = Conclusion prévue
takeover-goes-along = Ce qui est transféré
takeover-counts = sites : { $sites }, terminaux : { $terminals }, comptes : { $accounts }
takeover-waits-for = Doit encore agir
takeover-waits-transferor-confirmation = l'entreprise qui cède
takeover-waits-acquirer-confirmation = l'entreprise qui reprend
takeover-waits-support-completion = le support
takeover-agree = Donner mon accord
nobody = personne
