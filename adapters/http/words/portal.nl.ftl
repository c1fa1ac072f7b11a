# The pages of the portal. Every sentence says one thing, to somebody who does not know this system.

## The frame
skip = Naar de inhoud
menu = Menu
menu-overview = Overzicht
menu-sites = Locaties
menu-terminals = Terminals
menu-users = Gebruikers
menu-groups = Gebruikersgroepen
menu-company = Bedrijf
menu-takeovers = Overnames
help = Hulp
help-all = Alle hulpartikelen
contact = Contact
language = Taal
log-in = Inloggen
log-out = Uitloggen
account = Mijn account
dev-mail = E-mails van deze ontwikkelserver
api-docs = API-documentatie
password-show = Wachtwoord tonen
save = Opslaan
moment = op { $day } om { $time } ({ $zone })
day = op { $day }
no-such-page = Deze pagina bestaat niet
no-such-page-text = Misschien staat er een fout in het adres, of is de pagina verplaatst.

## Logging in
login-heading = Inloggen bij { $brand }
email = E-mailadres
password = Wachtwoord
forgot-link = Wachtwoord vergeten
cannot-log-in-link = Ik kan niet inloggen
activate-link = Mijn account activeren
to-login = Naar de inlogpagina
back-to-login = Terug naar de inlogpagina
code-heading = Tweestapsverificatie
code = Code
code-hint = De zes cijfers die uw app toont, of een van uw herstelcodes.
begin-again = Opnieuw beginnen
lost-phone = Ik heb mijn telefoon niet meer
forgot-heading = Kies een nieuw wachtwoord
forgot-intro = Vul uw e-mailadres in. U krijgt een link waarmee u een nieuw wachtwoord kiest.
forgot-send = De link versturen
forgot-sent-heading = Kijk in uw mailbox
forgot-sent-text = Als er een actief account met dit e-mailadres is, is er een link onderweg. Die werkt één uur.
forgot-sent-no-mail = Na een paar minuten nog geen e-mail? Kijk in uw map met ongewenste e-mail en controleer het adres.
contact-intro = De helpdesk helpt u als u er zelf niet uit komt.
contact-unknown = Het telefoonnummer en het e-mailadres van de helpdesk staan in uw contract en op uw facturen.
contact-days = De helpdesk antwoordt zeven dagen per week.

## Done
done-saved = Opgeslagen.
done-logged-out = U bent uitgelogd.
done-password-changed = Uw wachtwoord is gewijzigd. Alle open sessies zijn beëindigd.
done-session-ended = De sessie is beëindigd.
done-device-forgotten = Verwijderd uit uw vertrouwde apparaten.
done-second-step-on = Tweestapsverificatie staat aan.
done-second-step-off = Tweestapsverificatie staat uit.
done-receipt-saved = Opgeslagen. Elke terminal drukt de nieuwe bon af zodra hij weer heeft gesynchroniseerd.
done-terminals-moved = De gekozen terminals zijn nu aan deze locatie toegewezen.
done-none-chosen = Er is niets gewijzigd: kies minstens één terminal.
done-terminal-released = De terminal is vrijgegeven en hoort niet meer bij uw bedrijf.
done-user-created = Het account is aangemaakt. Er is een activeringsmail onderweg.
done-user-admitted = Deze persoon is toegelaten en kan inloggen zodra het account is geactiveerd.
done-user-deleted = Het account is verwijderd.
done-role-changed = De rol is gewijzigd.
done-activation-sent = Er is een nieuwe activeringsmail onderweg.
done-group-created = De groep is gemaakt. Kies nu de leden.
done-group-deleted = De groep is verwijderd.
done-member-added = Deze persoon is nu lid. De rechten gelden vanaf zijn of haar volgende klik.
done-member-removed = Deze persoon is geen lid meer.
done-takeover-agreed = Uw akkoord is geregistreerd.

## The account
tab-profile = Profiel
tab-password = Wachtwoord
tab-second-step = Tweestapsverificatie
tab-sessions = Sessies
tab-devices = Vertrouwde apparaten
tab-logins = Recente inlogpogingen
tab-data = Mijn gegevens
your-email = Uw e-mailadres:
email-never-changes = Uw account hoort bij dit adres, dat niet kan worden gewijzigd. Voor een ander adres is een nieuw account nodig.
given-name = Voornaam
family-name = Achternaam
language-hint = Uw pagina's en uw e-mails zijn in deze taal.
current-password = Huidig wachtwoord
new-password = Nieuw wachtwoord
password-change = Het wachtwoord wijzigen
password-change-hint = Al uw sessies worden dan beëindigd en u krijgt er een e-mail over.
sessions-intro = Hier bent u ingelogd. Staan er sessies bij die u niet herkent, beëindig die dan en wijzig uw wachtwoord.
this-one = U bent hier
last-used = laatst gebruikt
end = Beëindigen
end-all = Alle sessies beëindigen, ook deze
browser-on = { $browser } op { $system }
unknown-browser = Onbekende browser
unknown-address = onbekend adres
devices-intro = Met deze apparaten hebt u al eerder ingelogd. Probeert iemand anders uw wachtwoord te raden, dan kunt u er nog steeds mee inloggen.
devices-none = Er zijn geen vertrouwde apparaten.
trusted-since = toegevoegd
forget = Verwijderen
forget-all = Alle apparaten verwijderen
logins-intro = De laatste pogingen om met uw e-mailadres in te loggen.
logins-none = Er zijn nog geen pogingen.
when = Wanneer
what = Resultaat
where-from = Waarvandaan
attempt-succeeded = Ingelogd
attempt-failed = Verkeerd wachtwoord
attempt-awaited-conversion = Juist wachtwoord, nog niet toegelaten
attempt-second-step-asked = Juist wachtwoord, code gevraagd
attempt-code-failed = Verkeerde code
data-intro = Alles wat wij over u bewaren, in één bestand. De tekst is om te lezen, het JSON-bestand is voor programma's.
data-text = Als tekst downloaden
data-json = Als JSON downloaden

## The second step
on = Aan
off = Uit
second-step-intro = Met tweestapsverificatie logt u in met uw wachtwoord en een code van een app op uw telefoon. Wie alleen uw wachtwoord steelt, komt niet binnen.
second-step-advice = Bescherm uw account met tweestapsverificatie.
second-step-begin = Tweestapsverificatie aanzetten
second-step-1 = Installeer een authenticator-app op uw telefoon, bijvoorbeeld Google Authenticator.
second-step-2 = Scan de QR-code die wij u daarna tonen.
second-step-3 = Bewaar de tien herstelcodes op een veilige plaats.
scan-heading = Scan deze QR-code met uw app
scan-1 = Open uw authenticator-app, voeg een account toe en scan de QR-code.
scan-2 = Vul de zes cijfers in die de app toont.
scan-alt = QR-code voor uw authenticator-app
scan-secret = Kunt u de code niet scannen, typ dan deze geheime sleutel in de app:
second-step-confirm = Aanzetten
codes-heading = Uw herstelcodes voor { $brand }
codes-intro = Elke code werkt één keer, in plaats van een code van uw app. Wij tonen ze alleen nu.
codes-print = Druk deze pagina af of schrijf de codes op. Bewaar ze niet op uw telefoon.
codes-kept = Ik heb de codes bewaard
codes-left = Resterende herstelcodes: { $count }
codes-new = Nieuwe herstelcodes maken
codes-new-question = De oude codes werken dan niet meer.
second-step-off = Tweestapsverificatie uitzetten
second-step-off-question = Dan is alleen uw wachtwoord genoeg om in te loggen.
print = Afdrukken

## The company
hello = Dag { $name }
waits-for-you = Nog te doen
waiting-person = { $name } ({ $email }) wacht op uw goedkeuring om te kunnen inloggen.
waiting-takeover = Overname { $reference }, naar verwachting voltooid { $day }
decide = Beslissen
look = Bekijken
enterprise-number = Ondernemingsnummer of KvK-nummer
customer-since = Klant geworden
number-hint = Voor een nieuw nummer neemt u contact op met de helpdesk.
company-change = Namen en adressen wijzigen
legal-name = Bedrijfsnaam
trading-name = Handelsnaam
trading-name-hint = De naam van uw winkel of zaak. Laat dit leeg als dat de bedrijfsnaam is.
address = Adres
address-street = Straat
address-number = Nummer
address-box = Bus of toevoeging
address-postal-code = Postcode
address-town = Plaats
address-country = Land (BE, NL, …)
address-of-registered-office = Maatschappelijke zetel
address-of-invoicing-address = Factuuradres
address-of-correspondence-address = Correspondentieadres
site-at-office = Als de maatschappelijke zetel verandert en er een locatie is:
site-stays = De locatie blijft op het oude adres
site-moves = De locatie verhuist mee
site-at-office-hint = Dit is alleen van belang als u terminals hebt op de maatschappelijke zetel.

## Sites
sites-none = U hebt nog geen locatie. Een locatie wordt automatisch geopend als er een terminal op een adres wordt besteld.
sites-open-themselves = Een locatie wordt automatisch geopend als er een terminal op een nieuw adres wordt besteld.
terminal-count = { $count ->
    [0] geen terminals
    [1] 1 terminal
   *[other] { $count } terminals
}
open-since = Geopend
site-name = Naam van de locatie
site-name-hint = Laat dit leeg om de naam het adres te laten volgen.
site-rename = De naam wijzigen
terminals-none = Er zijn hier geen terminals.
receipt = Bon
receipt-intro = Kies wat uw terminals boven en onder aan elke bon afdrukken.
receipt-change = De bon wijzigen
receipt-name = Handelsnaam op de bon
receipt-name-hint = Laat dit leeg om de handelsnaam van uw bedrijf af te drukken.
receipt-header = Koptekst
receipt-middle = Middentekst
receipt-footer = Voettekst
receipt-hint-header = Bijvoorbeeld uw openingstijden.
receipt-hint-middle = Deze tekst staat onder het bedrag.
receipt-hint-footer = Bijvoorbeeld een groet.
receipt-logo = Logo
receipt-logo-hint = Een PNG- of JPEG-afbeelding. Die wordt in zwart-wit afgedrukt.
receipt-logo-remove = Geen logo afdrukken
receipt-preview = Voorbeeld
receipt-preview-alt = De bon zoals hij wordt afgedrukt
receipt-beyond = { $count ->
    [1] Eén terminal van deze locatie drukt een andere bon af: alleen de helpdesk kan die wijzigen.
   *[other] { $count } terminals van deze locatie drukken een andere bon af: alleen de helpdesk kan die wijzigen.
}

## Terminals
site = Locatie
all-sites = Alle locaties
filter = Tonen
choose = Kiezen
choose-terminal = { $terminal } kiezen
model = Model
serial = Serienummer
serial-unknown = nog niet bekend
move-to = De gekozen terminals toewijzen aan
terminals-move = Aan een andere locatie toewijzen
since = Toegevoegd
terminal-history = Locaties tot nu toe
site-not-yours = een locatie die u niet mag zien
release-heading = Teruggestuurd, vervangen of verkocht?
release-intro = Geef de terminal vrij: hij hoort dan niet meer bij uw bedrijf. Hij drukt uw bon niet meer af en iemand anders kan hem bestellen.
release-button = Deze terminal vrijgeven
release-question = Een vrijgegeven terminal komt alleen met een nieuwe bestelling terug.
release-why = Reden
release-returned = Hij is teruggestuurd
release-replaced = Hij is vervangen
release-sold-on = Hij is verkocht
release-now = Nu vrijgeven

## Users
users-none = Er is hier nog niemand.
user-new = Een collega toevoegen
user-new-intro = Uw collega krijgt een e-mail met een link om een wachtwoord te kiezen.
role = Rol
role-administrator = Beheerder
role-temporary-administrator = Wacht op goedkeuring
role-user = Gebruiker
role-user-means = Gebruiker: mag doen wat zijn of haar groepen toestaan
role-administrator-means = Beheerder: mag alles in dit bedrijf
user-create = Toevoegen
status-active = Actief
status-awaiting-activation = Nog niet geactiveerd
status-deleted = Verwijderd
status-erased = Gewist
last-login = Laatst ingelogd
never = nooit
user-is-you = Dit bent u. Uw instellingen staan onder uw naam, boven aan de pagina.
user-may = Wat deze persoon mag doen
user-may-nothing = Nog niets. Voeg deze persoon aan een groep toe.
admit-intro = Deze persoon wordt in een bestelling genoemd en kan pas inloggen nadat u hem of haar hebt toegelaten.
admit-administrator = Toelaten als beheerder
admit-user = Toelaten als gebruiker
activation-send = Een nieuwe activeringsmail sturen
make-administrator = Beheerder maken
make-user = Gebruiker maken
user-delete = Dit account verwijderen
user-delete-question = Deze persoon kan dan niet meer inloggen. De geschiedenis blijft bewaard.
user-delete-now = Nu verwijderen
everywhere = op alle locaties
these-sites = op deze locaties
permission-view-transactions = Transacties bekijken
permission-view-invoices = Facturen bekijken
permission-manage-users = Gebruikers beheren
permission-manage-terminals = Terminals beheren
permission-manage-receipts = Bonnen beheren
permission-activate-terminal-app = De terminal-app activeren
permission-manage-company = Het bedrijf beheren

## User groups
groups-intro = Een groep geeft de leden rechten, op alle locaties of op sommige.
groups-none = Er zijn nog geen groepen.
group-new = Een groep maken
group-name = Naam
group-description = Beschrijving
group-permissions = Wat de leden mogen doen
group-create = De groep maken
group-members = Leden
group-no-members = Deze groep heeft nog geen leden.
group-no-users = Alleen gebruikers kunnen lid zijn. Beheerders mogen al alles.
member-count = { $count ->
    [0] geen leden
    [1] 1 lid
   *[other] { $count } leden
}
member-add = Een lid toevoegen
member-add-now = Toevoegen
member-where = Waar
person = Persoon
remove = Verwijderen
group-delete = Deze groep verwijderen
group-delete-question = De leden verliezen de rechten die alleen deze groep hun gaf.
group-delete-now = Nu verwijderen

## Take-overs
takeovers-intro = Als een zaak in andere handen overgaat, gaan de locaties, terminals en accounts mee. De helpdesk opent de overname.
takeovers-none = Er zijn geen overnames.
takeover-open = Open
takeover-completing = Wordt voltooid
takeover-completed = Voltooid
takeover-cancelled = Geannuleerd
takeover-side-transferor = Uw bedrijf draagt over.
takeover-side-acquirer = Uw bedrijf neemt over.
takeover-due = Naar verwachting voltooid
takeover-goes-along = Gaat mee
takeover-counts = locaties: { $sites }, terminals: { $terminals }, accounts: { $accounts }
takeover-waits-for = Moet nog iets doen
takeover-waits-transferor-confirmation = het bedrijf dat overdraagt
takeover-waits-acquirer-confirmation = het bedrijf dat overneemt
takeover-waits-support-completion = de helpdesk
takeover-agree = Akkoord gaan
nobody = niemand
