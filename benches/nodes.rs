//! Several nodes on one PostgreSQL: complete logins a second through one, two and three of them, and the time that mails
//! wait when the node that sends them is killed.
//!
//! All nodes, the database and the callers share the machine's cores. So more nodes do not make more logins here. The
//! ratios say what it costs to spread the same work over several nodes.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loquet_benches::client::{Connection, answers_a_second, request};
use loquet_benches::history::PASSWORD;
use loquet_benches::program::{Program, executable};
use loquet_benches::story::{Story, activate, mailed};
use loquet_benches::{Comparison, Outcome, Spread, cores, print_conditions, print_head, print_row};
use loquet_tests::postgres_server::PostgresServer;

const NODES: usize = 3;
const ACCOUNTS: u32 = 60;
const ROUNDS: u32 = 5;
const WINDOW: Duration = Duration::from_secs(4);
/// The number of times that the leader is killed.
const KILLS: u32 = 7;
/// The goal for the time that a mail waits after a kill, in seconds.
const GOAL: f64 = 5.0;

fn main() -> Outcome<()> {
    let executable = executable()?;
    let server = PostgresServer::start("nodes").ok_or("PostgreSQL is not installed")?;
    let shared = tempfile::tempdir()?;
    fs::create_dir(shared.path().join("mail"))?;
    let mut nodes = (0..NODES)
        .map(|number| Node::start(&executable, shared.path(), &server, number))
        .collect::<Outcome<Vec<_>>>()?;
    let first = nodes.first().ok_or("no node")?.program.address;
    let people: Vec<Story> = (0..ACCOUNTS).map(|number| Story::new("nodes", number)).collect();
    for story in &people {
        let mut connection = Connection::open(first)?;
        let token = &nodes.first().ok_or("no node")?.program.token;
        connection.call(&story.order(token))?.expect(201)?;
        activate(&mut connection, story)?.expect(204)?;
    }
    logins(&nodes, &people)?;
    failing_over(&mut nodes, &executable, shared.path(), &server)
}

/// A running node, and its place in the cluster.
struct Node {
    program: Program,
    number: usize,
}

impl Node {
    fn start(executable: &Path, shared: &Path, server: &PostgresServer, number: usize) -> Outcome<Self> {
        let folder: PathBuf = shared.join(format!("node-{number}"));
        if !folder.exists() {
            fs::create_dir(&folder)?;
            std::os::unix::fs::symlink(shared.join("mail"), folder.join("mail"))?;
        }
        let key = shared.join("server.key").display().to_string();
        let variables = [
            ("LOQUET_STORE_ENGINE", "postgres".to_owned()),
            ("LOQUET_POSTGRES_URL", server.url()),
            ("LOQUET_SERVER_KEY_FILE", key),
            ("LOQUET_NODE", format!("node-{number}")),
        ];
        let program = Program::start_with(executable, &folder, &variables)?;
        program.ready()?;
        Ok(Self { program, number })
    }
}

fn logins(nodes: &[Node], people: &[Story]) -> Outcome<()> {
    let requests: Vec<_> = people
        .iter()
        .map(|story| request("POST", "/v1/logins", None, &story.credentials(PASSWORD)))
        .collect();
    let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.program.address).collect();
    let through =
        |count: usize| answers_a_second(addresses.get(..count).unwrap_or_default(), &requests, 201, WINDOW);
    through(NODES)?;
    println!("complete logins a second over {ACCOUNTS} accounts, {NODES} nodes, of which some are asked");
    print_conditions(ROUNDS, WINDOW);
    print_head("nodes asked", "logins/s", "logins/s through one");
    for count in 2..=NODES {
        let compared = Comparison::in_turns(ROUNDS, || through(count), || through(1))?;
        print_row(&count.to_string(), &compared, None);
    }
    Ok(())
}

/// Kills the node that sends the mails, again and again. Each time, the mail of an order that another node took in the
/// same moment is waited for.
fn failing_over(
    nodes: &mut Vec<Node>,
    executable: &Path,
    shared: &Path,
    server: &PostgresServer,
) -> Outcome<()> {
    let mut waits = Vec::new();
    for kill in 0..KILLS {
        let holder = server.sql("SELECT holder FROM loquet.reaction_lease");
        let leads = |node: &Node| holder.starts_with(&format!("node-{}/", node.number));
        let place = nodes.iter().position(leads).ok_or_else(|| format!("no node is {holder}"))?;
        let leader = nodes.remove(place);
        let number = leader.number;
        // Dropped, a program is killed.
        drop(leader);
        let begun = Instant::now();
        let other = &nodes.first().ok_or("no node is left")?.program;
        let mut connection = Connection::open(other.address)?;
        let story = Story::new("killed", 1000 + kill);
        connection.call(&story.order(&other.token))?.expect(201)?;
        mailed(&mut connection, &story)?;
        waits.push(begun.elapsed().as_secs_f64());
        nodes.push(Node::start(executable, shared, server, number)?);
    }
    let waited = Spread::of(waits).ok_or("nothing was measured")?;
    let verdict = if waited.max < GOAL { "reached" } else { "missed" };
    println!(
        "\nfrom the kill of the node that sends the mails to the mail of an order that was taken after it"
    );
    println!("{} cores; {KILLS} kills; seconds, median (least to greatest)", cores());
    println!("mail               {waited:.2}   goal: always under {GOAL:.1} {verdict}");
    Ok(())
}
