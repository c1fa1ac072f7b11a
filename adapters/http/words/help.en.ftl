# The public help articles, in English.

help-cannot-log-in-title = Why can't I log in?
help-cannot-log-in-lead = Ask for a new password; if that does not help, look for your case in this list.
help-cannot-log-in-body =
    Is the password wrong or forgotten? Ask for a new one on the page [forgotten password](forgot). The link in the e-mail works once, for { $reset_minutes } minutes.

    If that does not help, look for your case. The login page often gives no cause, because it tells strangers nothing.

    - You have not activated your account yet: use the link in the activation e-mail. It works for { $activation_days } days. The [activation page](activation) or support sends a new one.
    - You use another e-mail address: one address is one account, and the address of an account never changes. Use the address that receives our e-mails.
    - Your account is locked: this happens after { $attempts } wrong passwords or codes in a row.
    - An administrator must still admit you: ask an administrator of your company, or support.
    - You have lost your phone: log in with one of your recovery codes. If you have none left, contact support. Then set up your new phone under [two-step verification](second-step).

    ## My account is locked

    The lockout ends after { $minutes } minutes. Trying again in the meantime does not make it longer. When it ends, the same password works again.

    If you don't want to wait, choose a new password through [forgotten password](forgot). This ends the lockout at once.

    ## Nothing helps

    Support helps you further: [contact support](contact).

help-activate-account-title = How do I activate my account?
help-activate-account-lead = Open the link in the activation e-mail and choose a password.
help-activate-account-body =
    1. Look in your mailbox for the e-mail "Confirm your { $brand } account". Look in your spam folder too.
    2. Open the link in this e-mail.
    3. Choose a password. If it breaks a rule, the page names every rule that it breaks.
    4. [Log in](login) with your e-mail address and your new password.

    The link works once, for { $activation_days } days.

    ## The link does not work, or there is no e-mail

    Ask for a new link on the [activation page](activation). Support can send one too. Only the newest link works.

    If you have chosen a password before, your account is active. Use [forgotten password](forgot) if you no longer know it.

    ## I chose a password and still can't log in

    Perhaps an administrator of your company must still admit you. You will get an e-mail when this is done. Support can admit you too.

    Other causes are in [Why can't I log in?](help/cannot-log-in)

help-read-invoice-title = Where do I find my invoice, and how do I read it?
help-read-invoice-lead = Log in and open the invoices in the menu; support explains what an invoice contains.
help-read-invoice-body =
    1. [Log in](login).
    2. Open the invoices in the menu.

    ## I don't see any invoices in the menu

    You need the permission "view invoices". Administrators have it. Ask an administrator of your company to give it to you. They do so in the [user groups](groups).

    ## The name or the address is wrong

    An administrator changes names and addresses in the [company details](company). Invoicing is told of the change.

    A new enterprise number is different: support takes care of it. Read [Change of registration](help/change-registration).

    ## I don't understand an amount

    Ask support on the [contact page](contact). Have the invoice at hand and mention its number. Invoices are made outside this portal.

help-announce-move-title = How do I tell you that I am moving?
help-announce-move-lead = An administrator changes your company's addresses in the company details and assigns your terminals to the right site.
help-announce-move-body =
    1. Open the [company details](company) as an administrator.
    2. Change the registered office or the other addresses. The change shows on the sites that it concerns.
    3. Look under [sites](sites) to see whether the new address is there.
    4. If the new address is a site of its own, assign your terminals to it under [terminals](terminals).

    ## The new address is not among my sites

    Nobody can open a site by hand. A site opens by itself when a terminal is ordered to an address where your company has no site yet.

    If you take your terminals along and order no new one, [contact support](contact).

    ## Why this matters

    A terminal belongs to exactly one site. That site decides which colleagues may manage the terminal, and what a PAX terminal prints on its receipts.

    Read also [How do I assign a terminal to a site?](help/assign-terminal)

help-change-registration-title = I have a new enterprise number, or my business is taken over. What do I do?
help-change-registration-lead = Contact support: you can't do this yourself in the portal, and it takes about four weeks.
help-change-registration-body =
    First [contact support](contact), as early as you can. You can't do this yourself in the portal, and neither can an administrator.

    Have this at hand:

    - the old and the new enterprise number;
    - the names of both companies, if there are two;
    - the sites and terminals that go along.

    ## What happens next

    1. Support opens a take-over.
    2. An administrator of each company agrees to it on the page [take-overs](takeovers).
    3. Support completes the take-over.

    Until then nothing changes, and you log in as usual.

    When the take-over is completed, the sites, terminals and accounts have moved, with their history.

    ## When you don't need this

    A new name or a new address with the same number is no take-over. An administrator changes it in the [company details](company).

    Read also [How long does a take-over last?](help/takeover-duration)

help-chargeback-title = What is a chargeback, and what do I do?
help-chargeback-lead = A cardholder disputes a payment with their bank: keep the receipt and answer support's letter in time.
help-chargeback-body =
    1. Look for the receipt of the payment, and for everything that shows what you sold: the order, the bill, the proof of delivery.
    2. Read support's letter. Look which payment it is about and by when you must answer.
    3. Answer in time and add copies of what you found.
    4. Keep the originals.

    ## What it is

    A cardholder does not recognise a payment, or does not agree with it. They tell their bank. The bank then asks for the payment back. This is a chargeback.

    The receipt shows that the payment took place. Without an answer, nobody hears your side.

    ## Good habits

    - Keep your receipts in order, by date.
    - Check that your customers know the name on the receipt. Read [How do I change my receipt?](help/receipt-layout)

    ## Questions

    Chargebacks are not handled in this portal. [Contact support](contact).

help-assign-terminal-title = How do I assign a terminal to a site?
help-assign-terminal-lead = Open the terminals, choose the terminal and give it another site.
help-assign-terminal-body =
    1. [Log in](login).
    2. Open the [terminals](terminals).
    3. Choose the terminal. You recognise it by its serial number.
    4. Choose its new site.

    A terminal belongs to exactly one site at a time. At first this is the site that it was ordered to.

    ## Who may do this

    An administrator may. A user may too, with the permission "manage terminals" on both sites: the old one and the new one. An administrator gives this permission in the [user groups](groups).

    ## The site is not there

    You can't open a site by hand. It opens by itself when a terminal is ordered to a new address. Read [How do I tell you that I am moving?](help/announce-move)

    ## The terminal is gone

    A terminal that was returned, replaced or sold is not assigned to a site. It is released. An administrator or support does this.

help-no-payment-option-title = My terminal says "No payment option found". What do I do?
help-no-payment-option-lead = Check the terminal's site, restart the terminal and check its network; then contact support.
help-no-payment-option-body =
    1. Look under [terminals](terminals) to see whether the terminal is assigned to the right site. Compare the serial number.
    2. If the site is wrong, [assign the terminal to the right site](help/assign-terminal).
    3. Synchronise the terminal, or restart it.
    4. Check the network connection of the terminal.
    5. Try a payment again.

    ## It still does not work

    Then [contact support](contact). Support answers seven days a week. Have this at hand:

    - the serial number and the model of the terminal;
    - the site where it is;
    - the exact text on the screen;
    - the steps that you have tried.

    ## What the message means

    The terminal finds no way to pay that it may offer to your customer.

    The cause is not always in this portal. That is why support looks further with you.

help-change-name-address-title = How do I change a name or an address?
help-change-name-address-lead = An administrator changes the company's names and addresses in the company details.
help-change-name-address-body =
    ## Your company

    1. [Log in](login) as an administrator.
    2. Open the [company details](company).
    3. Change the company name, the trading name, the registered office or another address.

    The change shows on the sites that it concerns. Invoicing is told of it.

    You can't change the enterprise number yourself. Read [New enterprise number](help/change-registration).

    ## A site

    An administrator gives a site another name under [sites](sites). Until somebody names it, a site has its street and town as its name.

    ## Yourself

    Change your own name and your language in your [profile](profile).

    The e-mail address of an account never changes. For a new address, an administrator creates a new account under [users](users) and deletes the old one.

    ## The name on the receipt

    It is part of the receipt's layout. Read [How do I change my receipt?](help/receipt-layout)

help-takeover-duration-title = How long does a take-over last?
help-takeover-duration-lead = A take-over takes about four weeks from the day on which support opens it.
help-takeover-duration-body =
    Log in as an administrator and open the [take-overs](takeovers). There you see:

    - the date on which the take-over is expected to be completed;
    - how far it has come;
    - who waits for what.

    ## How to help it along

    An administrator of each of the two companies must agree. Do so soon on the page [take-overs](takeovers): support can't complete it before.

    ## In the meantime

    Nothing changes until the take-over is completed. You log in as usual and go on using your terminals.

    ## At the end

    Sites, terminals and accounts have moved to the other company, with their history. You log in with the same e-mail address and the same password.

    A take-over can also be cancelled. Then nothing changes.

    ## It takes longer

    Ask support on the [contact page](contact). How to start a take-over is in [New enterprise number or take-over](help/change-registration).

help-receipt-layout-title = How do I change the logo and the text on my receipt?
help-receipt-layout-lead = On a PAX terminal you set the receipt yourself, for each site; for a Verifone terminal, contact support.
help-receipt-layout-body =
    ## PAX: A80 Duo Base, A920 Mobile, A77 Compact

    1. Open the [sites](sites) and choose the site.
    2. Open the receipt's layout.
    3. Change the text at the top, in the middle and at the bottom.
    4. Change the trading name that is shown, and add a logo.
    5. Look at the preview.
    6. Save.
    7. Synchronise the terminal.

    A saved layout reaches a terminal when it next synchronises. Until then the terminal prints the old receipt.

    ## Verifone

    You can't change this receipt yourself. [Contact support](contact).

    ## Who may do this

    An administrator may. A user may too, with the permission "manage receipts" on that site. An administrator gives this permission in the [user groups](groups).

    ## It does not change

    Look under [terminals](terminals) to see whether the terminal is assigned to this site. The layout belongs to the site.

help-reach-support-title = How do I reach support?
help-reach-support-lead = The contact page shows how; support answers seven days a week.
help-reach-support-body =
    Open the [contact page](contact). It shows the contact details. You don't have to log in for it.

    ## Have this at hand

    - the name or the enterprise number of your company;
    - the e-mail address of your account;
    - the serial number of the terminal, if your question is about one;
    - the exact text of the message on the screen.

    ## What support does for you

    - Support finds out why you can't log in.
    - Support sends you a link to activate your account or to choose a new password.
    - Support ends a lockout early.
    - Support turns off two-step verification if you have lost your phone. Support first checks who you are.
    - Support opens a take-over and helps with Verifone receipts.

    ## Your password stays yours

    Support never sees your password and never sets it. Don't tell it to anybody.

    It is often quicker by yourself: [Why can't I log in?](help/cannot-log-in)
