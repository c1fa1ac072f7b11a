//! Finds out why no node answers. The client does not tell the cause of a connection that failed.

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::settings::Connection;

/// What the client said, what is found at each node, and what to do.
pub(crate) async fn of(connection: &Connection, said: &str) -> String {
    let Ok((settings, _)) = connection.client_settings() else {
        return said.to_owned();
    };
    let mut found = vec![said.to_owned()];
    let mut listens = false;
    for host in settings.hosts() {
        let node = format!("{}:{}", host.host, host.port);
        let connected = timeout(connection.deadline, TcpStream::connect(node.as_str())).await;
        match connected {
            Ok(Ok(_)) => listens = true,
            Ok(Err(error)) => found.push(format!("{node}: {error}")),
            Err(_) => found.push(format!("{node} does not answer")),
        }
    }
    let advice = match (listens, settings.is_secure_mode_enabled()) {
        (false, _) => "Check that the server runs, and the hosts and ports in the connection string",
        (true, true) => {
            "A server listens, but does not answer over TLS. If it has no TLS, set tls=false. If it has, its certificate is not \
             trusted or is for another name: set the file of its authority, and use the name of its certificate. Some servers \
             also ask for a user certificate"
        }
        (true, false) => {
            "A server listens, but does not answer without TLS. If it has TLS, take tls=false out of the connection string. \
             If not, check that it is EventStoreDB or KurrentDB, and ready"
        }
    };
    found.push(advice.to_owned());
    found.join(". ")
}
