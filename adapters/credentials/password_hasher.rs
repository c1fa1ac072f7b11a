//! Argon2id (RFC 9106) on a bounded pool of threads. Each thread has its own memory and reuses it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use loquet_domain::ports::{BoxFuture, Busy, PasswordHasher, Verification};
use loquet_domain::values::password::{Password, PasswordHash};
use loquet_metrics::{Gauge, HashMetrics};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use tracing::Instrument;

/// The most memory that a stored hash may ask for: 1 GiB, in KiB. We never write a hash that asks for more.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;

/// A pool of hashing threads.
pub struct Argon2Pool {
    jobs: SyncSender<Job>,
    decoy: PasswordHash,
    metrics: HashMetrics,
}

type Work = Box<dyn FnOnce(&mut Hashing) + Send>;
struct Job(Work);

/// One thread's parameters and memory.
struct Hashing {
    params: Params,
    memory: Vec<Block>,
}

/// The pool can't be started.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The parameters are not Argon2's.
    #[error("invalid Argon2 parameters: {0}")]
    Parameters(String),
    /// No thread could be started.
    #[error("can't start a hashing thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The cost of a hash. The default is from OWASP's password storage cheat sheet: 19 MiB, 2 passes, 1 lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// The number of passes over the memory.
    pub passes: u32,
    /// The number of lanes.
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

impl Argon2Pool {
    /// Starts `threads` threads. At most `waiting` hashes wait for a thread; any further hash is refused with
    /// [`Busy`].
    ///
    /// # Errors
    /// [`PoolError`] for parameters that Argon2 does not accept, or if a thread can't be started.
    pub fn start(cost: Cost, threads: usize, waiting: usize) -> Result<Self, PoolError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|e| PoolError::Parameters(e.to_string()))?;
        let (jobs, queue) = sync_channel(waiting);
        let queue = Arc::new(Mutex::new(queue));
        for n in 0..threads.max(1) {
            let (queue, params) = (queue.clone(), params.clone());
            thread::Builder::new().name(format!("argon2-{n}")).spawn(move || work(&queue, params))?;
        }
        let decoy = Hashing { params, memory: Vec::new() }.hash(&Password::new(String::new()));
        Ok(Self { jobs, decoy, metrics: HashMetrics::default() })
    }

    /// Records its measurements in `metrics`.
    #[must_use]
    pub fn measured(self, metrics: HashMetrics) -> Self {
        Self { metrics, ..self }
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Hashing) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |hashing| drop(reply.send(job(hashing))));
        let begun = Instant::now();
        match self.jobs.try_send(Job(work)) {
            Ok(()) => {
                let _waiting = Waiting::begin(&self.metrics.waiting);
                let answer = answer.instrument(tracing::info_span!("hash")).await.map_err(|_| Busy);
                self.metrics.seconds.observe(begun.elapsed().as_secs_f64());
                answer
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.metrics.refused.inc();
                Err(Busy)
            }
        }
    }
}

/// Counts a hash that waits or runs. It stops counting when it is dropped, also when its caller stops waiting.
struct Waiting<'a>(&'a Gauge);

impl<'a> Waiting<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn work(queue: &Mutex<Receiver<Job>>, params: Params) {
    let mut hashing = Hashing { params, memory: Vec::new() };
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job(job)) = next else { return };
        // A malformed stored hash has crashed a verifier before (RUSTSEC-2026-0199). If that happens here,
        // the thread keeps running and the waiting caller gets an error.
        if catch_unwind(AssertUnwindSafe(|| job(&mut hashing))).is_err() {
            tracing::error!("password hashing panicked; the caller was refused");
            hashing.memory = Vec::new();
        }
    }
}

impl PasswordHasher for Argon2Pool {
    fn hash(&self, password: Password) -> BoxFuture<'_, Result<PasswordHash, Busy>> {
        Box::pin(self.run(move |hashing| hashing.hash(&password)))
    }

    fn verify(&self, password: Password, hash: PasswordHash) -> BoxFuture<'_, Result<Verification, Busy>> {
        Box::pin(self.run(move |hashing| hashing.verify(&password, &hash)))
    }

    fn verify_decoy(&self, password: Password) -> BoxFuture<'_, Result<(), Busy>> {
        let decoy = self.decoy.clone();
        Box::pin(self.run(move |hashing| drop(hashing.verify(&password, &decoy))))
    }
}

impl Hashing {
    fn hash(&mut self, password: &Password) -> PasswordHash {
        #[expect(clippy::disallowed_methods, reason = "a salt")]
        let salt: [u8; 16] = rand::random();
        let params = self.params.clone();
        let phc =
            self.output(Algorithm::Argon2id, Version::V0x13, &params, password, &salt).and_then(|output| {
                Some(Phc {
                    algorithm: Algorithm::Argon2id.ident(),
                    version: Some(Version::V0x13.into()),
                    params: ParamsString::try_from(&params).ok()?,
                    salt: Some(Salt::new(&salt).ok()?),
                    hash: Some(Output::new(&output).ok()?),
                })
            });
        // The parameters were checked at start, so this always returns a hash. An empty hash would verify
        // nothing.
        PasswordHash::new(phc.map(|phc| phc.to_string()).unwrap_or_default())
    }

    fn verify(&mut self, password: &Password, hash: &PasswordHash) -> Verification {
        match self.matches(password, hash) {
            Some((true, params)) if params == self.newest() => Verification::Match { rehashed: None },
            Some((true, _)) => Verification::Match { rehashed: Some(self.hash(password)) },
            Some((false, _)) => Verification::Mismatch,
            None => {
                tracing::error!(
                    "a stored password hash can't be read: its account can't log in until a reset"
                );
                Verification::Mismatch
            }
        }
    }

    fn newest(&self) -> (u32, u32, u32) {
        (self.params.m_cost(), self.params.t_cost(), self.params.p_cost())
    }

    /// Returns whether the password matches, and the cost that the hash was made with. Returns `None` if the
    /// hash can't be read.
    fn matches(&mut self, password: &Password, hash: &PasswordHash) -> Option<(bool, (u32, u32, u32))> {
        let phc = Phc::new(hash.expose()).ok()?;
        let algorithm = Algorithm::try_from(phc.algorithm.as_str()).ok()?;
        let version = phc.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?;
        let params = Params::try_from(&phc).ok().filter(|params| params.m_cost() <= MOST_MEMORY_KIB)?;
        let expected = phc.hash?;
        let salt = phc.salt?;
        let output = self.output(algorithm, version, &params, password, salt.as_ref())?;
        let cost = (params.m_cost(), params.t_cost(), params.p_cost());
        Some((bool::from(output.as_slice().ct_eq(expected.as_bytes())), cost))
    }

    fn output(
        &mut self,
        algorithm: Algorithm,
        version: Version,
        params: &Params,
        password: &Password,
        salt: &[u8],
    ) -> Option<Vec<u8>> {
        let blocks = params.block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::default());
        }
        let memory = self.memory.get_mut(..blocks)?;
        let mut output = vec![0; params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN)];
        Argon2::new(algorithm, version, params.clone())
            .hash_password_into_with_memory(password.expose().as_bytes(), salt, &mut output, memory)
            .ok()?;
        Some(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let pool = Argon2Pool::start(CHEAP, 2, 16).unwrap();
        let hash = pool.hash(password("Boulange7!")).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", hash.expose());
        let verify = |text: &str| pool.verify(password(text), hash.clone());
        assert_eq!(verify("Boulange7!").await, Ok(Verification::Match { rehashed: None }));
        for wrong in ["boulange7!", "Boulange7! ", "", "Boulange7!\0"] {
            assert_eq!(verify(wrong).await, Ok(Verification::Mismatch), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_match_under_older_parameters_gives_a_hash_under_the_newest() {
        let old = Argon2Pool::start(CHEAP, 1, 16).unwrap();
        let new = Argon2Pool::start(Cost { memory_kib: 128, ..CHEAP }, 1, 16).unwrap();
        let hash = old.hash(password("Boulange7!")).await.unwrap();
        let Ok(Verification::Match { rehashed: Some(newer) }) =
            new.verify(password("Boulange7!"), hash).await
        else {
            panic!("no newer hash");
        };
        assert!(newer.expose().contains("m=128,"));
        assert_eq!(
            new.verify(password("Boulange7!"), newer).await,
            Ok(Verification::Match { rehashed: None })
        );
    }

    #[tokio::test]
    async fn a_stored_hash_that_cannot_be_read_is_a_failed_login_and_no_crash() {
        let pool = Argon2Pool::start(CHEAP, 1, 16).unwrap();
        let good = pool.hash(password("x")).await.unwrap().expose().to_owned();
        let mut malformed: Vec<String> = (0..good.len()).map(|at| good[..at].to_owned()).collect();
        malformed.extend([
            "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$aGFzaA".to_owned(),
            "$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".to_owned(),
            "\u{0}".to_owned(),
        ]);
        for hash in malformed {
            let verified = pool.verify(password("y"), PasswordHash::new(hash.clone())).await;
            assert_eq!(verified, Ok(Verification::Mismatch), "{hash}");
        }
        let good = PasswordHash::new(good);
        assert_eq!(pool.verify(password("x"), good).await, Ok(Verification::Match { rehashed: None }));
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused_as_busy() {
        let pool = Argon2Pool::start(Cost { memory_kib: 19_456, passes: 20, lanes: 1 }, 1, 1).unwrap();
        let outcomes =
            futures_util::future::join_all((0..20).map(|_| pool.verify_decoy(password("x")))).await;
        assert!(outcomes.contains(&Err(Busy)));
        assert!(outcomes.contains(&Ok(())));
    }
}
