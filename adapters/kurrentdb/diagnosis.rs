//! Finds out why no server answers. The client does not tell why a connection failed, so this tries each server by itself.

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::settings::Connection;

/// Returns the client's text, what is found at each server, and what to do.
pub(crate) async fn of(connection: &Connection, said: &str) -> String {
    let Ok((settings, _)) = connection.client_settings() else {
        return said.to_owned();
    };
    let mut found = vec![said.to_owned()];
    let mut listens = false;
    for host in settings.hosts() {
        let server = format!("{}:{}", host.host, host.port);
        let connected = timeout(connection.deadline, TcpStream::connect(server.as_str())).await;
        match connected {
            Ok(Ok(_)) => listens = true,
            Ok(Err(error)) => found.push(format!("{server}: {error}")),
            Err(_) => found.push(format!("{server} does not answer")),
        }
    }
    let advice = match (listens, settings.is_secure_mode_enabled()) {
        (false, _) => "Check that the servers run, and the hosts and ports in kurrentdb.url",
        (true, true) => {
            "A server listens, but does not answer over TLS. If the server has no TLS, add tls=false to kurrentdb.url. If it has, \
             its certificate is not trusted or is for another name: set kurrentdb.ca_file, and use the name in the certificate. \
             If the server asks for a user certificate, set kurrentdb.certificate_file and kurrentdb.key_file"
        }
        (true, false) => {
            "A server listens, but does not answer without TLS. If the server has TLS, take tls=false out of kurrentdb.url. If it \
             has none, check that it is EventStoreDB or KurrentDB, and ready"
        }
    };
    found.push(advice.to_owned());
    found.join(". ")
}
