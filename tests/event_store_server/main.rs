//! Starts the server of tests from the command line, for clients in other languages.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use loquet_event_store_server::{Options, Server, Tls, User};

/// A server for tests that speaks the protocol of EventStoreDB and KurrentDB. Its events are in memory. It prints its
/// connection string, and ends when its input ends.
#[derive(Parser)]
struct Arguments {
    /// The port of a node on 127.0.0.1. Zero takes a free port. Give it three times for a cluster of three nodes.
    #[arg(long = "port", default_value = "0")]
    ports: Vec<u16>,
    /// The certificate as a PEM file. With it, the server speaks TLS.
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// The private key of the certificate as a PEM file.
    #[arg(long)]
    key: Option<PathBuf>,
    /// The authority of the clients' certificates as a PEM file. With it, each client needs a certificate.
    #[arg(long, requires = "certificate")]
    clients_authority: Option<PathBuf>,
    /// A user, written `name:password`. Without one, everybody may do everything.
    #[arg(long = "user")]
    users: Vec<String>,
    /// Ends after this number of seconds, and not when the input ends.
    #[arg(long)]
    seconds: Option<u64>,
}

#[expect(clippy::print_stdout, reason = "whoever starts the server reads the connection string")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let tls = match (arguments.certificate, arguments.key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: std::fs::read_to_string(certificate)?,
            key: std::fs::read_to_string(key)?,
            clients_authority: arguments.clients_authority.map(std::fs::read_to_string).transpose()?,
        }),
        _ => None,
    };
    let users = arguments.users.iter().map(|user| {
        let (name, password) = user.split_once(':').ok_or("a user is written name:password")?;
        Ok::<_, &str>(User { name: name.to_owned(), password: password.to_owned() })
    });
    let users = users.collect::<Result<_, _>>()?;
    let server = Server::start(Options { ports: arguments.ports, tls, users })?;
    println!("{}", server.url());
    match arguments.seconds {
        Some(seconds) => std::thread::park_timeout(Duration::from_secs(seconds)),
        None => {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
        }
    }
    Ok(())
}
