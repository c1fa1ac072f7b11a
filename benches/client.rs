//! A cheap client: hand-written HTTP/1.1 over connections that stay open. So the benchmarks measure the
//! server and not the client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Outcome, rate_since};

/// The longest time that an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// The number of calling threads.
const THREADS: u32 = 2;
/// The number of connections of each thread.
const CONNECTIONS: usize = 16;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// Returns the answer if it has the expected status.
    ///
    /// # Errors
    /// The status and body that came instead.
    pub fn expect(self, status: u16) -> Outcome<Self> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("{} instead of {status}: {}", self.status, self.body).into())
    }

    /// Returns a text member of the JSON object in the body.
    ///
    /// # Errors
    /// An error if there is no such member.
    pub fn text(&self, member: &str) -> Outcome<String> {
        let json: serde_json::Value = serde_json::from_str(&self.body)?;
        let text = json.get(member).and_then(|member| member.as_str());
        Ok(text.ok_or_else(|| format!("no {member} in {}", self.body))?.to_owned())
    }
}

/// A connection that stays open.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// The network's error.
    pub fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::with_capacity(8192) })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The network's error, or an error if the answer can't be read.
    pub fn call(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.send(request)?;
        self.receive()
    }

    /// Sends a request. Call [`Connection::receive`] for its answer.
    ///
    /// # Errors
    /// The network's error.
    pub fn send(&mut self, request: &[u8]) -> Outcome<()> {
        Ok(self.stream.write_all(request)?)
    }

    /// Receives the answer to the request that was sent.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn receive(&mut self) -> Outcome<Answer> {
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more()?;
        };
        let (status, length) = read_head(self.buffer.get(..head).unwrap_or_default())?;
        while self.buffer.len() < head + length {
            self.read_more()?;
        }
        let body = self.buffer.get(head..head + length).unwrap_or_default();
        Ok(Answer { status, body: String::from_utf8_lossy(body).into_owned() })
    }

    fn read_more(&mut self) -> Outcome<()> {
        let mut chunk = [0; 4096];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err("the server closed the connection".into());
        }
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Returns the status in a response's head, and the length of the body after it.
fn read_head(head: &[u8]) -> Outcome<(u16, usize)> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status line")?.parse()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    Ok((status, length.transpose()?.unwrap_or(0)))
}

/// Builds a request: a head with the token, if there is one, and a JSON body, if there is one.
#[must_use]
pub fn request(method: &str, path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let content = match body.len() {
        0 => String::new(),
        length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n{token}{content}\r\n{body}")
        .into_bytes()
}

/// Sends these requests over and over until the window ends. Uses a few connections, spread over the
/// addresses, each with one request at a time. Every answer must have the status. Returns the number of answers a second.
///
/// # Errors
/// The first answer with another status, or the error if none came.
pub fn answers_a_second(
    addresses: &[SocketAddr],
    requests: &[Vec<u8>],
    status: u16,
    window: Duration,
) -> Outcome<f64> {
    let start = Instant::now();
    let answers = thread::scope(|scope| {
        let calling: Vec<_> = (0..THREADS)
            .map(|caller| {
                let turn = usize::try_from(caller).unwrap_or(0) * requests.len() / 2;
                scope.spawn(move || call_until(addresses, requests, turn, status, start + window))
            })
            .collect();
        let answers = calling.into_iter().map(|thread| thread.join().map_err(|_| "a caller panicked")?);
        answers.sum::<Outcome<u32>>()
    })?;
    Ok(rate_since(start, answers))
}

fn call_until(
    addresses: &[SocketAddr],
    requests: &[Vec<u8>],
    turn: usize,
    status: u16,
    end: Instant,
) -> Outcome<u32> {
    let opened = addresses.iter().cycle().take(CONNECTIONS).map(|address| Connection::open(*address));
    let mut connections = opened.collect::<Outcome<Vec<_>>>()?;
    let mut requests = requests.iter().cycle().skip(turn);
    let mut answers = 0;
    while Instant::now() < end {
        for connection in &mut connections {
            connection.send(requests.next().ok_or("nothing to ask")?)?;
        }
        for connection in &mut connections {
            connection.receive()?.expect(status)?;
            answers += 1;
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_the_status_and_the_length_of_the_body() {
        let head = b"HTTP/1.1 423 Locked\r\ncontent-type: text/plain\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(read_head(head).unwrap(), (423, 12));
        assert_eq!(read_head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), (204, 0));
        assert!(read_head(b"nonsense\r\n\r\n").is_err());
    }
}
