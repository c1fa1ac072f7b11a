# De e-mails, in het Nederlands.
greeting = Dag { $name },
moment = op { $day } om { $time } ({ $zone })
closing = Het team van { $brand }
footer = Deze e-mail is naar { $email } gestuurd door { $url }.

activation-subject = Bevestig uw { $brand }-account
activation-paragraph-1 = Er is een klantaccount van { $brand } voor u aangemaakt. Bevestig het door een wachtwoord te kiezen.
activation-paragraph-2 = Deze link werkt één keer. Hij vervalt { $moment }.
activation-paragraph-3 = Verwachtte u deze e-mail niet? Dan hoeft u niets te doen: zonder wachtwoord kan niemand inloggen.
activation-button = Mijn wachtwoord kiezen

password-reset-subject = Kies een nieuw wachtwoord voor { $brand }
password-reset-paragraph-1 = Iemand, waarschijnlijk u, heeft aangegeven het wachtwoord van dit account vergeten te zijn.
password-reset-paragraph-2 = Deze link werkt één keer. Hij vervalt { $moment }.
password-reset-paragraph-3 = Was u dit niet? Dan hoeft u niets te doen: uw wachtwoord blijft hetzelfde.
password-reset-button = Een nieuw wachtwoord kiezen

password-changed-subject = Uw wachtwoord voor { $brand } is gewijzigd
password-changed-paragraph-1 = Het wachtwoord van uw account is { $moment } gewijzigd. Alle open sessies zijn beëindigd.
password-changed-paragraph-2 = Was u dit niet? Kies meteen een nieuw wachtwoord via 'wachtwoord vergeten' en neem contact op met de helpdesk.

locked-out-subject = Uw { $brand }-account is tijdelijk geblokkeerd
locked-out-paragraph-1 = Er zijn te veel verkeerde wachtwoorden na elkaar ingevoerd voor uw account. Het is geblokkeerd en komt { $moment } weer vrij; dan werkt uw wachtwoord weer.
locked-out-paragraph-2 = Wilt u niet wachten, of bent u uw wachtwoord vergeten? Kies een nieuw via 'wachtwoord vergeten': dat heft ook de blokkering op.
locked-out-paragraph-3 = Was u dit niet, dan heeft iemand anders geprobeerd in te loggen. Uw wachtwoord is niet gevonden.

awaiting-conversion-subject = { $about_name } wacht op uw goedkeuring bij { $brand }
awaiting-conversion-paragraph-1 = In een bestelling op naam van uw bedrijf staat { $about_name } ({ $about_email }) als contactpersoon. Er is een account als tijdelijk beheerder aangemaakt.
awaiting-conversion-paragraph-2 = Deze persoon kan pas inloggen als u hem of haar op { $url } als beheerder of als gebruiker hebt toegelaten.
awaiting-conversion-paragraph-3 = Kent u deze persoon niet? Laat hem of haar niet toe en neem contact op met de helpdesk.
