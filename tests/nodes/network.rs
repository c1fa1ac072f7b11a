//! A network namespace of Linux in which a node runs. Its only link to this machine can be cut.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::process::{Child, Command, Output, Stdio};

use loquet_tests::skip;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::oneshot;

use crate::faults::any;

/// A network namespace without a name. It ends with its last process, and its link ends with it.
pub(crate) struct Namespace {
    /// Stays in the namespace until its standard input is closed. So it ends with the test, even if that is killed.
    holder: Child,
    /// The name of this machine's end of the link.
    link: String,
    /// The address of this machine's end of the link.
    address: Ipv4Addr,
    relays: Vec<oneshot::Sender<()>>,
}

impl Namespace {
    /// Makes a namespace with a link to this machine. Skips the test where that is not possible.
    pub(crate) fn make(test: &str) -> Option<Self> {
        if !skip::is_root() {
            skip::impossible(test, "only root can make a network namespace");
            return None;
        }
        if !skip::unless_installed(test, "ip") {
            return None;
        }
        match Self::try_make() {
            Ok(made) => Some(made),
            Err(why) => {
                skip::impossible(test, &format!("a network namespace can't be made here: {why}"));
                None
            }
        }
    }

    fn try_make() -> Result<Self, String> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--", "sh", "-c", "ip link set lo up && echo made && exec cat"]);
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = unshare.spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line != "made\n" {
            let mut why = String::new();
            holder.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            holder.wait().unwrap();
            return Err(why.trim().to_owned());
        }
        let namespace =
            Self { holder, link: String::new(), address: Ipv4Addr::UNSPECIFIED, relays: Vec::new() };
        namespace.linked()
    }

    /// Makes the link. Its name has the number of its network, so no other test uses the same addresses.
    fn linked(mut self) -> Result<Self, String> {
        let process = self.holder.id().to_string();
        // Each network of the addresses for tests (198.18.0.0/15) has four of them, of which the ends use two.
        let (number, link) = loop {
            let number = any(1 << 15);
            let link = format!("loquet{number}");
            let made =
                ip(&["link", "add", &link, "type", "veth", "peer", "name", "uplink", "netns", &process]);
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            match made.status.success() {
                true => break (number, link),
                false if said.contains("File exists") => {}
                false => return Err(said.trim().to_owned()),
            }
        };
        let network = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + number * 4;
        let (here, there) = (Ipv4Addr::from(network + 1), Ipv4Addr::from(network + 2));
        (self.link, self.address) = (link, here);
        done(&ip(&["address", "add", &format!("{here}/30"), "dev", &self.link]));
        done(&ip(&["link", "set", &self.link, "up"]));
        self.within(&["ip", "address", "add", &format!("{there}/30"), "dev", "uplink"]);
        self.within(&["ip", "link", "set", "uplink", "up"]);
        Ok(self)
    }

    /// The address at which programs in the namespace reach this machine.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    fn file(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// The words before a command line that runs it in the namespace. The command is killed when the test ends, however
    /// it ends, since it would keep the namespace.
    pub(crate) fn launcher(&self) -> Vec<String> {
        let enter = format!("--net={}", self.file());
        ["nsenter", &enter, "--", "setpriv", "--pdeathsig", "KILL", "--"].map(ToOwned::to_owned).to_vec()
    }

    #[track_caller]
    fn within(&self, command: &[&str]) {
        let mut words = self.launcher();
        words.extend(command.iter().map(|&word| word.to_owned()));
        done(&Command::new(&words[0]).args(&words[1..]).output().unwrap());
    }

    /// Lets clients of this machine reach a port of 127.0.0.1 in the namespace, at the same port here. They reach it too
    /// while the link is cut, because they come by another way: a thread of this process that is in the namespace.
    pub(crate) fn let_clients_in(&mut self, port: u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let namespace = std::fs::File::open(self.file()).unwrap();
        let (stop, stopped) = oneshot::channel();
        std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = relay(listener, port) => {}
                    _ = stopped => {}
                }
            });
        });
        self.relays.push(stop);
    }

    /// Cuts the link, as if its cable were pulled out.
    pub(crate) fn cut(&self) {
        done(&ip(&["link", "set", &self.link, "down"]));
    }

    /// Repairs the link.
    pub(crate) fn mend(&self) {
        done(&ip(&["link", "set", &self.link, "up"]));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if !self.link.is_empty() {
            let _ = ip(&["link", "delete", &self.link]);
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Connects each client of the listener to a port of this thread's namespace.
async fn relay(listener: TcpListener, port: u16) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((mut client, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            // If the node is not up, the client sees a connection that ends at once.
            let Ok(mut node) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return };
            drop(tokio::io::copy_bidirectional(&mut client, &mut node).await);
        });
    }
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip").args(arguments).output().unwrap()
}

#[track_caller]
fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
