//! How a suite opens the store that it tests.

use std::path::Path;
use std::sync::Arc;

use loquet_domain::Moment;
use loquet_postgres::Database;
use loquet_tests::postgres_server::{self, PostgresServer};

/// A store that a suite tests. It starts empty.
pub(crate) struct Store<P: ?Sized> {
    open: Box<dyn Fn() -> Arc<P> + Send + Sync>,
    stop: Box<dyn Fn() + Send + Sync>,
}

/// Makes the store of a test. Each test has its own folder, which identifies the store: another process that
/// makes a store with the same folder opens the same one.
pub(crate) type Make<P> = fn(&Path) -> Store<P>;

impl<P: ?Sized> Store<P> {
    /// A store that `open` opens, as a node does. Two openings stand for two nodes and share their data.
    pub(crate) fn opened_by(open: impl Fn() -> Arc<P> + Send + Sync + 'static) -> Self {
        Self { open: Box::new(open), stop: Box::new(|| {}) }
    }

    /// Returns the store with a step for a clean stop.
    pub(crate) fn stopped_by(self, stop: impl Fn() + Send + Sync + 'static) -> Self {
        Self { stop: Box::new(stop), ..self }
    }

    pub(crate) fn open(&self) -> Arc<P> {
        (self.open)()
    }

    /// Opens the store twice, for two nodes.
    pub(crate) fn two(&self) -> [Arc<P>; 2] {
        [self.open(), self.open()]
    }

    /// Stops the nodes that have these openings.
    pub(crate) fn stop(&self, openings: impl IntoIterator<Item = Arc<P>>) {
        openings.into_iter().for_each(drop);
        (self.stop)();
    }

    /// Stops the nodes that have these openings, and opens the store anew.
    pub(crate) fn reopen(&self, openings: impl IntoIterator<Item = Arc<P>>) -> Arc<P> {
        self.stop(openings);
        self.open()
    }
}

/// Returns the moment this number of seconds into a test.
pub(crate) fn second(second: i64) -> Moment {
    Moment::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// Whether the server of an adapter is not installed here. Then the rule is skipped.
pub(crate) fn cannot_be_made(suite: &str, rule: &str) -> bool {
    suite.contains("::postgres") && postgres_server::is_missing(&format!("{suite}::{rule}"))
}

/// The store of an adapter on PostgreSQL. The server belongs to the folder, and each node has a pool of its own.
pub(crate) fn in_postgres<P: ?Sized>(
    folder: &Path,
    open: impl Fn(Database) -> Arc<P> + Send + Sync + 'static,
) -> Store<P> {
    let server = PostgresServer::in_folder(folder, "");
    Store::opened_by(move || open(server.database()))
}

/// Writes one test for each rule of a suite, for one adapter. A rule is a function that takes the [`Store`].
/// The rules after `killed` are for adapters that outlive their process. They take
/// [`Kills`](crate::kills::Kills) and the [`Make`].
///
/// Each suite lists its rules once, in its own macro. Each adapter adds one line: `adapter!(sqlite,
/// in_sqlite, killed)` for one that outlives its process, `adapter!(memory, in_memory)` for one that does
/// not.
macro_rules! suite {
    ($name:ident, $make:expr, [$($rule:ident),* $(,)?] $(, killed: [$($killed:ident),* $(,)?])?) => {
        mod $name {
            #[allow(unused_imports, reason = "not every use of the macro needs them")]
            use super::*;

            const MAKE: $crate::store::Make<super::Port> = $make;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $rule() {
                    if $crate::store::cannot_be_made(module_path!(), stringify!($rule)) {
                        return;
                    }
                    let folder = tempfile::tempdir().unwrap();
                    super::$rule(MAKE(folder.path())).await;
                }
            )*

            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $killed() {
                    if $crate::store::cannot_be_made(module_path!(), stringify!($killed)) {
                        return;
                    }
                    let test = concat!(module_path!(), "::", stringify!($killed));
                    super::$killed($crate::kills::Kills::of(test), MAKE).await;
                }
            )*)?
        }
    };
}
pub(crate) use suite;
