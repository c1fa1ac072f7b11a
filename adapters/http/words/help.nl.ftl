# De openbare hulpartikelen, in het Nederlands.

help-cannot-log-in-title = Waarom kan ik niet inloggen?
help-cannot-log-in-lead = Vraag een nieuw wachtwoord aan; helpt dat niet, zoek dan uw geval in deze lijst.
help-cannot-log-in-body =
    Is het wachtwoord verkeerd, of bent u het vergeten? Vraag een nieuw wachtwoord aan via [wachtwoord vergeten](forgot). De link in de e-mail werkt één keer, { $reset_minutes } minuten lang.

    Helpt dat niet, zoek dan uw geval. De inlogpagina noemt de oorzaak vaak niet, om niets aan onbekenden te verraden.

    - U hebt uw account nog niet geactiveerd: gebruik de link in de activeringsmail. Die werkt { $activation_days } dagen. De [activeringspagina](activation) of de helpdesk stuurt u een nieuwe.
    - U gebruikt een ander e-mailadres: één adres is één account, en het adres van een account verandert nooit. Gebruik het adres waarop u onze e-mails krijgt.
    - Uw account is geblokkeerd: dat gebeurt na { $attempts } verkeerde wachtwoorden of codes achter elkaar.
    - Een beheerder moet u nog toelaten: vraag het aan een beheerder van uw bedrijf of aan de helpdesk.
    - U bent uw telefoon kwijt: log in met een van uw herstelcodes. Hebt u er geen meer, neem dan contact op met de helpdesk. Stel daarna uw nieuwe telefoon in bij [tweestapsverificatie](second-step).

    ## Mijn account is geblokkeerd

    De blokkering eindigt na { $minutes } minuten. Opnieuw proberen maakt de blokkering niet langer. Na afloop werkt hetzelfde wachtwoord weer.

    Wilt u niet wachten, kies dan een nieuw wachtwoord via [wachtwoord vergeten](forgot). Dan eindigt de blokkering meteen.

    ## Niets helpt

    De helpdesk helpt u verder: [neem contact op](contact).

help-activate-account-title = Hoe activeer ik mijn account?
help-activate-account-lead = Open de link in de activeringsmail en kies een wachtwoord.
help-activate-account-body =
    1. Zoek in uw mailbox de e-mail 'Bevestig uw { $brand }-account'. Kijk ook in uw map met ongewenste e-mail.
    2. Open de link in deze e-mail.
    3. Kies een wachtwoord. Voldoet het niet aan de regels, dan noemt de pagina elke regel die niet klopt.
    4. [Log in](login) met uw e-mailadres en uw nieuwe wachtwoord.

    De link werkt één keer, { $activation_days } dagen lang.

    ## De link werkt niet, of ik heb geen e-mail gekregen

    Vraag een nieuwe link aan op de [activeringspagina](activation). De helpdesk kan er ook een sturen. Alleen de nieuwste link werkt.

    Hebt u al eerder een wachtwoord gekozen, dan is uw account actief. Kent u het wachtwoord niet meer, gebruik dan [wachtwoord vergeten](forgot).

    ## Ik heb een wachtwoord gekozen, maar kan niet inloggen

    Misschien moet een beheerder van uw bedrijf u nog toelaten. U krijgt een e-mail zodra dat gebeurd is. De helpdesk kan u ook toelaten.

    Andere oorzaken staan in [Waarom kan ik niet inloggen?](help/cannot-log-in)

help-read-invoice-title = Waar vind ik mijn factuur en hoe lees ik die?
help-read-invoice-lead = Log in en open de facturen in het menu; de helpdesk legt u uit wat er op een factuur staat.
help-read-invoice-body =
    1. [Log in](login).
    2. Open de facturen in het menu.

    ## Ik zie geen facturen in het menu

    U hebt het recht 'facturen bekijken' nodig. Beheerders hebben het. Vraag een beheerder van uw bedrijf om het u te geven. Dat doet hij of zij in de [gebruikersgroepen](groups).

    ## De naam of het adres klopt niet

    Een beheerder wijzigt namen en adressen in de [bedrijfsgegevens](company). De wijziging wordt aan de facturatie doorgegeven.

    Voor een nieuw ondernemingsnummer of KvK-nummer zorgt de helpdesk. Lees [Nieuw nummer of overname](help/change-registration).

    ## Ik begrijp een bedrag niet

    Vraag het aan de helpdesk via de [contactpagina](contact). Houd de factuur bij de hand en vermeld het nummer ervan. Facturen worden buiten dit portaal gemaakt.

help-announce-move-title = Hoe geef ik een verhuizing door?
help-announce-move-lead = Een beheerder wijzigt de adressen in de bedrijfsgegevens en wijst uw terminals aan de juiste locatie toe.
help-announce-move-body =
    1. Open de [bedrijfsgegevens](company) als beheerder.
    2. Wijzig het officiële adres of de andere adressen. De wijziging is te zien bij de locaties waarvoor die geldt.
    3. Kijk bij [locaties](sites) of het nieuwe adres erbij staat.
    4. Is het nieuwe adres een aparte locatie, wijs dan bij [terminals](terminals) uw terminals eraan toe.

    ## Het nieuwe adres staat niet bij mijn locaties

    Niemand kan een locatie met de hand aanmaken. Een locatie wordt automatisch geopend als er een terminal wordt besteld op een adres waar uw bedrijf nog geen locatie heeft.

    Neemt u uw terminals mee en bestelt u geen nieuwe, [neem dan contact op met de helpdesk](contact).

    ## Waarom dit belangrijk is

    Een terminal hoort bij precies één locatie. Die locatie bepaalt welke collega's de terminal mogen beheren en wat een PAX-terminal op de bonnen afdrukt.

    Lees ook [Hoe wijs ik een terminal aan een locatie toe?](help/assign-terminal)

help-change-registration-title = Ik heb een nieuw ondernemingsnummer (KvK-nummer) of mijn zaak wordt overgenomen. Wat nu?
help-change-registration-lead = Neem contact op met de helpdesk: u kunt dit niet zelf in het portaal doen, en het duurt ongeveer vier weken.
help-change-registration-body =
    Neem eerst [contact op met de helpdesk](contact), zo vroeg mogelijk. U kunt dit niet zelf in het portaal doen, en een beheerder ook niet.

    Houd dit bij de hand:

    - het oude en het nieuwe ondernemingsnummer of KvK-nummer;
    - de namen van beide bedrijven, als het er twee zijn;
    - de locaties en terminals die meegaan.

    ## Wat er daarna gebeurt

    1. De helpdesk opent een overname.
    2. Van elk bedrijf gaat een beheerder akkoord op de pagina [overnames](takeovers).
    3. De helpdesk voltooit de overname.

    Tot dan verandert er niets en logt u in zoals altijd.

    Is de overname voltooid, dan zijn de locaties, terminals en accounts overgegaan, met hun geschiedenis.

    ## Wanneer dit niet nodig is

    Een nieuwe naam of een nieuw adres met hetzelfde nummer is geen overname. Een beheerder wijzigt dat in de [bedrijfsgegevens](company).

    Lees ook [Hoe lang duurt een overname?](help/takeover-duration)

help-chargeback-title = Wat is een chargeback en wat moet ik doen?
help-chargeback-lead = Een kaarthouder betwist een betaling bij zijn bank: bewaar de bon en beantwoord de brief van de helpdesk op tijd.
help-chargeback-body =
    1. Zoek de bon van de betaling, en alles wat laat zien wat u hebt verkocht: de bestelling, de rekening, het leveringsbewijs.
    2. Lees de brief van de helpdesk. Kijk over welke betaling het gaat en wanneer u uiterlijk moet antwoorden.
    3. Antwoord op tijd en voeg kopieën toe van wat u hebt gevonden.
    4. Bewaar de originelen.

    ## Wat het is

    Een kaarthouder herkent een betaling niet, of is het er niet mee eens. Hij of zij meldt dat aan de bank. De bank vraagt dan de betaling terug. Dat is een chargeback.

    De bon laat zien dat de betaling is gedaan. Zonder antwoord hoort niemand uw kant van het verhaal.

    ## Goede gewoonten

    - Bewaar uw bonnen op datum.
    - Controleer of uw klanten de naam op de bon kennen. Lees [Hoe wijzig ik mijn bon?](help/receipt-layout)

    ## Vragen

    Chargebacks worden niet in dit portaal behandeld. [Neem contact op met de helpdesk](contact).

help-assign-terminal-title = Hoe wijs ik een terminal aan een locatie toe?
help-assign-terminal-lead = Open de terminals, kies de terminal en geef die een andere locatie.
help-assign-terminal-body =
    1. [Log in](login).
    2. Open de [terminals](terminals).
    3. Kies de terminal. U herkent die aan het serienummer.
    4. Kies de nieuwe locatie.

    Een terminal hoort bij precies één locatie tegelijk. In het begin is dat de locatie waarvoor hij is besteld.

    ## Wie mag dit doen?

    Een beheerder mag dit. Een gebruiker ook, met het recht 'terminals beheren' op beide locaties: de oude en de nieuwe. Een beheerder geeft dit recht in de [gebruikersgroepen](groups).

    ## De locatie staat er niet bij

    U kunt een locatie niet met de hand aanmaken. Een locatie wordt automatisch geopend als er een terminal op een nieuw adres wordt besteld. Lees [Hoe geef ik een verhuizing door?](help/announce-move)

    ## De terminal is er niet meer

    Een terminal die is teruggestuurd, vervangen of verkocht, wijst u niet toe. Hij wordt vrijgegeven. Dat doet een beheerder of de helpdesk.

help-no-payment-option-title = Mijn terminal toont 'No payment option found'. Wat nu?
help-no-payment-option-lead = Controleer de locatie van de terminal, start hem opnieuw op en controleer het netwerk; neem daarna contact op met de helpdesk.
help-no-payment-option-body =
    1. Kijk bij [terminals](terminals) of de terminal aan de juiste locatie is toegewezen. Vergelijk het serienummer.
    2. Klopt de locatie niet, [wijs de terminal dan aan de juiste locatie toe](help/assign-terminal).
    3. Synchroniseer de terminal of start hem opnieuw op.
    4. Controleer de netwerkverbinding van de terminal.
    5. Probeer opnieuw een betaling te doen.

    ## Het werkt nog steeds niet

    Neem dan [contact op met de helpdesk](contact). De helpdesk antwoordt zeven dagen per week. Houd dit bij de hand:

    - het serienummer en het model van de terminal;
    - de locatie waar hij staat;
    - de precieze tekst op het scherm;
    - de stappen die u hebt geprobeerd.

    ## Wat de melding betekent

    'No payment option found' betekent 'geen betaalmogelijkheid gevonden'. De terminal vindt geen manier van betalen die hij uw klant mag aanbieden.

    De oorzaak ligt niet altijd in dit portaal. Daarom zoekt de helpdesk met u verder.

help-change-name-address-title = Hoe wijzig ik een naam of een adres?
help-change-name-address-lead = Een beheerder wijzigt de namen en adressen van het bedrijf in de bedrijfsgegevens.
help-change-name-address-body =
    ## Uw bedrijf

    1. [Log in](login) als beheerder.
    2. Open de [bedrijfsgegevens](company).
    3. Wijzig de bedrijfsnaam, de handelsnaam, het officiële adres of een ander adres.

    De wijziging is te zien bij de locaties waarvoor die geldt. De facturatie krijgt de wijziging ook.

    Het ondernemingsnummer of KvK-nummer kunt u niet zelf wijzigen. Lees [Nieuw nummer of overname](help/change-registration).

    ## Een locatie

    Een beheerder geeft een locatie een andere naam bij [locaties](sites). Zolang niemand een naam kiest, heet een locatie naar de straat en de plaats.

    ## Uzelf

    Wijzig uw eigen naam en uw taal in uw [profiel](profile).

    Het e-mailadres van een account verandert nooit. Voor een nieuw adres maakt een beheerder bij [gebruikers](users) een nieuw account aan en verwijdert hij of zij het oude.

    ## De naam op de bon

    Die hoort bij de opmaak van de bon. Lees [Hoe wijzig ik mijn bon?](help/receipt-layout)

help-takeover-duration-title = Hoe lang duurt een overname?
help-takeover-duration-lead = Een overname duurt ongeveer vier weken vanaf de dag waarop de helpdesk die opent.
help-takeover-duration-body =
    Log in als beheerder en open de [overnames](takeovers). Daar ziet u:

    - de datum waarop de overname naar verwachting wordt voltooid;
    - hoever de overname is;
    - wie waarop wacht.

    ## Wat u zelf kunt doen

    Van elk van de twee bedrijven moet een beheerder akkoord gaan. Doe dat snel op de pagina [overnames](takeovers): eerder kan de helpdesk de overname niet voltooien.

    ## Intussen

    Tot de overname is voltooid, verandert er niets. U logt in zoals altijd en blijft uw terminals gebruiken.

    ## Aan het einde

    Locaties, terminals en accounts zijn naar het andere bedrijf overgegaan, met hun geschiedenis. U logt in met hetzelfde e-mailadres en hetzelfde wachtwoord.

    Een overname kan ook worden geannuleerd. Dan verandert er niets.

    ## Het duurt langer

    Vraag het aan de helpdesk via de [contactpagina](contact). Hoe u een overname aanvraagt, leest u in [Nieuw nummer of overname](help/change-registration).

help-receipt-layout-title = Hoe wijzig ik het logo en de tekst op mijn bon?
help-receipt-layout-lead = Bij een PAX-terminal stelt u de bon zelf in, per locatie; voor een Verifone-terminal neemt u contact op met de helpdesk.
help-receipt-layout-body =
    ## PAX: A80 Duo Base, A920 Mobile, A77 Compact

    1. Open de [locaties](sites) en kies de locatie.
    2. Open de opmaak van de bon.
    3. Wijzig de koptekst, de middentekst en de voettekst.
    4. Wijzig de handelsnaam op de bon en voeg een logo toe.
    5. Bekijk het voorbeeld.
    6. Sla de opmaak op.
    7. Synchroniseer de terminal.

    De terminal krijgt de opgeslagen opmaak als hij weer synchroniseert. Tot dan drukt hij de oude bon af.

    ## Verifone

    Deze bon kunt u niet zelf wijzigen. [Neem contact op met de helpdesk](contact).

    ## Wie mag dit doen?

    Een beheerder mag dit. Een gebruiker ook, met het recht 'bonnen beheren' op die locatie. Een beheerder geeft dit recht in de [gebruikersgroepen](groups).

    ## De bon verandert niet

    Kijk bij [terminals](terminals) of de terminal aan deze locatie is toegewezen. De opmaak hoort bij de locatie.

help-reach-support-title = Hoe bereik ik de helpdesk?
help-reach-support-lead = Dat staat op de contactpagina; de helpdesk antwoordt zeven dagen per week.
help-reach-support-body =
    Open de [contactpagina](contact). Daar staan de contactgegevens. U hoeft er niet voor in te loggen.

    ## Houd dit bij de hand

    - de naam of het ondernemingsnummer of KvK-nummer van uw bedrijf;
    - het e-mailadres van uw account;
    - het serienummer van de terminal, als uw vraag over een terminal gaat;
    - de precieze tekst van de melding op het scherm.

    ## Wat de helpdesk voor u doet

    - De helpdesk zoekt uit waarom u niet kunt inloggen.
    - De helpdesk stuurt u een link om uw account te activeren of een nieuw wachtwoord te kiezen.
    - De helpdesk heft een blokkering eerder op.
    - De helpdesk zet tweestapsverificatie uit als u uw telefoon kwijt bent. Daarvoor controleert de helpdesk eerst wie u bent.
    - De helpdesk opent een overname en helpt met de bonnen van Verifone-terminals.

    ## Uw wachtwoord blijft van u

    De helpdesk ziet uw wachtwoord nooit en kiest het nooit voor u. Geef het aan niemand door.

    Vaak lukt het sneller zelf: [Waarom kan ik niet inloggen?](help/cannot-log-in)
