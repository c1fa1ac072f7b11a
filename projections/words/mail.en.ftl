# The e-mails, in English.
greeting = Hello { $name },
moment = on { $day } at { $time } ({ $zone })
day = on { $day }
button-in-text = { $label }:
closing = The { $brand } team
footer = This e-mail was sent to { $email } by { $url }.

activation-subject = Confirm your { $brand } account
activation-paragraph-1 = A { $brand } customer account has been created for you. Confirm it by choosing a password.{ $waits ->
    [yes] {" "}After that, an administrator of your company must admit you before you can log in. You will get an e-mail when this is done.
   *[no] {""}
}
activation-paragraph-2 = This link works once. It expires { $moment }.
activation-paragraph-3 = If you did not expect this e-mail, you can ignore it: nobody can log in as long as no password is chosen.
activation-button = Choose my password

password-reset-subject = Choose a new { $brand } password
password-reset-paragraph-1 = Somebody, most likely you, asked for a new password for this account.
password-reset-paragraph-2 = This link works once. It expires { $moment }.
password-reset-paragraph-3 = If it was not you, ignore this e-mail: your password stays the same.
password-reset-button = Choose a new password

password-changed-subject = Your { $brand } password was changed
password-changed-paragraph-1 = The password of your account was changed { $moment }. All open sessions have been ended.
password-changed-paragraph-2 = If it was not you, choose a new password at once through "forgotten password" and contact support.

locked-out-subject = Too many wrong logins to your { $brand } account
locked-out-paragraph-1 = Too many wrong passwords or codes in a row were entered for your account. The account was therefore locked. { $who ->
    [over] The lockout has ended in the meantime.
    [others] This lockout ends { $moment } at the latest. Until then you can log in only with browsers in which you have logged in before. Nobody else can log in, not even with the right password.
    [browser] This lockout ends { $moment } at the latest. Until then nobody can log in with the browser that was used for this, not even with the right password. The same is true of every browser in which you have never logged in. You can log in with the other browsers in which you have logged in before.
   *[everybody] This lockout ends { $moment } at the latest. Until then nobody can log in, not even with the right password.
}
locked-out-paragraph-2 = { $who ->
    [over] If you have forgotten your password, choose a new one through "forgotten password".
   *[locked] You do not have to wait: choose a new password through "forgotten password". This ends the lockout at once. Do the same if you have forgotten your password.
}
locked-out-paragraph-3 = If it was not you, somebody else tried to log in and did not succeed. If you use two-step verification, that person may know your password: choose a new one.
locked-out-button = Choose a new password

locked-until-reset-subject = Your { $brand } account is locked until you choose a new password
locked-until-reset-paragraph-1 = Too many wrong passwords or codes were entered for your account. The account was therefore locked. { $who ->
    [over] The lockout has ended in the meantime.
    [others] This lockout does not end by itself. Nobody can log in, not even with the right password. There is one exception: you can log in with the browsers in which you have logged in before.
    [browser] This lockout does not end by itself. Nobody can log in with the browser that was used for this, not even with the right password. The same is true of every browser in which you have never logged in. You can log in with the other browsers in which you have logged in before.
   *[everybody] This lockout does not end by itself. Nobody can log in, not even with the right password.
}
locked-until-reset-paragraph-2 = { $who ->
    [over] If you have forgotten your password, choose a new one through "forgotten password".
   *[locked] Choose a new password through "forgotten password" at { $url }. This ends the lockout. Support can also help you.
}
locked-until-reset-paragraph-3 = If it was not you, somebody else tried to log in and did not succeed.
locked-until-reset-button = Choose a new password

awaiting-conversion-subject = { $about_name } is waiting for your approval on { $brand }
awaiting-conversion-paragraph-1 = An order in your company's name has { $about_name } ({ $about_email }) as its contact. We have therefore created an account for this person, with the role of temporary administrator.
awaiting-conversion-paragraph-2 = This person can log in only after you have admitted them as administrator or as user at { $url }.
awaiting-conversion-paragraph-3 = If you do not know this person, do not admit them, and contact support.

sites-opened-subject = { $count ->
    [one] New site on { $brand }
   *[several] New sites on { $brand }
}
sites-opened-paragraph-1 = { $count ->
    [one] Order { $order } goes to an address where your company had no site yet. We have opened this site: { $sites }.
   *[several] Order { $order } goes to addresses where your company had no site yet. We have opened these sites: { $sites }.
}
sites-opened-paragraph-2 = { $count ->
    [one] You can name the new site and assign terminals to it at { $url }.
   *[several] You can name the new sites and assign terminals to them at { $url }.
}

take-over-opened-subject = Take-over { $reference }: do you agree?
take-over-opened-paragraph-1 = A take-over was opened: sites of { $giver } go to { $taker }, with their terminals and their users. It is expected to be completed { $moment }.
take-over-opened-paragraph-2 = An administrator of each of the two companies must agree at { $url }. Until then nothing changes.
take-over-opened-paragraph-3 = If you know nothing about it, do not agree. Contact support and mention { $reference }.

take-over-completed-subject = Take-over { $reference }: completed
take-over-completed-paragraph-1 = The sites taken over from { $giver } went to { $taker } { $moment }, with their terminals, users and history.
take-over-completed-paragraph-2 = The way to log in has not changed. Administrators of { $giver } keep all their rights at the sites taken over, and only there.

take-over-cancelled-subject = Take-over { $reference }: cancelled
take-over-cancelled-paragraph-1 = The take-over of sites of { $giver } by { $taker } was cancelled { $moment }.
take-over-cancelled-paragraph-2 = Nothing has changed.

second-step-on-subject = Two-step verification turned on for { $brand }
second-step-on-paragraph-1 = Two-step verification was turned on for your account { $moment }. From now on you log in with your password and a code of your app.
second-step-on-paragraph-2 = If it was not you, contact support at once.

second-step-off-subject = Two-step verification turned off for { $brand }
second-step-off-paragraph-1 = Two-step verification was turned off for your account { $moment }. From now on your password is enough to log in.
second-step-off-paragraph-2 = If it was not you, choose a new password through "forgotten password" and contact support.

second-step-reset-subject = Two-step verification turned off by the support of { $brand }
second-step-reset-paragraph-1 = At your request, support turned off the two-step verification of your account { $moment }. Your password has not changed. You have been logged out everywhere.
second-step-reset-paragraph-2 = You can turn it on again with your new phone at { $url }.
second-step-reset-paragraph-3 = If you did not ask for this, choose a new password through "forgotten password" and contact support.

new-device-subject = New login to your { $brand } account
new-device-paragraph-1 = Somebody logged in to your account { $moment } from a device that we had not seen before: { $browser ->
    [unknown] a program that we do not recognise
   *[known] { $browser }
}{ $system ->
    [unknown] {""}
   *[known] {" "}on { $system }
}{ $address ->
    [unknown] {""}
   *[known] , at the IP address { $address }
}.
new-device-paragraph-2 = If it was you, you do not need to do anything. You can see and remove your devices at { $url }.
new-device-paragraph-3 = If it was not you, choose a new password through "forgotten password" at once and contact support.

device-locked-subject = Too many wrong logins to { $brand } in one of your browsers
device-locked-paragraph-1 = Too many wrong passwords or codes in a row were entered in a browser in which you have logged in before. { $who ->
    [over] The lockout has ended in the meantime.
   *[locked] For now, nobody can log in with that browser, not even with the right password. { $ends ->
        [reset] This lockout ends when you choose a new password.
       *[time] This lockout ends { $moment } at the latest.
    }
}
device-locked-paragraph-2 = { $who ->
    [over] If you have forgotten your password, choose a new one through "forgotten password".
   *[locked] If you have forgotten your password, choose a new one through "forgotten password". This ends the lockout at once.
}
device-locked-paragraph-3 = If it was not you, somebody else used your browser. Remove that browser from your devices at { $url } and contact support.
device-locked-button = Choose a new password

password-reset-by-support-subject = A link from support for a new { $brand } password
password-reset-by-support-paragraph-1 = The support of { $brand } sends you this link so that you can choose a new password yourself. Support does not see the link and does not know your password.
password-reset-by-support-paragraph-2 = This link works once. It expires { $moment }.
password-reset-by-support-paragraph-3 = If you did not ask support for this, do not use this link, and contact support: your password stays the same.
password-reset-by-support-button = Choose a new password

lockout-released-subject = Support unlocked your { $brand } account
lockout-released-paragraph-1 = The support of { $brand } ended the lockout of your account { $moment }. Your password has not changed.
lockout-released-paragraph-2 = If you did not ask for this, choose a new password through "forgotten password" and contact support.

administrator-by-support-subject = { $about_name } is now an administrator of your company on { $brand }
administrator-by-support-paragraph-1 = The support of { $brand } made { $about_name } ({ $about_email }) an administrator of your company { $moment }. An administrator has full access to your company, its sites and its users.
administrator-by-support-paragraph-2 = If your company asked for this, you do not need to do anything.
administrator-by-support-paragraph-3 = If nobody in your company asked for this, contact support at once. At { $url } you can change this person's role to user, or delete the account.

admitted-subject = You have been admitted to { $brand }
admitted-paragraph-1 = You were admitted { $moment } as { $role ->
    [administrator] an administrator of your company. An administrator has full access to the company, its sites and its users.
   *[user] a user of your company. Your groups say what you may do at which site.
}
admitted-paragraph-2 = { $first ->
    [password] Choose a password first, with the link in the e-mail that asks you to confirm your account. After that you can log in at { $url }.
   *[login] You can log in now at { $url }.
}

account-deleted-subject = Your { $brand } account was deleted
account-deleted-paragraph-1 = { $by ->
    [company] A colleague who manages your company's accounts deleted your account { $moment }.
   *[support] The support of { $brand } deleted your account { $moment }.
} You can no longer log in.
account-deleted-paragraph-2 = If you think that this is a mistake, contact an administrator of your company or support.
