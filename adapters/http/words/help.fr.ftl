# Les articles d'aide publics, en français.

help-cannot-log-in-title = Pourquoi ne puis-je pas me connecter ?
help-cannot-log-in-lead = Demandez un nouveau mot de passe ; si cela ne suffit pas, cherchez votre cas dans cette liste.
help-cannot-log-in-body =
    Le mot de passe est erroné ou oublié ? Demandez-en un nouveau via [mot de passe oublié](forgot). Le lien de l’e-mail fonctionne une seule fois, pendant { $reset_minutes } minutes.

    Si cela ne suffit pas, cherchez votre cas. La page de connexion n’indique souvent pas la cause, pour ne rien révéler aux inconnus.

    - Vous n’avez pas encore activé votre compte : utilisez le lien de l’e-mail d’activation. Il fonctionne { $activation_days } jours. La [page d’activation](activation) ou le support vous en envoie un nouveau.
    - Vous utilisez une autre adresse e-mail : une adresse, c’est un compte, et elle ne change jamais. Utilisez celle qui reçoit nos e-mails.
    - Votre compte est bloqué : cela arrive après { $attempts } mots de passe ou codes erronés d’affilée.
    - Un administrateur doit encore vous accepter : demandez-le à un administrateur ou au support.
    - Vous avez perdu votre téléphone : connectez-vous avec un de vos codes de secours. Sans code, contactez le support. Réglez ensuite votre nouveau téléphone sous [vérification en deux étapes](second-step).

    ## Mon compte est bloqué

    Le blocage prend fin après { $minutes } minutes. Réessayer entre-temps ne le prolonge pas. Ensuite, le même mot de passe fonctionne de nouveau.

    Pour ne pas attendre, choisissez un nouveau mot de passe via [mot de passe oublié](forgot). Le blocage prend alors fin immédiatement.

    ## Rien n’y fait

    Le support vous aide : [contactez le support](contact).

help-activate-account-title = Comment activer mon compte ?
help-activate-account-lead = Ouvrez le lien de l’e-mail d’activation et choisissez un mot de passe.
help-activate-account-body =
    1. Cherchez dans votre boîte e-mail le message « Confirmez votre compte { $brand } ». Vérifiez aussi vos e-mails indésirables.
    2. Ouvrez le lien de cet e-mail.
    3. Choisissez un mot de passe. S’il enfreint des règles, la page les indique toutes.
    4. [Connectez-vous](login) avec votre adresse e-mail et votre nouveau mot de passe.

    Le lien fonctionne une seule fois, pendant { $activation_days } jours.

    ## Le lien ne fonctionne pas, ou je n’ai pas reçu d’e-mail

    Demandez un nouveau lien sur la [page d’activation](activation). Le support peut aussi en envoyer un. Seul le lien le plus récent fonctionne.

    Si vous avez déjà choisi un mot de passe, votre compte est actif. Si vous ne le connaissez plus, utilisez [mot de passe oublié](forgot).

    ## J’ai choisi un mot de passe, mais je ne peux pas me connecter

    Un administrateur de votre entreprise doit peut-être encore vous accepter. Vous recevrez un e-mail dès que ce sera fait. Le support peut aussi vous accepter.

    Les autres causes se trouvent dans [Pourquoi ne puis-je pas me connecter ?](help/cannot-log-in)

help-read-invoice-title = Où trouver ma facture et comment la lire ?
help-read-invoice-lead = Connectez-vous et ouvrez les factures dans le menu ; le support vous explique le contenu d’une facture.
help-read-invoice-body =
    1. [Connectez-vous](login).
    2. Ouvrez les factures dans le menu.

    ## Je ne vois pas de factures dans le menu

    Il vous faut le droit « voir les factures ». Les administrateurs l’ont. Demandez à un administrateur de votre entreprise de vous l’accorder. Il le fait dans les [groupes d’utilisateurs](groups).

    ## Le nom ou l’adresse est incorrect

    Un administrateur modifie les noms et les adresses dans les [données de l’entreprise](company). La modification est transmise à la facturation.

    Pour un nouveau numéro d’entreprise, c’est le support qui s’en charge. Lisez [Nouveau numéro d’entreprise ou reprise](help/change-registration).

    ## Je ne comprends pas un montant

    Interrogez le support via la [page de contact](contact). Gardez la facture sous la main et mentionnez son numéro. Les factures sont établies en dehors de ce portail.

help-announce-move-title = Comment annoncer un déménagement ?
help-announce-move-lead = Un administrateur modifie les adresses dans les données de l’entreprise et affecte vos terminaux au bon site.
help-announce-move-body =
    1. Ouvrez les [données de l’entreprise](company) en tant qu’administrateur.
    2. Modifiez le siège social ou les autres adresses. La modification apparaît sur les sites concernés.
    3. Vérifiez sous [sites](sites) si la nouvelle adresse y figure.
    4. Si la nouvelle adresse est un site distinct, affectez-y vos terminaux sous [terminaux](terminals).

    ## La nouvelle adresse ne figure pas parmi mes sites

    Personne ne peut créer un site à la main. Un site s’ouvre automatiquement quand un terminal est commandé à une adresse où votre entreprise n’a pas encore de site.

    Si vous emportez vos terminaux sans en commander de nouveau, [contactez le support](contact).

    ## Pourquoi c’est important

    Un terminal appartient à un seul site. Ce site détermine quels collègues peuvent gérer le terminal et ce qu’un terminal PAX imprime sur ses tickets.

    Lisez aussi [Comment affecter un terminal à un site ?](help/assign-terminal)

help-change-registration-title = Nouveau numéro d’entreprise ou reprise de mon commerce : que faire ?
help-change-registration-lead = Contactez le support : vous ne pouvez pas le faire vous-même dans le portail, et il faut compter environ quatre semaines.
help-change-registration-body =
    D’abord, [contactez le support](contact), le plus tôt possible. Ni vous ni un administrateur ne pouvez le faire dans le portail.

    Gardez sous la main :

    - l’ancien et le nouveau numéro d’entreprise ;
    - le nom des deux entreprises, s’il y en a deux ;
    - les sites et les terminaux concernés.

    ## Ce qui se passe ensuite

    1. Le support ouvre une reprise.
    2. Un administrateur de chaque entreprise donne son accord sur la page [reprises](takeovers).
    3. Le support conclut la reprise.

    D’ici là, rien ne change et vous vous connectez comme d’habitude.

    Quand la reprise est conclue, les sites, les terminaux et les comptes sont transférés, avec leur historique.

    ## Quand ce n’est pas nécessaire

    Un nouveau nom ou une nouvelle adresse sans changement de numéro n’est pas une reprise. Un administrateur fait la modification dans les [données de l’entreprise](company).

    Lisez aussi [Combien de temps dure une reprise ?](help/takeover-duration)

help-chargeback-title = Qu’est-ce qu’une contestation de paiement (chargeback) et que faire ?
help-chargeback-lead = Un titulaire de carte conteste un paiement auprès de sa banque : gardez le ticket et répondez à temps au courrier du support.
help-chargeback-body =
    1. Cherchez le ticket du paiement et tout ce qui montre ce que vous avez vendu : la commande, la note, la preuve de livraison.
    2. Lisez le courrier du support. Regardez de quel paiement il s’agit et quand vous devez répondre au plus tard.
    3. Répondez à temps et joignez des copies de ces documents.
    4. Gardez les originaux.

    ## De quoi s’agit-il ?

    Un titulaire de carte ne reconnaît pas un paiement, ou n’est pas d’accord. Il le signale à sa banque. La banque demande alors le remboursement du paiement. C’est un chargeback.

    Le ticket montre que le paiement a eu lieu. Sans réponse de votre part, personne n’entend votre version.

    ## De bonnes habitudes

    - Classez vos tickets par date.
    - Vérifiez que vos clients connaissent le nom imprimé sur le ticket. Lisez [Comment modifier mon ticket ?](help/receipt-layout)

    ## Des questions ?

    Les contestations ne sont pas traitées dans ce portail. [Contactez le support](contact).

help-assign-terminal-title = Comment affecter un terminal à un site ?
help-assign-terminal-lead = Ouvrez les terminaux, choisissez le terminal et donnez-lui un autre site.
help-assign-terminal-body =
    1. [Connectez-vous](login).
    2. Ouvrez les [terminaux](terminals).
    3. Choisissez le terminal. Vous le reconnaissez à son numéro de série.
    4. Choisissez son nouveau site.

    Un terminal appartient à un seul site à la fois. Au départ, c’est le site pour lequel il a été commandé.

    ## Qui peut le faire ?

    Un administrateur peut le faire. Un utilisateur aussi, s’il a le droit « gérer les terminaux » sur les deux sites : l’ancien et le nouveau. Un administrateur accorde ce droit dans les [groupes d’utilisateurs](groups).

    ## Le site n’existe pas

    Vous ne pouvez pas créer un site à la main. Il s’ouvre automatiquement quand un terminal est commandé à une nouvelle adresse. Lisez [Comment annoncer un déménagement ?](help/announce-move)

    ## Le terminal n’est plus là

    Un terminal renvoyé, remplacé ou vendu n’est pas affecté à un site : il est libéré. Un administrateur ou le support s’en charge.

help-no-payment-option-title = Mon terminal affiche « No payment option found » : que faire ?
help-no-payment-option-lead = Vérifiez le site du terminal, redémarrez-le et vérifiez le réseau ; ensuite, contactez le support.
help-no-payment-option-body =
    1. Vérifiez sous [terminaux](terminals) si le terminal est affecté au bon site. Comparez le numéro de série.
    2. Si le site est incorrect, [affectez le terminal au bon site](help/assign-terminal).
    3. Synchronisez le terminal ou redémarrez-le.
    4. Vérifiez la connexion réseau du terminal.
    5. Essayez à nouveau d’effectuer un paiement.

    ## Cela ne fonctionne toujours pas

    Dans ce cas, [contactez le support](contact). Il répond sept jours sur sept. Gardez sous la main :

    - le numéro de série et le modèle du terminal ;
    - le site où il se trouve ;
    - le texte exact affiché à l’écran ;
    - les étapes que vous avez essayées.

    ## Ce que signifie ce message

    « No payment option found » veut dire « aucun moyen de paiement trouvé ». Le terminal n’en trouve aucun qu’il puisse proposer à votre client.

    La cause ne se trouve pas toujours dans ce portail. C’est pourquoi le support cherche avec vous.

help-change-name-address-title = Comment modifier un nom ou une adresse ?
help-change-name-address-lead = Un administrateur modifie les noms et les adresses dans les données de l’entreprise.
help-change-name-address-body =
    ## Votre entreprise

    1. [Connectez-vous](login) en tant qu’administrateur.
    2. Ouvrez les [données de l’entreprise](company).
    3. Modifiez le nom de l’entreprise, le nom commercial, le siège social ou une autre adresse.

    La modification apparaît sur les sites concernés. Elle est transmise à la facturation.

    Vous ne pouvez pas modifier vous-même le numéro d’entreprise. Lisez [Nouveau numéro d’entreprise](help/change-registration).

    ## Un site

    Un administrateur donne un autre nom à un site sous [sites](sites). Tant que personne ne lui a donné de nom, un site porte le nom de sa rue et de sa localité.

    ## Vous-même

    Modifiez votre nom et votre langue dans votre [profil](profile).

    L’adresse e-mail d’un compte ne change jamais. Pour une nouvelle adresse, un administrateur crée un nouveau compte sous [utilisateurs](users) et supprime l’ancien.

    ## Le nom sur le ticket

    Il fait partie de la mise en page du ticket. Lisez [Comment modifier mon ticket ?](help/receipt-layout)

help-takeover-duration-title = Combien de temps dure une reprise ?
help-takeover-duration-lead = Une reprise dure environ quatre semaines à partir du jour où le support l’ouvre.
help-takeover-duration-body =
    Connectez-vous en tant qu’administrateur et ouvrez les [reprises](takeovers). Vous y voyez :

    - la date à laquelle la reprise devrait être conclue ;
    - où en est la reprise ;
    - qui attend quoi.

    ## Comment faire avancer la reprise

    Un administrateur de chacune des deux entreprises doit donner son accord. Faites-le sans tarder sur la page [reprises](takeovers) : sans ces accords, le support ne peut pas la conclure.

    ## En attendant

    Rien ne change tant que la reprise n’est pas conclue. Vous vous connectez comme d’habitude et continuez à utiliser vos terminaux.

    ## À la fin

    Les sites, les terminaux et les comptes sont passés à l’autre entreprise, avec leur historique. Vous vous connectez avec la même adresse e-mail et le même mot de passe.

    Une reprise peut aussi être annulée. Dans ce cas, rien ne change.

    ## Cela dure plus longtemps

    Interrogez le support via la [page de contact](contact). Pour demander une reprise, lisez [Nouveau numéro d’entreprise ou reprise](help/change-registration).

help-receipt-layout-title = Comment modifier le logo et le texte de mon ticket ?
help-receipt-layout-lead = Pour un terminal PAX, vous réglez le ticket vous-même, site par site ; pour un terminal Verifone, contactez le support.
help-receipt-layout-body =
    ## PAX : A80 Duo Base, A920 Mobile, A77 Compact

    1. Ouvrez les [sites](sites) et choisissez le site.
    2. Ouvrez la mise en page du ticket.
    3. Modifiez l’en-tête, le texte du milieu et le pied du ticket.
    4. Modifiez le nom commercial affiché et ajoutez un logo.
    5. Regardez l’aperçu.
    6. Enregistrez.
    7. Synchronisez le terminal.

    Le terminal reçoit la mise en page enregistrée à sa prochaine synchronisation. D’ici là, il imprime l’ancien ticket.

    ## Verifone

    Vous ne pouvez pas modifier ce ticket vous-même. [Contactez le support](contact).

    ## Qui peut le faire ?

    Un administrateur peut le faire. Un utilisateur aussi, s’il a le droit « gérer les tickets » sur ce site. Un administrateur accorde ce droit dans les [groupes d’utilisateurs](groups).

    ## Le ticket ne change pas

    Vérifiez sous [terminaux](terminals) si le terminal est affecté à ce site. La mise en page est celle du site.

help-reach-support-title = Comment contacter le support ?
help-reach-support-lead = La page de contact l’indique ; le support répond sept jours sur sept.
help-reach-support-body =
    Ouvrez la [page de contact](contact). Vous y trouvez les coordonnées. Il n’est pas nécessaire de vous connecter.

    ## Gardez sous la main

    - le nom de votre entreprise ou son numéro d’entreprise ;
    - l’adresse e-mail de votre compte ;
    - le numéro de série du terminal, si votre question concerne un terminal ;
    - le texte exact du message affiché à l’écran.

    ## Ce que le support fait pour vous

    - Il cherche pourquoi vous ne pouvez pas vous connecter.
    - Il vous envoie un lien pour activer votre compte ou choisir un nouveau mot de passe.
    - Il met fin à un blocage avant l’heure.
    - Il désactive la vérification en deux étapes si vous avez perdu votre téléphone. Il vérifie d’abord votre identité.
    - Il ouvre une reprise et s’occupe des tickets des terminaux Verifone.

    ## Votre mot de passe reste à vous

    Le support ne voit jamais votre mot de passe et ne le choisit jamais. Ne le communiquez à personne.

    Vous trouverez peut-être plus vite vous-même : [Pourquoi ne puis-je pas me connecter ?](help/cannot-log-in)
