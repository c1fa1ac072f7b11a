# De e-mails, in het Nederlands.
greeting = Dag { $name },
moment = op { $day } om { $time } ({ $zone })
day = op { $day }
button-in-text = { $label }:
closing = Het team van { $brand }
footer = Deze e-mail is naar { $email } gestuurd door { $url }.

activation-subject = Bevestig uw { $brand }-account
activation-paragraph-1 = Er is een klantaccount van { $brand } voor u aangemaakt. Bevestig het door een wachtwoord te kiezen.{ $waits ->
    [yes] {" "}Daarna moet een beheerder van uw bedrijf u nog toelaten voordat u kunt inloggen. U krijgt een e-mail zodra dat gebeurd is.
   *[no] {""}
}
activation-paragraph-2 = Deze link werkt één keer en vervalt { $moment }.
activation-paragraph-3 = Verwachtte u deze e-mail niet? Dan hoeft u niets te doen: zolang er geen wachtwoord is gekozen, kan niemand inloggen.
activation-button = Mijn wachtwoord kiezen

password-reset-subject = Kies een nieuw wachtwoord voor { $brand }
password-reset-paragraph-1 = Iemand, waarschijnlijk u, heeft een nieuw wachtwoord voor dit account aangevraagd.
password-reset-paragraph-2 = Deze link werkt één keer en vervalt { $moment }.
password-reset-paragraph-3 = Was u dit niet? Dan hoeft u niets te doen: uw wachtwoord blijft hetzelfde.
password-reset-button = Een nieuw wachtwoord kiezen

password-changed-subject = Uw wachtwoord voor { $brand } is gewijzigd
password-changed-paragraph-1 = Het wachtwoord van uw account is { $moment } gewijzigd. Alle open sessies zijn beëindigd.
password-changed-paragraph-2 = Was u dit niet? Kies dan meteen een nieuw wachtwoord via 'wachtwoord vergeten' en neem contact op met de helpdesk.

locked-out-subject = Te veel mislukte inlogpogingen op uw { $brand }-account
locked-out-paragraph-1 = Er zijn te veel verkeerde wachtwoorden of codes achter elkaar ingevoerd voor uw account. Het account is daarom geblokkeerd. { $who ->
    [over] De blokkering is intussen beëindigd.
    [others] Deze blokkering eindigt uiterlijk { $moment }. Tot die tijd kunt u alleen inloggen met browsers waarmee u al eerder hebt ingelogd. Niemand anders kan inloggen, ook niet met het juiste wachtwoord.
    [browser] Deze blokkering eindigt uiterlijk { $moment }. Tot die tijd kan niemand inloggen met de browser waarin dit is gebeurd, ook niet met het juiste wachtwoord. Hetzelfde geldt voor elke browser waarmee u nog nooit hebt ingelogd. U kunt inloggen met de andere browsers waarmee u al eerder hebt ingelogd.
   *[everybody] Deze blokkering eindigt uiterlijk { $moment }. Tot die tijd kan niemand inloggen, ook niet met het juiste wachtwoord.
}
locked-out-paragraph-2 = { $who ->
    [over] Bent u uw wachtwoord vergeten, kies dan een nieuw wachtwoord via 'wachtwoord vergeten'.
   *[locked] U hoeft niet te wachten: kies een nieuw wachtwoord via 'wachtwoord vergeten'. Dan eindigt de blokkering meteen. Doe dit ook als u uw wachtwoord bent vergeten.
}
locked-out-paragraph-3 = Was u dit niet? Dan heeft iemand anders geprobeerd in te loggen, maar dat is niet gelukt. Gebruikt u tweestapsverificatie, dan kent die persoon misschien uw wachtwoord: kies een nieuw wachtwoord.
locked-out-button = Een nieuw wachtwoord kiezen

locked-until-reset-subject = Uw { $brand }-account is geblokkeerd tot u een nieuw wachtwoord kiest
locked-until-reset-paragraph-1 = Er zijn te veel verkeerde wachtwoorden of codes ingevoerd voor uw account. Het account is daarom geblokkeerd. { $who ->
    [over] De blokkering is intussen beëindigd.
    [others] Deze blokkering eindigt niet vanzelf. Niemand kan inloggen, ook niet met het juiste wachtwoord. Er is één uitzondering: u kunt inloggen met de browsers waarmee u al eerder hebt ingelogd.
    [browser] Deze blokkering eindigt niet vanzelf. Niemand kan inloggen met de browser waarin dit is gebeurd, ook niet met het juiste wachtwoord. Hetzelfde geldt voor elke browser waarmee u nog nooit hebt ingelogd. U kunt inloggen met de andere browsers waarmee u al eerder hebt ingelogd.
   *[everybody] Deze blokkering eindigt niet vanzelf. Niemand kan inloggen, ook niet met het juiste wachtwoord.
}
locked-until-reset-paragraph-2 = { $who ->
    [over] Bent u uw wachtwoord vergeten, kies dan een nieuw wachtwoord via 'wachtwoord vergeten'.
   *[locked] Kies een nieuw wachtwoord via 'wachtwoord vergeten' op { $url }. Dan eindigt de blokkering. De helpdesk kan u ook helpen.
}
locked-until-reset-paragraph-3 = Was u dit niet? Dan heeft iemand anders geprobeerd in te loggen, maar dat is niet gelukt.
locked-until-reset-button = Een nieuw wachtwoord kiezen

awaiting-conversion-subject = { $about_name } wacht op uw goedkeuring bij { $brand }
awaiting-conversion-paragraph-1 = In een bestelling op naam van uw bedrijf staat { $about_name } ({ $about_email }) als contactpersoon. Daarom is voor deze persoon een account als tijdelijk beheerder aangemaakt.
awaiting-conversion-paragraph-2 = Deze persoon kan pas inloggen nadat u hem of haar op { $url } als beheerder of als gebruiker hebt toegelaten.
awaiting-conversion-paragraph-3 = Kent u deze persoon niet? Laat hem of haar dan niet toe en neem contact op met de helpdesk.

sites-opened-subject = { $count ->
    [one] Nieuwe locatie op { $brand }
   *[several] Nieuwe locaties op { $brand }
}
sites-opened-paragraph-1 = { $count ->
    [one] Bestelling { $order } gaat naar een adres waar uw bedrijf nog geen locatie had. We hebben deze locatie geopend: { $sites }.
   *[several] Bestelling { $order } gaat naar adressen waar uw bedrijf nog geen locatie had. We hebben deze locaties geopend: { $sites }.
}
sites-opened-paragraph-2 = { $count ->
    [one] U kunt de nieuwe locatie een naam geven en er terminals aan toewijzen op { $url }.
   *[several] U kunt de nieuwe locaties een naam geven en er terminals aan toewijzen op { $url }.
}

take-over-opened-subject = Overname { $reference }: uw akkoord wordt gevraagd
take-over-opened-paragraph-1 = Er is een overname geopend: locaties van { $giver } gaan naar { $taker }, met hun terminals en gebruikers. Naar verwachting wordt de overname { $moment } voltooid.
take-over-opened-paragraph-2 = Van elk van de twee bedrijven moet een beheerder akkoord gaan op { $url }. Tot dan verandert er niets.
take-over-opened-paragraph-3 = Weet u hier niets van? Ga dan niet akkoord en neem contact op met de helpdesk, met vermelding van { $reference }.

take-over-completed-subject = Overname { $reference }: voltooid
take-over-completed-paragraph-1 = De overgenomen locaties van { $giver } zijn { $moment } overgegaan naar { $taker }, met hun terminals, gebruikers en geschiedenis.
take-over-completed-paragraph-2 = De manier van inloggen is niet veranderd. Beheerders van { $giver } houden al hun rechten op de overgenomen locaties, en alleen daar.

take-over-cancelled-subject = Overname { $reference }: geannuleerd
take-over-cancelled-paragraph-1 = De overname van locaties van { $giver } door { $taker } is { $moment } geannuleerd.
take-over-cancelled-paragraph-2 = Er is niets veranderd.

second-step-on-subject = Tweestapsverificatie aangezet voor { $brand }
second-step-on-paragraph-1 = Tweestapsverificatie is { $moment } aangezet voor uw account. U logt voortaan in met uw wachtwoord en een code van uw app.
second-step-on-paragraph-2 = Was u dit niet? Neem dan meteen contact op met de helpdesk.

second-step-off-subject = Tweestapsverificatie uitgezet voor { $brand }
second-step-off-paragraph-1 = Tweestapsverificatie is { $moment } uitgezet voor uw account. Voortaan is uw wachtwoord voldoende om in te loggen.
second-step-off-paragraph-2 = Was u dit niet? Kies dan een nieuw wachtwoord via 'wachtwoord vergeten' en neem contact op met de helpdesk.

second-step-reset-subject = Tweestapsverificatie uitgezet door de helpdesk van { $brand }
second-step-reset-paragraph-1 = Op uw verzoek heeft de helpdesk { $moment } de tweestapsverificatie van uw account uitgezet. Uw wachtwoord is niet veranderd. U bent overal uitgelogd.
second-step-reset-paragraph-2 = U kunt tweestapsverificatie met uw nieuwe telefoon weer aanzetten op { $url }.
second-step-reset-paragraph-3 = Hebt u hier niet om gevraagd? Kies dan een nieuw wachtwoord via 'wachtwoord vergeten' en neem contact op met de helpdesk.

new-device-subject = Er is met een nieuw apparaat ingelogd op uw { $brand }-account
new-device-paragraph-1 = Iemand heeft { $moment } ingelogd op uw account met een apparaat dat wij nog niet kenden: { $browser ->
    [unknown] een programma dat wij niet herkennen
   *[known] { $browser }
}{ $system ->
    [unknown] {""}
   *[known] {" "}op { $system }
}{ $address ->
    [unknown] {""}
   *[known] , met IP-adres { $address }
}.
new-device-paragraph-2 = Was u dit? Dan hoeft u niets te doen. U kunt uw apparaten bekijken en verwijderen op { $url }.
new-device-paragraph-3 = Was u dit niet? Kies dan meteen een nieuw wachtwoord via 'wachtwoord vergeten' en neem contact op met de helpdesk.

device-locked-subject = Te veel mislukte inlogpogingen op { $brand } in een van uw browsers
device-locked-paragraph-1 = Er zijn te veel verkeerde wachtwoorden of codes achter elkaar ingevoerd in een browser waarmee u al eerder hebt ingelogd. { $who ->
    [over] De blokkering is intussen beëindigd.
   *[locked] Voorlopig kan niemand inloggen met die browser, ook niet met het juiste wachtwoord. { $ends ->
        [reset] Deze blokkering eindigt als u een nieuw wachtwoord kiest.
       *[time] Deze blokkering eindigt uiterlijk { $moment }.
    }
}
device-locked-paragraph-2 = { $who ->
    [over] Bent u uw wachtwoord vergeten, kies dan een nieuw wachtwoord via 'wachtwoord vergeten'.
   *[locked] Bent u uw wachtwoord vergeten? Kies een nieuw wachtwoord via 'wachtwoord vergeten'. Dan eindigt de blokkering meteen.
}
device-locked-paragraph-3 = Was u dit niet? Dan heeft iemand anders uw browser gebruikt. Verwijder die browser uit uw apparaten op { $url } en neem contact op met de helpdesk.
device-locked-button = Een nieuw wachtwoord kiezen

password-reset-by-support-subject = De helpdesk stuurt u een link voor een nieuw wachtwoord van { $brand }
password-reset-by-support-paragraph-1 = De helpdesk van { $brand } stuurt u deze link, zodat u zelf een nieuw wachtwoord kunt kiezen. De helpdesk ziet de link niet en kent uw wachtwoord niet.
password-reset-by-support-paragraph-2 = Deze link werkt één keer en vervalt { $moment }.
password-reset-by-support-paragraph-3 = Hebt u de helpdesk hier niet om gevraagd? Gebruik de link dan niet en neem contact op met de helpdesk: uw wachtwoord blijft hetzelfde.
password-reset-by-support-button = Een nieuw wachtwoord kiezen

lockout-released-subject = De helpdesk heeft uw { $brand }-account gedeblokkeerd
lockout-released-paragraph-1 = De helpdesk van { $brand } heeft de blokkering van uw account { $moment } opgeheven. Uw wachtwoord is niet veranderd.
lockout-released-paragraph-2 = Hebt u hier niet om gevraagd? Kies dan een nieuw wachtwoord via 'wachtwoord vergeten' en neem contact op met de helpdesk.

administrator-by-support-subject = { $about_name } is nu beheerder van uw bedrijf op { $brand }
administrator-by-support-paragraph-1 = De helpdesk van { $brand } heeft { $about_name } ({ $about_email }) { $moment } beheerder van uw bedrijf gemaakt. Een beheerder heeft volledige toegang tot uw bedrijf, de locaties en de gebruikers ervan.
administrator-by-support-paragraph-2 = Heeft uw bedrijf hierom gevraagd? Dan hoeft u niets te doen.
administrator-by-support-paragraph-3 = Heeft niemand in uw bedrijf hierom gevraagd? Neem dan meteen contact op met de helpdesk. Op { $url } kunt u deze persoon de rol van gebruiker geven of het account verwijderen.

admitted-subject = U bent toegelaten tot { $brand }
admitted-paragraph-1 = U bent { $moment } toegelaten als { $role ->
    [administrator] beheerder van uw bedrijf. Een beheerder heeft volledige toegang tot het bedrijf, de locaties en de gebruikers ervan.
   *[user] gebruiker van uw bedrijf. Uw groepen bepalen wat u op welke locatie mag doen.
}
admitted-paragraph-2 = { $first ->
    [password] Kies eerst een wachtwoord met de link in de e-mail waarin wij u vroegen uw account te bevestigen. Daarna kunt u inloggen op { $url }.
   *[login] U kunt nu inloggen op { $url }.
}

account-deleted-subject = Uw { $brand }-account is verwijderd
account-deleted-paragraph-1 = { $by ->
    [company] Een collega die de accounts van uw bedrijf beheert, heeft uw account { $moment } verwijderd.
   *[support] De helpdesk van { $brand } heeft uw account { $moment } verwijderd.
} U kunt niet meer inloggen.
account-deleted-paragraph-2 = Denkt u dat dit een vergissing is? Neem dan contact op met een beheerder van uw bedrijf of met de helpdesk.
