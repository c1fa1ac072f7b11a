# The pages of the portal. Every sentence says one thing, to somebody who does not know this system.

## The frame
skip = Skip to the contents
menu = Menu
menu-overview = Overview
menu-sites = Sites
menu-terminals = Terminals
menu-users = Users
menu-groups = User groups
menu-company = Company
menu-takeovers = Take-overs
help = Help
help-all = All help articles
contact = Contact
language = Language
log-in = Log in
log-out = Log out
account = My account
dev-mail = Mails of this development server
api-docs = API documentation
password-show = Show the password
save = Save
moment = { $day } at { $time } ({ $zone })
day = { $day }
no-such-page = This page does not exist
no-such-page-text = The address may be mistyped, or the page may have moved.

## Logging in
login-heading = Log in to { $brand }
email = E-mail address
password = Password
forgot-link = I forgot my password
cannot-log-in-link = I cannot log in
activate-link = Activate my account
to-login = To the login page
back-to-login = Back to the login page
code-heading = Second step
code = Code
code-hint = The six digits that your app shows, or one of your recovery codes.
begin-again = Begin again
lost-phone = I no longer have my phone
forgot-heading = Choose a new password
forgot-intro = Enter your e-mail address. You will get a link with which you choose a new password.
forgot-send = Send the link
forgot-sent-heading = Look at your mailbox
forgot-sent-text = If an active account has this e-mail address, a link is on its way. The mail says until when it works.
forgot-sent-no-mail = No mail after a few minutes? Look among the unwanted mails, and check the address.
contact-intro = Support helps you when you cannot solve it yourself.
contact-unknown = You find the telephone number and the e-mail address of support on your contract and on your invoices.
contact-days = Support answers seven days a week.

## Done
done-saved = Saved.
done-logged-out = You are logged out.
done-password-changed = Your password is changed. Log in with the new one.
done-session-ended = The session has ended.
done-device-forgotten = Done. What you forgot is no longer trusted.
done-second-step-on = The second step is on.
done-second-step-off = The second step is off.
done-receipt-saved = Saved. Each terminal prints the new receipt after it synchronises.
done-terminals-moved = Moved. This is the site now.
done-none-chosen = Nothing was moved: choose at least one terminal.
done-terminal-released = The terminal is released from your company.
done-user-created = The account is created. An activation mail is on its way.
done-user-admitted = This person is admitted.
done-user-deleted = The account is deleted.
done-role-changed = The role is changed.
done-activation-sent = A new activation mail is on its way.
done-group-created = The group is created. Now choose its members.
done-group-deleted = The group is deleted.
done-member-added = This person is a member now. It holds from their next click.
done-member-removed = This person is no longer a member.
done-takeover-agreed = Your agreement is recorded.

## The account
tab-profile = Profile
tab-password = Password
tab-second-step = Second step
tab-sessions = Sessions
tab-devices = Trusted devices
tab-logins = Recent logins
tab-data = My data
your-email = Your e-mail address:
email-never-changes = It identifies your account and cannot be changed. A new address means a new account.
given-name = Given name
family-name = Family name
language-hint = Your pages and your mails come in this language.
current-password = Current password
new-password = New password
password-change = Change the password
password-change-hint = This ends all your sessions, and a mail tells you about it. You then log in again.
sessions-intro = You are logged in here. End what you do not recognise, and change your password.
this-one = This one
last-used = last used
end = End
end-all = End all sessions, this one too
browser-on = { $browser } on { $system }
unknown-browser = Unknown browser
unknown-address = unknown address
devices-intro = On these devices you have logged in before. When somebody else tries to guess your password, you can still log in from them.
devices-none = There are no trusted devices.
trusted-since = trusted since
forget = Forget
forget-all = Forget all devices
logins-intro = The latest attempts to log in with your e-mail address.
logins-none = There are no attempts yet.
when = When
what = What
where-from = From where
attempt-succeeded = Logged in
attempt-failed = Wrong password
attempt-awaited-conversion = Right password, not admitted yet
attempt-second-step-asked = Right password, code asked for
attempt-code-failed = Wrong code
data-intro = Everything that we hold about you, as a file. The text is for reading, the JSON file is for programs.
data-text = Download as text
data-json = Download as JSON

## The second step
on = On
off = Off
second-step-intro = With the second step, logging in takes your password and a code from an app on your phone. A stolen password alone opens nothing.
second-step-advice = Protect your account with a second step.
second-step-begin = Turn on the second step
second-step-1 = Install an authenticator app on your phone, such as Google Authenticator.
second-step-2 = Scan the picture that we show you next.
second-step-3 = Keep the ten recovery codes in a safe place.
scan-heading = Scan this picture with your app
scan-1 = Open your authenticator app, add an account and scan the picture.
scan-2 = Enter the six digits that the app shows.
scan-alt = QR code for your authenticator app
scan-secret = If you cannot scan it, type this secret into the app:
second-step-confirm = Turn it on
codes-heading = Your recovery codes for { $brand }
codes-intro = Each code works once, in place of a code from your app. We show them only now.
codes-print = Print this page, or write the codes down. Do not keep them on your phone.
codes-kept = I have kept the codes
codes-left = Recovery codes left: { $count }.
codes-new = Make new recovery codes
codes-new-question = The old codes then no longer work.
second-step-off = Turn off the second step
second-step-off-question = Your password alone then opens your account.
print = Print

## The company
hello = Hello { $name }
waits-for-you = This waits for you
waiting-person = An order named { $name } ({ $email }). Decide whether this person gets access.
waiting-takeover = Take-over { $reference }, due on { $day }
decide = Decide
look = Look
enterprise-number = Enterprise number
customer-since = Customer since
number-hint = A new enterprise number is a matter for support.
company-change = Change names and addresses
legal-name = Legal name
trading-name = Trading name
trading-name-hint = The name on your shop. Leave it empty if it is the legal name.
address = Address
address-street = Street
address-number = Number
address-box = Box
address-postal-code = Postal code
address-town = Town
address-country = Country (BE, NL, …)
address-of-registered-office = Registered office
address-of-invoicing-address = Invoicing address
address-of-correspondence-address = Correspondence address
site-at-office = If the registered office changes, and a site is there:
site-stays = The site stays where it is
site-moves = The site moves along
site-at-office-hint = It matters only if you have terminals at the registered office.

## Sites
sites-none = You have no site yet. A site opens by itself when a terminal is ordered to an address.
sites-open-themselves = A site opens by itself when a terminal is ordered to a new address.
terminal-count = { $count ->
    [0] no terminal
    [1] 1 terminal
   *[other] { $count } terminals
}
open-since = Open since
site-name = Name of the site
site-name-hint = Leave it empty, and the name follows the address.
site-rename = Change the name
terminals-none = There are no terminals here.
receipt = Receipt
receipt-intro = Choose the texts and the logo that your terminals print on each receipt.
receipt-change = Change the receipt
receipt-name = Trading name on the receipt
receipt-name-hint = Leave it empty to print the trading name of your company.
receipt-header = Text at the top
receipt-middle = Text in the middle
receipt-footer = Text at the bottom
receipt-hint-header = For example your opening hours.
receipt-hint-middle = It stands below the amount.
receipt-hint-footer = For example a greeting.
receipt-logo = Logo
receipt-logo-hint = A PNG or JPEG picture. It is printed in black and white.
receipt-logo-remove = Print no logo
receipt-preview = Preview
receipt-preview-alt = The receipt as it will be printed
receipt-beyond = { $count ->
    [1] One terminal of this site prints another receipt: support changes it.
   *[other] { $count } terminals of this site print another receipt: support changes it.
}

## Terminals
site = Site
all-sites = All sites
filter = Show
choose = Choose
choose-terminal = Choose { $terminal }
model = Model
serial = Serial number
serial-unknown = not known yet
move-to = Move the chosen terminals to
terminals-move = Move terminals
since = With you since
terminal-history = Where it has been
site-not-yours = a site that you do not see
release-heading = Returned, replaced or sold?
release-intro = Release the terminal from your company. It then no longer prints your receipt, and somebody else can order it.
release-button = Release this terminal
release-question = A released terminal comes back only by a new order.
release-why = Why
release-returned = It was returned
release-replaced = It was replaced
release-sold-on = It was sold
release-now = Release it now

## Users
users-none = There is nobody here yet.
user-new = Add a colleague
user-new-intro = Your colleague gets a mail with a link, and chooses a password there.
role = Role
role-administrator = Administrator
role-temporary-administrator = Waits for admission
role-user = User
role-user-means = User: may do what their groups allow
role-administrator-means = Administrator: may do everything in this company
user-create = Add
status-active = Active
status-awaiting-activation = Not activated yet
status-deleted = Deleted
status-erased = Erased
last-login = Last login
never = never
user-is-you = This is you. You find your settings under your name, at the top.
user-may = What this person may do
user-may-nothing = Nothing yet. Make this person a member of a group.
admit-intro = An order named this person. They cannot log in until you decide.
admit-administrator = Admit as administrator
admit-user = Admit as user
activation-send = Send a new activation mail
make-administrator = Make administrator
make-user = Make user
user-delete = Delete this account
user-delete-question = This person can then no longer log in. Their history stays.
user-delete-now = Delete it now
everywhere = at every site
these-sites = at these sites
permission-view-transactions = View transactions
permission-view-invoices = View invoices
permission-manage-users = Manage users
permission-manage-terminals = Manage terminals
permission-manage-receipts = Manage receipts
permission-activate-terminal-app = Activate the terminal app
permission-manage-company = Manage the company

## User groups
groups-intro = A group gives its members permissions, at every site or at some.
groups-none = There are no groups yet.
group-new = Make a group
group-name = Name
group-description = Description
group-permissions = What its members may do
group-create = Make the group
group-members = Members
group-no-members = This group has no members yet.
group-no-users = Only users can be members. Administrators may do everything already.
member-count = { $count ->
    [0] no members
    [1] 1 member
   *[other] { $count } members
}
member-add = Add a member
member-add-now = Add
member-where = Where
person = Person
remove = Remove
group-delete = Delete this group
group-delete-question = Its members lose what only this group gave them.
group-delete-now = Delete it now

## Take-overs
takeovers-intro = When a business changes hands, its sites, terminals and accounts go along. Support opens a take-over.
takeovers-none = There is no take-over.
takeover-open = Open
takeover-completing = Being completed
takeover-completed = Completed
takeover-cancelled = Cancelled
takeover-side-transferor = Your company hands over.
takeover-side-acquirer = Your company takes over.
takeover-due = Expected by
takeover-goes-along = Goes along
takeover-counts = Sites: { $sites }. Terminals: { $terminals }. Accounts: { $accounts }.
takeover-waits-for = Waits for
takeover-waits-transferor-confirmation = the company that hands over
takeover-waits-acquirer-confirmation = the company that takes over
takeover-waits-support-completion = support
takeover-agree = Agree to the take-over
nobody = nobody
