//! Measures how the size of a company affects the cost of each operation. A company with 10,000 terminals,
//! 2,000 sites and 500 users is compared with one that has two terminals, two sites and one user. Also
//! assigns all terminals in one append, and compares that with one append to a separate stream for each
//! terminal, which a design with a stream for each terminal would need.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use loquet_benches::{Comparison, Outcome, print_conditions, print_head, print_row, rate_since};
use loquet_credentials::password_hasher::Cost;
use loquet_domain::access::{Grantor, GroupName, GroupText, Where};
use loquet_domain::account::{Account, Admission};
use loquet_domain::app::{App, NewColleague};
use loquet_domain::company::SiteName;
use loquet_domain::ids::{AccountId, CompanyId, EventId, SiteId, TerminalId};
use loquet_domain::ports::{EventStore, Identities, LinkClaims, NewEvent, Purpose, Revision, StreamId};
use loquet_domain::terminals::Assignment;
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::language::Language;
use loquet_domain::values::password::Password;
use loquet_domain::values::permission::Permission;
use loquet_domain::values::person::{Person, PersonName};
use loquet_http::read_order;
use loquet_instructions::engine::{context, open};
use serde_json::json;
use tokio::runtime::Runtime;

const ROUNDS: u32 = 5;
const WINDOW: Duration = Duration::from_secs(1);
const LARGE: Size = Size { sites: 2_000, terminals_a_site: 5, users: 500 };
const SMALL: Size = Size { sites: 2, terminals_a_site: 1, users: 1 };

struct Size {
    sites: u32,
    terminals_a_site: u32,
    users: u32,
}

/// A company that was created by orders.
struct Merchant {
    company: CompanyId,
    sites: Vec<SiteId>,
    terminals: Vec<TerminalId>,
    user: AccountId,
    number: u32,
    asked: AtomicU32,
}

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let (app, store) = open(folder.path(), Cost::default())?;
    let large = runtime.block_on(Merchant::new(&app, 1, &LARGE))?;
    let small = runtime.block_on(Merchant::new(&app, 2, &SMALL))?;
    println!(
        "what {} terminals, {} sites and {} users cost",
        large.terminals.len(),
        LARGE.sites,
        LARGE.users
    );
    print_conditions(ROUNDS, WINDOW);
    print_head("", "large, a second", "small, a second");
    for (what, thing) in THINGS {
        let rate = |merchant: &Merchant| runtime.block_on(merchant.rate(&app, *thing));
        let compared = Comparison::in_turns(ROUNDS, || rate(&large), || rate(&small))?;
        print_row(what, &compared, None);
    }
    let together = || runtime.block_on(large.assign_all(&app));
    let background = || runtime.block_on(append_to_each(&store, large.terminals.len()));
    let compared = Comparison::in_turns(ROUNDS, together, background)?;
    println!();
    print_head("", "one append, a second", "a stream each, a second");
    print_row("assign all", &compared, None);
    store.close();
    // The file stays locked as long as the store exists.
    drop((app, store));

    let (app, store) = open(folder.path(), Cost::default())?;
    let start = Instant::now();
    runtime.block_on(large.ask(&app))?;
    println!(
        "\nfirst question after a start, everything folded: {:.0} ms",
        start.elapsed().as_secs_f64() * 1000.0
    );
    store.close();
    Ok(())
}

#[derive(Clone, Copy)]
enum Thing {
    Ask,
    Assign,
    Name,
    Order,
}

const THINGS: &[(&str, Thing)] = &[
    ("permission", Thing::Ask),
    ("assign one", Thing::Assign),
    ("name a site", Thing::Name),
    ("order one", Thing::Order),
];

impl Merchant {
    async fn new(app: &App, number: u32, size: &Size) -> Outcome<Self> {
        let mut account = None;
        // An order has at most a thousand lines.
        for (n, first) in (0..size.sites).step_by(1_000).enumerate() {
            let sites = first..size.sites.min(first + 1_000);
            let placed = place(app, number, u32::try_from(n)?, sites, size.terminals_a_site).await?;
            account = Some(placed);
        }
        let administrator = account.ok_or("no order")?;
        let company = app.account(administrator).await?.profile().ok_or("no account")?.company;
        let users = users(app, company, number, size.users).await?;
        let sites: Vec<SiteId> = app.company(company).await?.state.sites.iter().map(|(id, _)| id).collect();
        let terminals = app.terminals(company).await?.state.held.iter().map(|(id, _)| id).collect();
        let user = *users.first().ok_or("no user")?;
        activate(app, user).await?;
        Ok(Self { company, sites, terminals, user, number, asked: AtomicU32::new(10) })
    }

    async fn rate(&self, app: &App, thing: Thing) -> Outcome<f64> {
        let start = Instant::now();
        let mut done = 0;
        while start.elapsed() < WINDOW {
            match thing {
                Thing::Ask => self.ask(app).await?,
                Thing::Assign => self.assign(app).await?,
                Thing::Name => self.name(app).await?,
                Thing::Order => self.order(app).await?,
            }
            done += 1;
        }
        Ok(rate_since(start, done))
    }

    fn next(&self) -> u32 {
        self.asked.fetch_add(1, Ordering::Relaxed)
    }

    fn site(&self, n: u32) -> Outcome<SiteId> {
        let place = usize::try_from(n)? % self.sites.len().max(1);
        Ok(*self.sites.get(place).ok_or("no site")?)
    }

    async fn ask(&self, app: &App) -> Outcome<()> {
        let site = self.site(self.next())?;
        app.may(self.user, Permission::ManageTerminals, site).await?;
        Ok(())
    }

    /// Assigns each terminal in turn to another site than before.
    async fn assign(&self, app: &App) -> Outcome<()> {
        let (n, count) = (self.next(), u32::try_from(self.terminals.len())?);
        let place = usize::try_from(n.checked_rem(count).ok_or("no terminal")?)?;
        let terminal = *self.terminals.get(place).ok_or("no terminal")?;
        let to = self.site(n / count + n)?;
        app.assign(&context(), self.company, vec![Assignment { terminal, to }]).await?;
        Ok(())
    }

    async fn name(&self, app: &App) -> Outcome<()> {
        let n = self.next();
        let name = SiteName::parse(&format!("Boutique {n}"))?;
        app.name_site(&context(), self.company, self.site(n)?, name).await?;
        Ok(())
    }

    async fn order(&self, app: &App) -> Outcome<()> {
        place(app, self.number, self.next() + 1_000, 0..1, 1).await?;
        Ok(())
    }

    /// Assigns every terminal to another site, in one append.
    async fn assign_all(&self, app: &App) -> Outcome<f64> {
        let turn = self.next();
        let wanted = self
            .terminals
            .iter()
            .zip(0_u32..)
            .map(|(terminal, n)| Ok(Assignment { terminal: *terminal, to: self.site(n + turn)? }));
        let wanted = wanted.collect::<Outcome<Vec<_>>>()?;
        let start = Instant::now();
        let count = u32::try_from(wanted.len())?;
        app.assign(&context(), self.company, wanted).await?;
        Ok(rate_since(start, count))
    }
}

async fn users(app: &App, company: CompanyId, number: u32, count: u32) -> Outcome<Vec<AccountId>> {
    let name = GroupName::parse("Gérants")?;
    let (text, permissions) = (GroupText::default(), [Permission::ManageTerminals].into());
    let (group, _) =
        app.create_group(&context(), company, Grantor::Anything, name, text, permissions).await?;
    let mut users = Vec::new();
    for n in 0..count {
        let person = Person {
            email: EmailAddress::parse(&format!("user{n}.{number}@boulangerie.example"))?,
            given_name: PersonName::parse("Jan")?,
            family_name: PersonName::parse("Peeters")?,
        };
        let new =
            NewColleague { company, role: Admission::User, language: Language::Nl, person, creator: None };
        let (account, _) = app.create_account(&context(), new).await?;
        app.set_member(&context(), company, Grantor::Anything, group, account, Where::Everywhere).await?;
        users.push(account);
    }
    Ok(users)
}

async fn activate(app: &App, account: AccountId) -> Outcome<()> {
    let Account::Invited(invited) = app.account(account).await? else {
        return Err("a new account is not invited".into());
    };
    let (event, expires_at) = (invited.activation.event, invited.activation.expires_at);
    let link = LinkClaims { purpose: Purpose::Activation, account, event, expires_at };
    app.activate(&context(), &app.tokens().link(&link), Password::new("Boulange7!".to_owned())).await?;
    Ok(())
}

async fn place(
    app: &App,
    number: u32,
    order: u32,
    sites: std::ops::Range<u32>,
    terminals: u32,
) -> Outcome<AccountId> {
    let address = |n: u32| {
        json!({ "street": "Rue Neuve", "number": (n + 1).to_string(), "postal_code": "1000",
                "town": "Bruxelles", "country": "BE" })
    };
    let lines: Vec<_> = sites
        .map(|n| json!({ "model": "PAX A920 Mobile", "quantity": terminals, "delivery_address": address(n) }))
        .collect();
    let body = json!({
        "order_id": format!("SO-{number}-{order}"), "channel": "online", "placed_at": "2026-11-20T09:30:00Z",
        "company": { "country": "BE", "enterprise_number": format!("{number:08}{:02}", 97 - number % 97),
                     "legal_name": "Boulangerie", "registered_office": address(0) },
        "contact": { "email": format!("marie.{number}@boulangerie.example"), "given_name": "Marie",
                     "family_name": "Dupont", "language": "fr" },
        "lines": lines,
    });
    let context = context();
    let order = read_order(body.to_string().as_bytes(), app.tokens(), context.at);
    let placed = app.place_order(&context, order.map_err(|faults| faults.join("; "))?).await?;
    Ok(placed.onboarded.account)
}

/// Appends to a separate stream for each terminal, 64 at a time.
async fn append_to_each(store: &dyn EventStore, count: usize) -> Outcome<f64> {
    let identities = loquet_crypto::random_ids::RandomIdentities;
    let event = || NewEvent {
        id: EventId(identities.fresh()),
        name: "terminal-assigned".to_owned(),
        version: 1,
        data: json!({ "terminal_id": identities.fresh(), "from_site_id": identities.fresh(),
                      "to_site_id": identities.fresh() })
        .to_string()
        .into_bytes(),
        metadata: json!({ "at": "2026-11-20T09:30:00Z", "actor": { "kind": "operator" },
                          "correlation_id": identities.fresh(), "node": "bench" })
        .to_string()
        .into_bytes(),
        sealed: None,
    };
    let start = Instant::now();
    let appends = stream::iter(0..count).map(|_| async {
        let stream = StreamId::new("bench", &identities.fresh().to_string());
        store.append(&stream, Revision::default(), vec![event()]).await.map(drop)
    });
    let done: Vec<_> = appends.buffer_unordered(64).collect().await;
    done.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(rate_since(start, u32::try_from(count)?))
}
