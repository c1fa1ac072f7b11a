# Les e-mails, en français.
greeting = Bonjour { $name },
moment = le { $day } à { $time } ({ $zone })
day = le { $day }
button-in-text = { $label } :
closing = L’équipe { $brand }
footer = Cet e-mail a été envoyé à { $email } par { $url }.

activation-subject = Confirmez votre compte { $brand }
activation-paragraph-1 = Un compte client { $brand } a été créé pour vous. Confirmez-le en choisissant un mot de passe.{ $waits ->
    [yes] {" "}Ensuite, un administrateur de votre entreprise doit encore vous accepter avant que vous puissiez vous connecter. Vous recevrez un e-mail dès que ce sera fait.
   *[no] {""}
}
activation-paragraph-2 = Ce lien fonctionne une seule fois et expire { $moment }.
activation-paragraph-3 = Si vous n’attendiez pas cet e-mail, vous pouvez l’ignorer : tant qu’aucun mot de passe n’est choisi, personne ne peut se connecter.
activation-button = Choisir mon mot de passe

password-reset-subject = Choisissez un nouveau mot de passe { $brand }
password-reset-paragraph-1 = Quelqu’un, sans doute vous, a demandé un nouveau mot de passe pour ce compte.
password-reset-paragraph-2 = Ce lien fonctionne une seule fois et expire { $moment }.
password-reset-paragraph-3 = Si vous n’êtes pas à l’origine de cette demande, ignorez cet e-mail : votre mot de passe reste le même.
password-reset-button = Choisir un nouveau mot de passe

password-changed-subject = Votre mot de passe { $brand } a été modifié
password-changed-paragraph-1 = Le mot de passe de votre compte a été modifié { $moment }. Toutes les sessions ouvertes ont été fermées.
password-changed-paragraph-2 = Si ce n’était pas vous, choisissez immédiatement un nouveau mot de passe via « mot de passe oublié » et contactez le support.

locked-out-subject = Trop de tentatives de connexion erronées à votre compte { $brand }
locked-out-paragraph-1 = Trop de mots de passe ou de codes erronés ont été saisis d’affilée pour votre compte. Le compte a donc été bloqué. { $who ->
    [over] Le blocage a pris fin entre-temps.
    [others] Ce blocage prend fin { $moment } au plus tard. Jusque-là, vous pouvez vous connecter uniquement avec les navigateurs que vous avez déjà utilisés pour vous connecter. Personne d’autre ne peut se connecter, même avec le bon mot de passe.
    [browser] Ce blocage prend fin { $moment } au plus tard. Jusque-là, personne ne peut se connecter avec le navigateur utilisé pour ces tentatives, même avec le bon mot de passe. Il en va de même pour tout navigateur avec lequel vous ne vous êtes encore jamais connecté. Vous pouvez vous connecter avec les autres navigateurs que vous avez déjà utilisés pour vous connecter.
   *[everybody] Ce blocage prend fin { $moment } au plus tard. Jusque-là, personne ne peut se connecter, même avec le bon mot de passe.
}
locked-out-paragraph-2 = { $who ->
    [over] Si vous avez oublié votre mot de passe, choisissez-en un nouveau via « mot de passe oublié ».
   *[locked] Il n’est pas nécessaire d’attendre : choisissez un nouveau mot de passe via « mot de passe oublié ». Le blocage prend alors fin immédiatement. Faites de même si vous avez oublié votre mot de passe.
}
locked-out-paragraph-3 = Si ce n’était pas vous, quelqu’un d’autre a essayé de se connecter, sans y parvenir. Si vous utilisez la vérification en deux étapes, cette personne connaît peut-être votre mot de passe : choisissez-en un nouveau.
locked-out-button = Choisir un nouveau mot de passe

locked-until-reset-subject = Votre compte { $brand } est bloqué jusqu’à ce que vous choisissiez un nouveau mot de passe
locked-until-reset-paragraph-1 = Trop de mots de passe ou de codes erronés ont été saisis pour votre compte. Le compte a donc été bloqué. { $who ->
    [over] Le blocage a pris fin entre-temps.
    [others] Ce blocage ne prend pas fin de lui-même. Personne ne peut se connecter, même avec le bon mot de passe. Il y a une exception : vous pouvez vous connecter avec les navigateurs que vous avez déjà utilisés pour vous connecter.
    [browser] Ce blocage ne prend pas fin de lui-même. Personne ne peut se connecter avec le navigateur utilisé pour ces tentatives, même avec le bon mot de passe. Il en va de même pour tout navigateur avec lequel vous ne vous êtes encore jamais connecté. Vous pouvez vous connecter avec les autres navigateurs que vous avez déjà utilisés pour vous connecter.
   *[everybody] Ce blocage ne prend pas fin de lui-même. Personne ne peut se connecter, même avec le bon mot de passe.
}
locked-until-reset-paragraph-2 = { $who ->
    [over] Si vous avez oublié votre mot de passe, choisissez-en un nouveau via « mot de passe oublié ».
   *[locked] Choisissez un nouveau mot de passe via « mot de passe oublié » sur { $url }. Le blocage prend alors fin. Le support peut aussi vous aider.
}
locked-until-reset-paragraph-3 = Si ce n’était pas vous, quelqu’un d’autre a essayé de se connecter, sans y parvenir.
locked-until-reset-button = Choisir un nouveau mot de passe

awaiting-conversion-subject = { $about_name } attend votre accord sur { $brand }
awaiting-conversion-paragraph-1 = Une commande passée au nom de votre entreprise mentionne { $about_name } ({ $about_email }) comme personne de contact. Un compte d’administrateur temporaire a donc été créé pour cette personne.
awaiting-conversion-paragraph-2 = Cette personne ne pourra se connecter qu’après que vous l’aurez acceptée comme administrateur ou comme utilisateur sur { $url }.
awaiting-conversion-paragraph-3 = Si vous ne connaissez pas cette personne, ne l’acceptez pas et contactez le support.

sites-opened-subject = { $count ->
    [one] Nouveau site sur { $brand }
   *[several] Nouveaux sites sur { $brand }
}
sites-opened-paragraph-1 = { $count ->
    [one] La commande { $order } est destinée à une adresse où votre entreprise n’avait pas encore de site. Nous avons ouvert ce site : { $sites }.
   *[several] La commande { $order } est destinée à des adresses où votre entreprise n’avait pas encore de site. Nous avons ouvert ces sites : { $sites }.
}
sites-opened-paragraph-2 = { $count ->
    [one] Vous pouvez donner un nom au nouveau site et y affecter des terminaux sur { $url }.
   *[several] Vous pouvez donner un nom aux nouveaux sites et y affecter des terminaux sur { $url }.
}

take-over-opened-subject = Reprise { $reference } : votre accord est demandé
take-over-opened-paragraph-1 = Une reprise a été ouverte : des sites de { $giver } passent à { $taker }, avec leurs terminaux et leurs utilisateurs. Elle devrait être conclue { $moment }.
take-over-opened-paragraph-2 = Un administrateur de chacune des deux entreprises doit donner son accord sur { $url }. D’ici là, rien ne change.
take-over-opened-paragraph-3 = Si vous n’êtes pas au courant de cette reprise, ne donnez pas votre accord et contactez le support en mentionnant { $reference }.

take-over-completed-subject = Reprise { $reference } : conclue
take-over-completed-paragraph-1 = Les sites repris de { $giver } sont passés à { $taker } { $moment }, avec leurs terminaux, leurs utilisateurs et leur historique.
take-over-completed-paragraph-2 = La manière de se connecter n’a pas changé. Les administrateurs de { $giver } gardent tous leurs droits sur les sites repris, et uniquement sur ceux-ci.

take-over-cancelled-subject = Reprise { $reference } : annulée
take-over-cancelled-paragraph-1 = La reprise de sites de { $giver } par { $taker } a été annulée { $moment }.
take-over-cancelled-paragraph-2 = Rien n’a changé.

second-step-on-subject = Vérification en deux étapes activée sur { $brand }
second-step-on-paragraph-1 = La vérification en deux étapes a été activée pour votre compte { $moment }. Vous vous connectez désormais avec votre mot de passe et un code de votre application.
second-step-on-paragraph-2 = Si ce n’était pas vous, contactez immédiatement le support.

second-step-off-subject = Vérification en deux étapes désactivée sur { $brand }
second-step-off-paragraph-1 = La vérification en deux étapes a été désactivée pour votre compte { $moment }. Désormais, votre mot de passe suffit pour vous connecter.
second-step-off-paragraph-2 = Si ce n’était pas vous, choisissez un nouveau mot de passe via « mot de passe oublié » et contactez le support.

second-step-reset-subject = Vérification en deux étapes désactivée par le support de { $brand }
second-step-reset-paragraph-1 = À votre demande, le support a désactivé la vérification en deux étapes de votre compte { $moment }. Votre mot de passe n’a pas changé. Toutes vos sessions ont été fermées : vous avez été déconnecté partout.
second-step-reset-paragraph-2 = Vous pouvez réactiver la vérification en deux étapes avec votre nouveau téléphone sur { $url }.
second-step-reset-paragraph-3 = Si vous n’avez rien demandé, choisissez un nouveau mot de passe via « mot de passe oublié » et contactez le support.

new-device-subject = Nouvelle connexion à votre compte { $brand }
new-device-paragraph-1 = Quelqu’un s’est connecté à votre compte { $moment } depuis un appareil que nous ne connaissions pas encore : { $browser ->
    [unknown] un programme que nous ne reconnaissons pas
   *[known] { $browser }
}{ $system ->
    [unknown] {""}
   *[known] {" "}sur { $system }
}{ $address ->
    [unknown] {""}
   *[known] , à l’adresse IP { $address }
}.
new-device-paragraph-2 = Si c’était vous, vous n’avez rien à faire. Vous pouvez consulter et retirer vos appareils sur { $url }.
new-device-paragraph-3 = Si ce n’était pas vous, choisissez immédiatement un nouveau mot de passe via « mot de passe oublié » et contactez le support.

device-locked-subject = Trop de tentatives de connexion erronées à { $brand } dans un de vos navigateurs
device-locked-paragraph-1 = Trop de mots de passe ou de codes erronés ont été saisis d’affilée dans un navigateur dans lequel vous vous êtes déjà connecté. { $who ->
    [over] Le blocage a pris fin entre-temps.
   *[locked] Pour l’instant, personne ne peut se connecter avec ce navigateur, même avec le bon mot de passe. { $ends ->
        [reset] Ce blocage prend fin quand vous choisissez un nouveau mot de passe.
       *[time] Ce blocage prend fin { $moment } au plus tard.
    }
}
device-locked-paragraph-2 = { $who ->
    [over] Si vous avez oublié votre mot de passe, choisissez-en un nouveau via « mot de passe oublié ».
   *[locked] Si vous avez oublié votre mot de passe, choisissez-en un nouveau via « mot de passe oublié ». Le blocage prend alors fin immédiatement.
}
device-locked-paragraph-3 = Si ce n’était pas vous, quelqu’un d’autre a utilisé votre navigateur. Retirez ce navigateur de vos appareils sur { $url } et contactez le support.
device-locked-button = Choisir un nouveau mot de passe

password-reset-by-support-subject = Le support vous envoie un lien pour un nouveau mot de passe { $brand }
password-reset-by-support-paragraph-1 = Le support de { $brand } vous envoie ce lien pour que vous puissiez choisir vous-même un nouveau mot de passe. Le support ne voit pas le lien et ne connaît pas votre mot de passe.
password-reset-by-support-paragraph-2 = Ce lien fonctionne une seule fois et expire { $moment }.
password-reset-by-support-paragraph-3 = Si vous n’avez rien demandé au support, n’utilisez pas ce lien et contactez le support : votre mot de passe reste le même.
password-reset-by-support-button = Choisir un nouveau mot de passe

lockout-released-subject = Le support a débloqué votre compte { $brand }
lockout-released-paragraph-1 = Le support de { $brand } a mis fin au blocage de votre compte { $moment }. Votre mot de passe n’a pas changé.
lockout-released-paragraph-2 = Si vous n’avez rien demandé, choisissez un nouveau mot de passe via « mot de passe oublié » et contactez le support.

administrator-by-support-subject = { $about_name } est maintenant administrateur de votre entreprise sur { $brand }
administrator-by-support-paragraph-1 = Le support de { $brand } a fait de { $about_name } ({ $about_email }) un administrateur de votre entreprise { $moment }. Un administrateur a un accès complet à votre entreprise, à ses sites et à ses utilisateurs.
administrator-by-support-paragraph-2 = Si votre entreprise l’a demandé, vous n’avez rien à faire.
administrator-by-support-paragraph-3 = Si personne dans votre entreprise ne l’a demandé, contactez immédiatement le support. Sur { $url }, vous pouvez donner à cette personne le rôle d’utilisateur ou supprimer le compte.

admitted-subject = Votre accès à { $brand } est accepté
admitted-paragraph-1 = Vous avez été accepté { $moment } comme { $role ->
    [administrator] administrateur de votre entreprise. Un administrateur a un accès complet à l’entreprise, à ses sites et à ses utilisateurs.
   *[user] utilisateur de votre entreprise. Vos groupes déterminent ce que vous pouvez faire sur chaque site.
}
admitted-paragraph-2 = { $first ->
    [password] Choisissez d’abord un mot de passe avec le lien de l’e-mail qui vous demande de confirmer votre compte. Vous pourrez ensuite vous connecter sur { $url }.
   *[login] Vous pouvez maintenant vous connecter sur { $url }.
}

account-deleted-subject = Votre compte { $brand } a été supprimé
account-deleted-paragraph-1 = { $by ->
    [company] Un collègue qui gère les comptes de votre entreprise a supprimé votre compte { $moment }.
   *[support] Le support de { $brand } a supprimé votre compte { $moment }.
} Vous ne pouvez plus vous connecter.
account-deleted-paragraph-2 = Si vous pensez qu’il s’agit d’une erreur, contactez un administrateur de votre entreprise ou le support.
