//! Kills a separate process in the middle of its work, again and again, and checks each time what is left.

use std::io::Write;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::store::{Make, Store};

/// The variable that names the store's folder, in the process that is killed.
const FOLDER: &str = "LOQUET_CONFORMANCE_FOLDER";
/// The number of times that a process is killed.
const ROUNDS: usize = 12;
/// The longest time that a process may take before its first result.
const PATIENCE: Duration = Duration::from_mins(1);

/// A test that kills processes. The killed process is this same program, started again to run only this test.
pub(crate) struct Kills {
    test: &'static str,
}

/// Records what the process has done. It adds a line after the store confirms a step, so nothing in it may be
/// lost.
pub(crate) struct Acknowledged {
    file: std::fs::File,
    parent: u32,
}

impl Acknowledged {
    /// Adds a line.
    #[expect(clippy::disallowed_methods, reason = "a child of a test that is gone ends at once")]
    pub(crate) fn add(&mut self, line: &str) {
        // The process that kills may have been killed itself.
        if parent_id() != self.parent {
            std::process::exit(0);
        }
        self.file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl Kills {
    pub(crate) fn of(test: &'static str) -> Self {
        // A test's name, as the test program takes it, does not include the program's own name.
        Self { test: test.split_once("::").unwrap().1 }
    }

    /// Runs `work` in a separate process and kills it, each time at another moment. `work` takes the number
    /// of the round, so that it does not repeat what is done, and never ends. `check` takes the store and all
    /// lines so far.
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment says that this is the child, and which round it is"
    )]
    pub(crate) async fn at_any_moment<P: ?Sized>(
        self,
        make: Make<P>,
        work: impl AsyncFn(Store<P>, usize, &mut Acknowledged),
        check: impl AsyncFn(Store<P>, Vec<String>),
    ) {
        if let Some(folder) = std::env::var_os(FOLDER) {
            let folder = PathBuf::from(folder);
            let file = std::fs::OpenOptions::new().append(true).open(lines_in(&folder)).unwrap();
            let round = std::env::var("LOQUET_CONFORMANCE_ROUND").unwrap().parse().unwrap();
            work(make(&folder), round, &mut Acknowledged { file, parent: parent_id() }).await;
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(lines_in(folder.path()), "").unwrap();
        // A server that the store needs is started here, so it outlives the processes that are killed.
        let _outlives = make(folder.path());
        for round in 0..ROUNDS {
            let known = lines(folder.path()).len();
            let mut child = self.start(folder.path(), round);
            let begun = Instant::now();
            while lines(folder.path()).len() <= known + round {
                let ended = child.try_wait().unwrap();
                assert!(ended.is_none(), "the process ended by itself: {}", said(child));
                assert!(begun.elapsed() < PATIENCE, "the process does nothing");
                tokio::task::yield_now().await;
            }
            // A little later each time, so that the process is killed at another instruction.
            let moment = Instant::now();
            while moment.elapsed() < Duration::from_micros(97 * u64::try_from(round).unwrap()) {
                std::hint::spin_loop();
            }
            child.kill().unwrap();
            child.wait().unwrap();
            check(make(folder.path()), lines(folder.path())).await;
        }
    }

    fn start(&self, folder: &Path, round: usize) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([self.test, "--exact", "--nocapture"]);
        child.env(FOLDER, folder).env("LOQUET_CONFORMANCE_ROUND", round.to_string());
        child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn said(child: Child) -> String {
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

fn lines_in(folder: &Path) -> PathBuf {
    folder.join("acknowledged")
}

/// Returns only whole lines. The last one may have been cut off.
fn lines(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(lines_in(folder)).unwrap();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n').map(ToOwned::to_owned)).collect()
}
