//! Plays the planned acts with the use cases, as the server does it, at moments in the past.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, anyhow, bail};
use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::access::{Grantor, GroupName, GroupText, Where};
use loquet_domain::account::{Account, Admission, Authority};
use loquet_domain::app::{App, Credentials, Failure, Login, NewColleague, NewTakeOver, Owner};
use loquet_domain::company::{self, AddressKind, CompanyName, Description, SiteName};
use loquet_domain::fact::{Actor, Client, Context};
use loquet_domain::ids::{AccountId, CorrelationId, SessionId, SiteId, TakeOverId, TerminalId};
use loquet_domain::order::Channel;
use loquet_domain::ports::{LinkClaims, Purpose};
use loquet_domain::receipt::{Layout, ReceiptText};
use loquet_domain::takeover::{Cancellation, Side};
use loquet_domain::terminals::Assignment;
use loquet_domain::values::one_time_code::OneTimeCode;
use loquet_domain::values::password::Password;
use loquet_domain::values::permission::Permission;

use super::dice::Dice;
use super::merchant::{Merchant, Named};
use super::outside::{CODE, RECOVERY, first_identity, with_dice};
use super::plan::{Act, Consent, Due};
use super::world::World;

/// The password of every account.
pub(crate) const PASSWORD: &str = "Loquet-Demo-7";
/// A wrong password, typed by people who have forgotten theirs.
const WRONG: [&str; 4] = ["Loquet-Demo-1", "loquet-demo-7", "Bienvenue1!", "Welkom123!"];
/// The browsers that people use.
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
];
/// The purposes of an act's dice, besides ids.
const CHOICE: u64 = 1;
const CORRELATION: u64 = 2;
const CLIENT: u64 = 3;

/// The use cases, and the ids that they returned.
pub(super) struct Stage {
    pub(super) app: Arc<App>,
    pub(super) world: Arc<World>,
    /// By the person's number among all people.
    accounts: Vec<OnceLock<AccountId>>,
    takeovers: Vec<OnceLock<TakeOverId>>,
    /// The number of terminals that were ordered.
    pub(super) terminals: AtomicU64,
}

/// One act and everything that it needs.
struct Scene<'a> {
    stage: &'a Stage,
    app: &'a App,
    merchant: Merchant,
    due: &'a Due,
    dice: Dice,
}

impl Stage {
    pub(super) fn new(app: Arc<App>, world: Arc<World>, accounts: usize) -> Self {
        let takeovers = world.takeovers.iter().map(|_| OnceLock::new()).collect();
        let accounts = std::iter::repeat_with(OnceLock::new).take(accounts).collect();
        Self { app, world, accounts, takeovers, terminals: AtomicU64::new(0) }
    }

    /// Plays an act.
    pub(super) async fn play(&self, due: &Due) -> anyhow::Result<()> {
        let merchant = self.world.merchant(due.merchant)?;
        let dice = Dice::of(due.roll, &[CHOICE]);
        let mut scene = Scene { stage: self, app: &self.app, merchant, due, dice };
        let played = with_dice(due.roll, scene.play()).await;
        played.with_context(|| format!("{:?} of merchant {} at {}", due.act, due.merchant, due.at))
    }

    /// Returns the account whose key an act makes. Returns `None` if it makes no key.
    pub(super) fn account_made_by(&self, due: &Due) -> anyhow::Result<Option<AccountId>> {
        match due.act {
            Act::Invite(..) => Ok(Some(AccountId(first_identity(due.roll)))),
            Act::Order { order, contact: Named::Own(person) } => {
                let merchant = self.world.merchant(due.merchant)?;
                let email = self.app.tokens().email_hash(&merchant.person(person)?.email);
                Ok(Some(AccountId::of_order(&merchant.order_id(order, due.at)?, &email)))
            }
            _ => Ok(None),
        }
    }

    fn slot(&self, merchant: &Merchant, person: u32) -> anyhow::Result<&OnceLock<AccountId>> {
        let at = usize::try_from(merchant.size.first + person)?;
        self.accounts.get(at).context("there is no such person")
    }

    /// Returns the account of a person.
    pub(super) fn account(&self, merchant: &Merchant, person: u32) -> anyhow::Result<AccountId> {
        let account = self.slot(merchant, person)?.get().copied();
        account.with_context(|| format!("person {person} of merchant {} has no account yet", merchant.number))
    }

    fn takeover(&self, nth: usize) -> anyhow::Result<TakeOverId> {
        self.takeovers.get(nth).and_then(OnceLock::get).copied().context("the take-over was not opened")
    }
}

impl Scene<'_> {
    async fn play(&mut self) -> anyhow::Result<()> {
        match self.due.act.clone() {
            Act::Order { order, contact } => self.order(order, contact).await,
            Act::Activate(person) => self.activate(person).await,
            Act::Secure(person) => self.secure(person).await,
            Act::Remind(person) => self.remind(person).await,
            Act::Invite(person, role) => self.invite(person, role).await,
            Act::Admit(person, to) => self.admit(person, to).await,
            Act::MakeGroups => self.make_groups().await,
            Act::Join(person) => self.join(person).await,
            Act::NameSite => self.name_site().await,
            Act::Assign => self.assign().await,
            Act::NoteSerial(nth) => self.note_serial(nth).await,
            Act::SaveReceipt => self.save_receipt().await,
            Act::Describe => self.describe().await,
            Act::Delete(person) => self.delete(person).await,
            Act::Erase(person) => self.erase(person).await,
            Act::LogIn { person, wrong } => self.log_in(person, wrong).await,
            Act::LockOut(person) => self.lock_out(person).await,
            Act::Release(person) => self.release(person).await,
            Act::Forget(person) => self.forget(person).await,
            Act::Reset(person) => self.reset(person).await,
            Act::OpenTakeOver(nth) => self.open_take_over(nth).await,
            Act::Agree(nth, side) => self.agree(nth, side).await,
            Act::Complete(nth) => self.complete(nth).await,
            Act::Cancel(nth) => self.cancel(nth).await,
        }
    }

    async fn remind(&self, person: u32) -> anyhow::Result<()> {
        let account = self.account(person)?;
        Ok(self.app.request_activation(&self.support(), Authority::Supplier, account).await.map(drop)?)
    }

    async fn admit(&self, person: u32, to: Admission) -> anyhow::Result<()> {
        let (account, owner) = (self.account(person)?, Authority::Administrator(self.merchant.company()?));
        Ok(self.app.convert(&self.owner()?, owner, account, to).await.map(drop)?)
    }

    async fn delete(&self, person: u32) -> anyhow::Result<()> {
        let (account, left) = (self.account(person)?, self.merchant.region.left);
        let owner = Authority::Administrator(self.merchant.company()?);
        Ok(self.app.delete_account(&self.owner()?, owner, account, left).await.map(drop)?)
    }

    async fn erase(&self, person: u32) -> anyhow::Result<()> {
        let (account, asked) = (self.account(person)?, self.merchant.region.forgotten);
        Ok(self.app.erase_account(&self.support(), account, asked).await.map(drop)?)
    }

    async fn release(&self, person: u32) -> anyhow::Result<()> {
        let (account, reason) = (self.account(person)?, self.merchant.region.released);
        Ok(self.app.release(&self.support(), account, reason).await.map(drop)?)
    }

    async fn forget(&self, person: u32) -> anyhow::Result<()> {
        let (context, email) = (self.visitor(person, 0), self.merchant.person(person)?.email);
        Ok(self.app.request_password_reset(&context, &email).await?)
    }

    async fn agree(&self, nth: usize, side: Consent) -> anyhow::Result<()> {
        let side = match side {
            Consent::Giver => Side::Transferor,
            Consent::Taker => Side::Acquirer,
        };
        let id = self.stage.takeover(nth)?;
        Ok(self.app.confirm_take_over(&self.support(), id, side).await.map(drop)?)
    }

    async fn complete(&self, nth: usize) -> anyhow::Result<()> {
        let id = self.stage.takeover(nth)?;
        Ok(self.app.complete_take_over(&self.support(), id).await.map(drop)?)
    }

    async fn cancel(&self, nth: usize) -> anyhow::Result<()> {
        let (id, withdrawn) = (self.stage.takeover(nth)?, Cancellation::Withdrawn);
        Ok(self.app.cancel_take_over(&self.support(), id, withdrawn).await.map(drop)?)
    }

    async fn order(&mut self, order: u32, contact: Named) -> anyhow::Result<()> {
        let (person, language) = match contact {
            Named::Own(person) => (self.merchant.person(person)?, self.merchant.language(person)),
            Named::OwnerOf(other) => {
                let other = self.stage.world.merchant(other)?;
                (other.person(0)?, other.language(0))
            }
        };
        let order = self.merchant.order(order, self.due.at, (person, language), self.app.tokens())?;
        let service = match order.content.channel {
            Channel::Online => "web shop",
            Channel::Offline => "order desk",
        };
        let ordered = order.content.lines.iter().map(|line| u64::from(line.quantity)).sum();
        self.stage.terminals.fetch_add(ordered, Ordering::Relaxed);
        let placed = self.app.place_order(&self.service(service), order).await?;
        if let Named::Own(person) = contact {
            self.stage.slot(&self.merchant, person)?.get_or_init(|| placed.onboarded.account);
        }
        Ok(())
    }

    async fn activate(&mut self, person: u32) -> anyhow::Result<()> {
        let account = self.account(person)?;
        let Account::Invited(invited) = self.app.account(account).await? else {
            bail!("the account has nothing to activate");
        };
        let token = self.link(Purpose::Activation, account, invited.activation);
        Ok(self.app.activate(&self.visitor(person, 0), &token, password()).await.map(drop)?)
    }

    async fn secure(&mut self, person: u32) -> anyhow::Result<()> {
        let (account, actor) = (self.account(person)?, Actor::Account { account_id: self.account(person)? });
        let owner = Owner { account, session: SessionId(uuid::Uuid::nil()), device: None };
        let context = |at| self.context(at, actor.clone(), Some(self.client(person)));
        self.app.propose_second_step(&context(self.due.at), owner, password()).await?;
        let confirmed = self.due.at + TimeDelta::seconds(40);
        Ok(self.app.confirm_second_step(&context(confirmed), owner, CODE).await.map(drop)?)
    }

    async fn reset(&mut self, person: u32) -> anyhow::Result<()> {
        let account = self.account(person)?;
        let held = self.app.account(account).await?;
        let link = held.active().and_then(|active| active.reset).context("no link was asked for")?;
        let token = self.link(Purpose::PasswordReset, account, link);
        Ok(self.app.reset_password(&self.visitor(person, 0), &token, password()).await.map(drop)?)
    }

    fn link(&self, purpose: Purpose, account: AccountId, link: loquet_domain::account::Link) -> String {
        let claims = LinkClaims { purpose, account, event: link.event, expires_at: link.expires_at };
        self.app.tokens().link(&claims)
    }

    async fn invite(&mut self, person: u32, role: Admission) -> anyhow::Result<()> {
        let new = NewColleague {
            company: self.merchant.company()?,
            role,
            language: self.merchant.language(person),
            person: self.merchant.person(person)?,
            creator: Some(self.account(0)?),
        };
        let (account, _) = self.app.create_account(&self.owner()?, new).await?;
        self.stage.slot(&self.merchant, person)?.get_or_init(|| account);
        Ok(())
    }

    async fn make_groups(&mut self) -> anyhow::Result<()> {
        use Permission::*;
        let (company, context) = (self.merchant.company()?, self.owner()?);
        let groups = &self.merchant.region.groups;
        let all = [
            (groups.till, BTreeSet::from([ViewTransactions, ActivateTerminalApp])),
            (groups.manager, BTreeSet::from([ViewTransactions, ManageTerminals, ManageReceipts])),
            (groups.books, BTreeSet::from([ViewTransactions, ViewInvoices])),
        ];
        let wanted = usize::try_from(self.dice.between(1, 3))?;
        for ((name, text), permissions) in all.into_iter().take(wanted) {
            let (name, text) = (GroupName::parse(name)?, GroupText::parse(text)?);
            self.app.create_group(&context, company, Grantor::Anything, name, text, permissions).await?;
        }
        Ok(())
    }

    /// Adds a person to one of the groups, for some sites or for all.
    async fn join(&mut self, person: u32) -> anyhow::Result<()> {
        let (company, account) = (self.merchant.company()?, self.account(person)?);
        let access = self.app.access(company).await?.state;
        let groups: Vec<_> = access.groups.keys().map(|group| Some(*group)).collect();
        let group = self.dice.pick(&groups).context("the company has no group")?;
        let sites = self.sites().await?;
        let sites = match self.dice.chance(35) {
            true => Where::Everywhere,
            false => {
                let some = self.dice.between(1, 4);
                Where::Sites((0..some).filter_map(|_| self.dice.pick(&sites)).collect())
            }
        };
        let context = self.owner()?;
        self.app.set_member(&context, company, Grantor::Anything, group, account, sites).await?;
        Ok(())
    }

    /// Returns the company's sites, always in the same order.
    async fn sites(&self) -> anyhow::Result<Vec<Option<SiteId>>> {
        let company = self.app.company(self.merchant.company()?).await?.state;
        let sites: BTreeSet<SiteId> = company.sites.iter().map(|(id, _)| id).collect();
        Ok(sites.into_iter().map(Some).collect())
    }

    async fn site(&mut self) -> anyhow::Result<SiteId> {
        let sites = self.sites().await?;
        self.dice.pick(&sites).context("the company has no site")
    }

    /// Returns a terminal that fits. Returns `None` if there is none.
    async fn terminal(&mut self, fits: Fits) -> anyhow::Result<Option<TerminalId>> {
        let terminals = self.app.terminals(self.merchant.company()?).await?.state;
        let fitting = terminals.held.iter().filter(|(_, terminal)| match fits {
            Fits::Any => true,
            Fits::WithoutSerial => terminal.serial.is_none(),
        });
        let terminals: BTreeSet<TerminalId> = fitting.map(|(id, _)| id).collect();
        let terminals: Vec<_> = terminals.into_iter().map(Some).collect();
        Ok(self.dice.pick(&terminals))
    }

    async fn name_site(&mut self) -> anyhow::Result<()> {
        let site = self.site().await?;
        let held = self.app.company(self.merchant.company()?).await?.state;
        let town = held.sites.get(site).map(|site| site.address.town.clone()).unwrap_or_default();
        let name =
            format!("{} {} {town}", self.merchant.called(), self.dice.pick(self.merchant.region.sites));
        let (company, name) = (self.merchant.company()?, SiteName::parse(&name)?);
        match self.app.name_site(&self.owner()?, company, site, name).await {
            // Another site has this name. A person would leave it at that, too.
            Err(Failure::Company(company::Refusal::SiteNameTaken(_))) => Ok(()),
            named => Ok(named.map(drop)?),
        }
    }

    async fn assign(&mut self) -> anyhow::Result<()> {
        let (Some(terminal), to) = (self.terminal(Fits::Any).await?, self.site().await?) else {
            return Ok(());
        };
        let (company, assignments) = (self.merchant.company()?, vec![Assignment { terminal, to }]);
        Ok(self.app.assign(&self.owner()?, company, assignments).await.map(drop)?)
    }

    async fn note_serial(&mut self, nth: u64) -> anyhow::Result<()> {
        let Some(terminal) = self.terminal(Fits::WithoutSerial).await? else { return Ok(()) };
        let (company, serial) = (self.merchant.company()?, self.merchant.later_serial(nth)?);
        Ok(self.app.note_serial(&self.owner()?, company, terminal, serial).await.map(drop)?)
    }

    /// Changes the receipts of a site whose terminals print the owner's text.
    async fn save_receipt(&mut self) -> anyhow::Result<()> {
        let (company, site) = (self.merchant.company()?, self.site().await?);
        if self.app.prints_receipts(company, site).await.is_err() {
            return Ok(());
        }
        let (region, called) = (self.merchant.region, self.merchant.called());
        let header = format!("{called}\n{}\n{}", region.opening_hours, self.merchant.tax_line()?);
        let layout = Layout {
            header: ReceiptText::parse(&header)?,
            middle: ReceiptText::parse(if self.dice.chance(40) { region.returns } else { "" })?,
            footer: ReceiptText::parse(self.dice.pick(region.thanks))?,
            trading_name: self.dice.chance(50).then(|| CompanyName::parse(&called)).transpose()?,
            logo: None,
        };
        Ok(self.app.save_receipt(&self.owner()?, company, site, layout, None).await.map(drop)?)
    }

    /// Changes the name of the company's shops or the address for invoices.
    async fn describe(&mut self) -> anyhow::Result<()> {
        let description = match self.dice.chance(50) {
            true => {
                let name = format!("{} & Co", self.merchant.called());
                Description { trading_name: Some(Some(CompanyName::parse(&name)?)), ..Description::default() }
            }
            false => {
                let address = self.merchant.address(self.merchant.size.sites + 1)?;
                let addresses = vec![(AddressKind::Invoicing, Some(address))];
                Description { addresses, ..Description::default() }
            }
        };
        let company = self.merchant.company()?;
        Ok(self.app.describe_company(&self.owner()?, company, description).await.map(drop)?)
    }

    async fn log_in(&mut self, person: u32, wrong: u32) -> anyhow::Result<()> {
        for guess in 0..wrong {
            self.guess(person, i64::from(guess) * 9).await?;
        }
        let context = self.visitor(person, i64::from(wrong) * 9 + 4);
        let email = self.merchant.person(person)?.email;
        match self
            .app
            .log_in(&context, Credentials { email, password: password(), second: None, devices: Vec::new() })
            .await?
        {
            Login::Succeeded { .. } | Login::AwaitingConversion => Ok(()),
            Login::SecondStep { challenge, .. } => {
                self.answer(&challenge, person, i64::from(wrong) * 9 + 15).await
            }
            other => Err(anyhow!("the login came to {other:?}")),
        }
    }

    /// Completes the second step with the app's code, sometimes after a wrong one. In a few cases uses a
    /// recovery code, as long as there are some.
    async fn answer(&mut self, challenge: &str, person: u32, seconds: i64) -> anyhow::Result<()> {
        let held = self.app.account(self.account(person)?).await?;
        let second = held.active().and_then(|active| active.second_step.as_ref());
        let left = second.and_then(|second| second.recovery.keys().next().copied());
        let recovery = left.filter(|_| self.dice.chance(4)).and_then(recovery_code);
        if self.dice.chance(8) {
            let wrong = OneTimeCode::Totp("000000".to_owned());
            self.app.answer_challenge(&self.visitor(person, seconds), challenge, wrong).await?;
        }
        let code = match recovery {
            Some(code) => OneTimeCode::Recovery(code.to_owned()),
            None => OneTimeCode::Totp(CODE.to_owned()),
        };
        match self.app.answer_challenge(&self.visitor(person, seconds + 12), challenge, code).await? {
            Login::Succeeded { .. } => Ok(()),
            other => Err(anyhow!("the second step came to {other:?}")),
        }
    }

    /// Enters wrong passwords until the account locks, and no more.
    async fn lock_out(&mut self, person: u32) -> anyhow::Result<()> {
        for guess in 0..200 {
            if matches!(self.guess(person, guess * 5).await?, Login::Locked { .. }) {
                return Ok(());
            }
            let locked = self.app.account(self.account(person)?).await?;
            let until = locked.active().and_then(|active| active.lockout.locked_until(self.due.at));
            if until.is_some() {
                return Ok(());
            }
        }
        bail!("the account does not lock")
    }

    async fn guess(&mut self, person: u32, seconds: i64) -> anyhow::Result<Login> {
        let (context, email) = (self.visitor(person, seconds), self.merchant.person(person)?.email);
        let password = Password::new(self.dice.pick(&WRONG).to_owned());
        Ok(self
            .app
            .log_in(&context, Credentials { email, password, second: None, devices: Vec::new() })
            .await?)
    }

    async fn open_take_over(&mut self, nth: usize) -> anyhow::Result<()> {
        let plan = self.stage.world.takeovers.get(nth).context("there is no such plan")?;
        let acquirer = self.stage.world.merchant(plan.to)?;
        let mut accounts = Vec::new();
        for person in 0..self.merchant.size.people {
            let account = self.account(person)?;
            if self.app.account(account).await?.is_live() {
                accounts.push(account);
            }
        }
        let reference = format!("TO-{}-{:04}", self.due.at.format("%Y"), nth + 1);
        let (from, to) = (self.merchant.company()?, acquirer.company()?);
        let new = NewTakeOver { from, to, sites: None, accounts, reference };
        let (id, _) = self.app.open_take_over(&self.support(), new).await?;
        self.stage.takeovers.get(nth).context("there is no such plan")?.get_or_init(|| id);
        Ok(())
    }

    fn account(&self, person: u32) -> anyhow::Result<AccountId> {
        self.stage.account(&self.merchant, person)
    }

    fn support(&self) -> Context {
        self.service("support")
    }

    fn service(&self, name: &str) -> Context {
        self.context(self.due.at, Actor::Service { name: name.to_owned() }, None)
    }

    fn owner(&self) -> anyhow::Result<Context> {
        let actor = Actor::Account { account_id: self.account(0)? };
        Ok(self.context(self.due.at, actor, Some(self.client(0))))
    }

    /// Returns the context of a person who has proved nothing yet, this number of seconds after the act
    /// began.
    fn visitor(&self, person: u32, seconds: i64) -> Context {
        let at = self.due.at + TimeDelta::seconds(seconds);
        self.context(at, Actor::Anonymous, Some(self.client(person)))
    }

    fn context(&self, at: Moment, actor: Actor, client: Option<Client>) -> Context {
        let since = u64::try_from((at - self.due.at).num_seconds()).unwrap_or(0);
        let correlation = CorrelationId(Dice::of(self.due.roll, &[CORRELATION, since]).uuid());
        Context { at, actor, correlation, causation: None, client, reason: None }
    }

    /// Returns a person's address and browser. The addresses are reserved for documentation (RFC 5737).
    fn client(&self, person: u32) -> Client {
        let mut dice = Dice::of(u64::from(self.merchant.size.first + person), &[CLIENT]);
        let network = dice.pick(&["192.0.2", "198.51.100", "203.0.113"]);
        let address = format!("{network}.{}", dice.between(1, 254));
        Client { address: Some(address), agent: Some(dice.pick(&AGENTS).to_owned()) }
    }
}

/// Which terminals fit.
#[derive(Clone, Copy)]
enum Fits {
    Any,
    WithoutSerial,
}

/// Returns the recovery code with this number.
fn recovery_code(number: u32) -> Option<&'static str> {
    RECOVERY.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}

fn password() -> Password {
    Password::new(PASSWORD.to_owned())
}
