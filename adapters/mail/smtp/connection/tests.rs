//! Conversations with a server that follows a test's script, with a simulated clock.

use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt, DuplexStream};
use tokio::task::JoinHandle;

use super::super::tls;
use super::*;

/// What a server does instead of the usual reply to a command with this beginning. "" stands for the
/// greeting, "." for the end of a message.
#[derive(Clone, Copy)]
enum Act {
    /// Replies with this.
    Say(&'static [u8]),
    /// Waits for this number of seconds, then replies with this.
    After(u64, &'static [u8]),
    /// Closes without a reply.
    Close,
    /// Replies with this, then closes.
    SayAndClose(&'static [u8]),
}

/// A server that behaves differently at these commands. Returns what it was sent.
fn server(mut line: DuplexStream, acts: &'static [(&'static str, Act)]) -> JoinHandle<String> {
    tokio::spawn(async move {
        let (mut heard, mut command) = (String::new(), String::new());
        loop {
            let act = acts.iter().find(|(at, _)| match *at {
                "" => heard.is_empty(),
                at => command.starts_with(at),
            });
            let usual: &[u8] = match command.get(..4) {
                None if heard.is_empty() => b"220 mail.example ESMTP\r\n",
                Some("EHLO") => b"250-mail.example\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN\r\n",
                Some("AUTH") => b"235 2.7.0 in\r\n",
                Some("DATA") => b"354 go on\r\n",
                _ => b"250 2.0.0 ok\r\n",
            };
            let (seconds, said, closes) = match act.map(|(_, act)| *act) {
                None => (0, usual, false),
                Some(Act::Say(said)) => (0, said, false),
                Some(Act::After(seconds, said)) => (seconds, said, false),
                Some(Act::Close) => (0, &b""[..], true),
                Some(Act::SayAndClose(said)) => (0, said, true),
            };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            if line.write_all(said).await.is_err() || closes {
                return heard;
            }
            let in_message = command.starts_with("DATA") && said.starts_with(b"354");
            let mut reader = BufReader::new(&mut line);
            loop {
                command.clear();
                if reader.read_line(&mut command).await.unwrap_or(0) == 0 {
                    return heard;
                }
                heard.push_str(&command);
                if !in_message || command == ".\r\n" {
                    break;
                }
            }
        }
    })
}

fn peer(security: Security) -> Peer {
    Peer {
        host: "mail.example".to_owned(),
        port: 25,
        security,
        tls: tls::config(None).unwrap(),
        name: ServerName::try_from("mail.example").unwrap(),
        credentials: Some(("loquet".to_owned(), "s3cret".to_owned())),
        hello: ClientId::Domain("portal.example".to_owned()),
    }
}

fn parcel(to: &str) -> Parcel {
    let (from, to) = ("no-reply@portal.example".parse().unwrap(), to.parse().unwrap());
    Parcel { from, to, message: b"Subject: x\r\n\r\n.hidden dot\r\nend".to_vec() }
}

const PATIENCE: Patience = Patience { command: Duration::from_secs(30), end: Duration::from_mins(10) };

/// Sends one mail. Returns the verdict in the form that the journal stores, "" if there is none, and what the
/// server was sent.
async fn hand_over(security: Security, to: &str, acts: &'static [(&'static str, Act)]) -> (String, String) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let server = server(theirs, acts);
    let ended = async {
        let mut connection = Connection::begin(Box::new(ours), &peer(security), PATIENCE).await?;
        connection.deliver(&parcel(to)).await
    };
    let verdict = ended.await.err().map(|verdict| verdict.stored());
    (verdict.unwrap_or_default(), server.await.unwrap())
}

const MARIE: &str = "marie@example.be";

/// What a server does at which command, and the expected verdict. `None` if the mail is accepted.
const TABLE: &[(&[(&str, Act)], &str)] = &[
    (&[], ""),
    // The code decides, not the text.
    (&[(".", Act::Say(b"250 2.0.0 message re\xe7u\r\n"))], ""),
    (&[("", Act::Say(b"220 \xc9lys\xe9e\r\n")), ("RCPT", Act::Say(b"250 d'accord, \xe7a va\r\n"))], ""),
    (&[("", Act::Say(b"220\r\n")), ("MAIL", Act::Say(b"250\r\n")), (".", Act::Say(b"250\n"))], ""),
    (&[("MAIL", Act::Say(b"250 \r\n")), ("DATA", Act::Say(b"354\r\n")), (".", Act::Say(b"250 \r\n"))], ""),
    (&[("RCPT", Act::Say(b"252-2.1.5 one\r\n252 2.1.5 two\r\n"))], ""),
    (&[("RCPT", Act::Say(b"550 5.1.1 bo\xeete inconnue\r\n"))], "recipient 550 5.1.1"),
    (&[("RCPT", Act::Say(b"550\r\n"))], "recipient 550"),
    (&[("RCPT", Act::Say(b"550-5.7.1 one\r\n550 5.7.1 two\r\n"))], "recipient 550 5.7.1"),
    (
        &[
            ("EHLO", Act::Say(b"250-\xe9\r\n250 auth login\r\n")),
            ("AUTH", Act::Say(b"334 \xe9\r\n")),
            ("bG9xdWV0", Act::Say(b"334\r\n")),
            ("czNjcmV0", Act::Say(b"235\r\n")),
        ],
        "",
    ),
    // Each stage gives a different verdict.
    (&[("", Act::Say(b"554 5.7.1 no service\r\n"))], "greeting 554 5.7.1"),
    (&[("", Act::Say(b"SSH-2.0-OpenSSH\r\n"))], "greeting not-smtp"),
    (&[("", Act::Close)], "greeting broken"),
    (&[("", Act::After(31, b"220 late\r\n"))], "greeting too-long"),
    (&[("", Act::After(29, b"220 just in time\r\n"))], ""),
    (&[("EHLO", Act::Say(b"504 5.5.2 your name\r\n"))], "hello 504 5.5.2"),
    (&[("AUTH", Act::Say(b"535 5.7.8 no\r\n"))], "login 535 5.7.8"),
    (&[("EHLO", Act::Say(b"250-x\r\n250 AUTH GSSAPI\r\n"))], "login not-offered"),
    (&[("MAIL", Act::Say(b"553 5.7.1 not yours\r\n"))], "sender 553 5.7.1"),
    (&[("MAIL", Act::After(31, b"250 late\r\n"))], "sender too-long"),
    (&[("RCPT", Act::Say(b"451 4.7.1 greylisted\r\n"))], "recipient 451 4.7.1"),
    (&[("RCPT", Act::SayAndClose(b"421 4.3.2 closing\r\n"))], "recipient 421 4.3.2"),
    (&[("RCPT", Act::Close)], "recipient broken"),
    (&[("DATA", Act::Say(b"503 5.5.1 no\r\n"))], "data 503 5.5.1"),
    (&[("DATA", Act::Say(b"250 not a go\r\n"))], "data not-smtp"),
    (&[(".", Act::Say(b"550 5.4.5 quota\r\n"))], "end 550 5.4.5"),
    (&[(".", Act::Say(b"354 again?\r\n"))], "end not-smtp"),
    // The reply to the whole message may take ten minutes. Its code decides even if the rest never comes.
    (&[(".", Act::After(599, b"250 2.0.0 at last\r\n"))], ""),
    (&[(".", Act::After(601, b"250 2.0.0 too late\r\n"))], "end too-long"),
    (&[(".", Act::Close)], "end broken"),
    (&[(".", Act::SayAndClose(b"250-2.0.0 taken\r\n"))], ""),
    (&[(".", Act::SayAndClose(b"554 5.6.0"))], "end 554 5.6.0"),
    (&[("MAIL", Act::SayAndClose(b"250-half\r\n"))], "sender not-smtp"),
    // A reply that came before its command answers nothing.
    (&[("RCPT", Act::Say(b"250 ok\r\n250 2.0.0 taken, trust me\r\n"))], "data not-smtp"),
    (&[("MAIL", Act::Say(b"250 ok\r\n421 4.3.2 closing\r\n"))], "recipient 421 4.3.2"),
];

#[tokio::test(start_paused = true)]
async fn the_stage_and_the_code_of_what_a_server_says_are_known_whatever_its_text() {
    for (acts, expected) in TABLE {
        let (verdict, heard) = hand_over(Security::None, MARIE, acts).await;
        assert_eq!(verdict, *expected, "{heard}");
        let taken = heard.ends_with("\r\n..hidden dot\r\nend\r\n.\r\n");
        assert!(taken || !expected.is_empty(), "the message is sent to its end: {heard}");
    }
}

#[tokio::test(start_paused = true)]
async fn text_without_end_is_not_read_without_end() {
    static LONG: [u8; 10_000] = [b'x'; 10_000];
    for (at, before, expected) in [
        ("RCPT", &b"550 5.1.1 "[..], "recipient 550 5.1.1"),
        (".", b"250 2.0.0 ", ""),
        ("MAIL", b"250 2.0.0 ", "sender not-smtp"),
    ] {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let endless = tokio::spawn(async move {
            let mut sent = 0_u64;
            let mut reader = BufReader::new(&mut theirs);
            let (mut command, mut in_message) = (String::new(), false);
            reader.get_mut().write_all(b"220 x\r\n").await.unwrap();
            loop {
                command.clear();
                if reader.read_line(&mut command).await.unwrap_or(0) == 0 {
                    return sent;
                }
                if in_message && command != ".\r\n" {
                    continue;
                }
                if command.starts_with(at) {
                    reader.get_mut().write_all(before).await.unwrap();
                    while reader.get_mut().write_all(&LONG).await.is_ok() {
                        sent += 10_000;
                    }
                    return sent;
                }
                in_message = command.starts_with("DATA");
                let said: &[u8] = if in_message { b"354\r\n" } else { b"250\r\n" };
                reader.get_mut().write_all(said).await.unwrap();
            }
        });
        let without_login = Peer { credentials: None, ..peer(Security::None) };
        let mut connection = Connection::begin(Box::new(ours), &without_login, PATIENCE).await.unwrap();
        let verdict = connection.deliver(&parcel(MARIE)).await.err().map(|verdict| verdict.stored());
        assert_eq!(verdict.unwrap_or_default(), expected);
        assert!(!connection.is_usable(), "what follows is no reply");
        drop(connection);
        assert!(endless.await.unwrap() < 1_000_000, "so much was read of one reply");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_in_the_clear_where_tls_is_asked_for() {
    const STRIPPED: &[(&str, Act)] = &[];
    const INJECTED: &[(&str, Act)] = &[
        ("EHLO", Act::Say(b"250-mail.example\r\n250 STARTTLS\r\n")),
        ("STARTTLS", Act::Say(b"220 go\r\n250-mail.example\r\n250 AUTH PLAIN\r\n")),
    ];
    const REFUSED: &[(&str, Act)] = &[
        ("EHLO", Act::Say(b"250-mail.example\r\n250 StartTLS\r\n")),
        ("STARTTLS", Act::Say(b"454 4.7.0 not now\r\n")),
    ];
    for (acts, expected) in [
        (STRIPPED, "starttls not-offered"),
        (INJECTED, "starttls not-private"),
        (REFUSED, "starttls 454 4.7.0"),
    ] {
        let (verdict, heard) = hand_over(Security::StartTls, MARIE, acts).await;
        assert_eq!(verdict, expected);
        assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_outside_ascii_is_that_mails_trouble_and_asks_for_smtputf8_alone_where_it_is_offered() {
    const UTF8: &[(&str, Act)] = &[("EHLO", Act::Say(b"250-x\r\n250-SMTPUTF8\r\n250 AUTH PLAIN\r\n"))];
    let (verdict, heard) = hand_over(Security::None, "andré@example.be", &[]).await;
    assert_eq!((verdict.as_str(), heard.contains("MAIL")), ("recipient ascii-only", false));
    let (verdict, heard) = hand_over(Security::None, "andré@example.be", UTF8).await;
    assert!(verdict.is_empty() && heard.contains("portal.example> SMTPUTF8\r\n"), "{verdict} {heard}");
    let (verdict, heard) = hand_over(Security::None, MARIE, UTF8).await;
    assert!(verdict.is_empty() && heard.contains("MAIL FROM:<no-reply@portal.example>\r\n"), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_connection_serves_the_next_mail() {
    const ONE_REFUSED: &[(&str, Act)] = &[("RCPT TO:<nobody", Act::Say(b"550 5.1.1 no\r\n"))];
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let server = server(theirs, ONE_REFUSED);
    let mut connection = Connection::begin(Box::new(ours), &peer(Security::None), PATIENCE).await.unwrap();
    let refused = connection.deliver(&parcel("nobody@example.be")).await.unwrap_err();
    assert_eq!(refused.stored(), "recipient 550 5.1.1");
    assert!(connection.reset().await);
    for _ in 0..2 {
        connection.deliver(&parcel(MARIE)).await.unwrap();
        assert!(connection.is_usable());
    }
    connection.quit().await;
    let heard = server.await.unwrap();
    assert_eq!((heard.matches("EHLO").count(), heard.matches("DATA").count()), (1, 2));
    assert!(heard.contains("RSET\r\n") && heard.ends_with("QUIT\r\n"));
}

#[test]
fn what_a_server_offers_is_read_in_any_case_and_the_old_way_of_saying_auth_too() {
    let reply = |text: &[&str]| Reply {
        code: 250,
        enhanced: None,
        lines: text.iter().map(|line| (*line).to_owned()).collect(),
        whole: true,
    };
    let offers = Offers::of(&reply(&["starttls.example", "SIZE 1", "starttls", "8bitmime", "Auth=login"]));
    assert_eq!(offers, Offers { starttls: true, eight_bits: true, login: true, ..Offers::default() });
    let offers = Offers::of(&reply(&["mail", "SMTPUTF8", "AUTH CRAM-MD5 PLAIN"]));
    assert_eq!(offers, Offers { utf8: true, plain: true, ..Offers::default() });
    assert_eq!(Offers::of(&reply(&[])), Offers::default());
}

proptest! {
    /// No line that is sent is a single dot, and every line ends with CRLF, whatever the message holds.
    /// Removing the doubled dots gives the message again.
    #[test]
    fn nothing_in_a_message_ends_it(message in "[a.\r\n]{0,40}") {
        let sent = String::from_utf8(transparent(message.as_bytes())).unwrap();
        let lines: Vec<&str> = sent.split("\r\n").collect();
        prop_assert!(lines.iter().all(|line| *line != "." && !line.contains(['\r', '\n'])));
        prop_assert_eq!(lines.last(), Some(&""));
        let taken: Vec<&str> = lines.iter().map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
        let expected = message.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        let taken = taken.join("\r\n");
        prop_assert_eq!(taken.trim_end_matches("\r\n"), expected.trim_end_matches("\r\n"));
    }
}
