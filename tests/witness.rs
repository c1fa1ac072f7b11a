//! A witness of logs (C2SP tlog-witness), for tests. It checks notes and proofs with libraries that nobody here wrote.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Checkpoint, Hash, check_tree};

const NAME: &str = "witness.example";
/// The kind of a key of a witness (C2SP tlog-cosignature).
const KIND: u8 = 4;

/// A witness that listens until it is dropped.
pub struct Witness {
    pub address: SocketAddr,
    key: SigningKey,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

struct Seen {
    key: SigningKey,
    /// The key of the log, which it is told first.
    log: Mutex<String>,
    last: Mutex<Option<Checkpoint>>,
}

impl Witness {
    pub async fn start(log: &str) -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        let seen = Seen { key: key.clone(), log: Mutex::new(log.to_owned()), last: Mutex::default() };
        let seen = Arc::new(seen);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/tlog/add-checkpoint", post(add)).with_state(seen.clone());
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, key, seen, task }
    }

    /// Its public key, as C2SP signed-note writes it.
    pub fn public_key(&self) -> String {
        let public = self.key.verifying_key();
        let key = [&[KIND], public.as_bytes().as_slice()].concat();
        let id: String = key_id(&self.key).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{NAME}+{id}+{}", STANDARD.encode(key))
    }

    /// The number of events that it saw last.
    pub fn size(&self) -> u64 {
        held(&self.seen.last).as_ref().map_or(0, Checkpoint::size)
    }

    /// Makes it know a log by its key.
    pub fn know(&self, log: &str) {
        log.clone_into(&mut held(&self.seen.log));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn held<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key_id(key: &SigningKey) -> [u8; 4] {
    let hash = Sha256::new().chain_update(NAME).chain_update([b'\n', KIND]).chain_update(key.verifying_key());
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    [a, b, c, d]
}

/// Answers as C2SP tlog-witness says.
async fn add(State(seen): State<Arc<Seen>>, body: String) -> (StatusCode, String) {
    let answer = |status| (status, String::new());
    let Some((head, note)) = body.split_once("\n\n") else { return answer(StatusCode::BAD_REQUEST) };
    let mut lines = head.lines();
    let old = lines.next().and_then(|line| line.strip_prefix("old ")?.parse::<u64>().ok());
    let proof: Option<Vec<Hash>> = lines.map(|line| Hash::parse_hash(line).ok()).collect();
    let (Some(old), Some(proof)) = (old, proof) else { return answer(StatusCode::BAD_REQUEST) };
    let log = StandardVerifier::new(&held(&seen.log)).unwrap();
    let note = Note::from_bytes(note.as_bytes()).unwrap();
    if note.verify(&VerifierList::new(vec![Box::new(log)])).is_err() {
        return answer(StatusCode::FORBIDDEN);
    }
    let new = Checkpoint::from_bytes(note.text()).unwrap();
    let mut last = held(&seen.last);
    let known = last.as_ref().map_or(0, Checkpoint::size);
    if known != old {
        return (StatusCode::CONFLICT, format!("{known}\n"));
    }
    if let Some(last) = &*last
        && check_tree(&proof, new.size(), *new.hash(), last.size(), *last.hash()).is_err()
    {
        return answer(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let text = String::from_utf8(note.text().to_vec()).unwrap();
    let time = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let signature = seen.key.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
    let signed = [key_id(&seen.key).as_slice(), &time.to_be_bytes(), &signature.to_bytes()].concat();
    *last = Some(new);
    (StatusCode::OK, format!("\u{2014} {NAME} {}\n", STANDARD.encode(signed)))
}
