//! A mail server's reply (RFC 5321, 4.2). Its code decides. Its text may be Latin-1, empty, long, or missing.

use loquet_projections::mail::{Enhanced, Missing};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The most bytes of a reply that are read. The code is known long before. After a longer reply, the
/// connection can't be used.
const LONGEST_REPLY: usize = 256 * 1024;
/// The number of bytes of a line that are kept: enough for codes, or a capability. The rest is skipped.
const KEPT_OF_A_LINE: usize = 512;
/// The number of lines that are kept. No server has that many capabilities.
const KEPT_LINES: usize = 128;

/// A reply, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The code: 200 to 599.
    pub(super) code: u16,
    /// The enhanced status code (RFC 2034) of the first line that has one.
    pub(super) enhanced: Option<Enhanced>,
    /// The beginning of each line's text. It is searched for capabilities and never stored.
    pub(super) lines: Vec<String>,
    /// Whether the reply was read to its end. If so, the next bytes belong to another reply.
    pub(super) whole: bool,
}

impl Reply {
    /// Returns whether the code begins with this digit.
    pub(super) fn is(&self, digit: u16) -> bool {
        self.code / 100 == digit
    }

    /// Adds one more line. If lines have different codes, the last one decides.
    fn add(reply: Option<Self>, line: Line) -> Self {
        let mut reply = reply.unwrap_or(Self { code: 0, enhanced: None, lines: Vec::new(), whole: false });
        reply.code = line.code;
        reply.enhanced = reply.enhanced.or_else(|| enhanced(&line.text));
        if reply.lines.len() < KEPT_LINES {
            reply.lines.push(line.text);
        }
        reply
    }
}

/// One line of a reply.
struct Line {
    code: u16,
    text: String,
    last: bool,
}

/// Reads a reply. `reply` holds what was read so far, also when reading is interrupted. Its code holds for the whole
/// reply, since every line has the same code.
///
/// # Errors
/// [`Missing::Broken`] if the connection ended before a code came, [`Missing::NotSmtp`] if something else came.
pub(super) async fn read<R>(reader: &mut R, reply: &mut Option<Reply>) -> Result<(), Missing>
where
    R: AsyncBufRead + Unpin,
{
    let mut room = LONGEST_REPLY;
    loop {
        let (bytes, ended) = read_line(reader, &mut room).await;
        match parse(&bytes) {
            Some(line) => {
                let last = line.last;
                let mut longer = Reply::add(reply.take(), line);
                longer.whole = last && ended;
                let whole = longer.whole;
                *reply = Some(longer);
                if whole {
                    return Ok(());
                }
            }
            None if reply.is_none() && bytes.is_empty() && !ended => return Err(Missing::Broken),
            None if reply.is_none() => return Err(Missing::NotSmtp),
            // A line of text that the server broke without repeating the code.
            None => {}
        }
        if !ended {
            return Ok(());
        }
    }
}

/// Reads the beginning of a line. Returns it, and whether the line's end was read. The end is not read if the
/// connection ends, or if the limit of bytes is reached.
async fn read_line<R: AsyncBufRead + Unpin>(reader: &mut R, room: &mut usize) -> (Vec<u8>, bool) {
    let mut kept = Vec::new();
    while *room > 0 {
        let Ok(chunk) = reader.fill_buf().await else { break };
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(chunk.len(), |end| end + 1);
        let text = chunk.get(..end.unwrap_or(used)).unwrap_or_default();
        kept.extend(text.iter().take(KEPT_OF_A_LINE.saturating_sub(kept.len())));
        reader.consume(used);
        *room = room.saturating_sub(used);
        if end.is_some() {
            return (kept, true);
        }
    }
    (kept, false)
}

/// Parses `250-text`, `250 text` and `250` alone.
fn parse(line: &[u8]) -> Option<Line> {
    let (code, rest) = (line.get(..3)?, line.get(3..)?);
    let code: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    let follows = rest.first().copied();
    if !(200..600).contains(&code) || follows.is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default()).trim().to_owned();
    Some(Line { code, text, last: follows != Some(b'-') })
}

fn enhanced(text: &str) -> Option<Enhanced> {
    Enhanced::parse(text.split_whitespace().next()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn read_all(bytes: &[u8]) -> Result<Reply, Missing> {
        let (mut reader, mut reply) = (bytes, None);
        read(&mut reader, &mut reply).await?;
        Ok(reply.unwrap())
    }

    #[tokio::test]
    async fn the_code_decides_whatever_the_text_is() {
        let long = format!("250 {}\r\n", "x".repeat(10_000));
        let lines = format!("{}250 2.0.0 end\r\n", "250-2.0.0 line\r\n".repeat(1_000));
        let endless = "250-line\r\n".repeat(100_000);
        let huge = format!("550 5.1.1 {}", "x".repeat(3_000_000));
        let table: &[(&[u8], u16, Option<&str>, bool)] = &[
            (b"250 2.0.0 message re\xe7u\r\n", 250, Some("2.0.0"), true),
            (b"550 5.1.1 \xfc\xff\x00\r\n", 550, Some("5.1.1"), true),
            (b"250\r\n", 250, None, true),
            (b"250 \r\n", 250, None, true),
            (b"250\n", 250, None, true),
            (b"250\t2.1.0 tab\r\n", 250, Some("2.1.0"), true),
            (b"250-2.1.0 one\r\n250 2.1.0 two\r\n", 250, Some("2.1.0"), true),
            (b"250-\r\n250\r\n", 250, None, true),
            (b"550-no\r\nwithout a code\r\n550 5.7.1 no\r\n", 550, Some("5.7.1"), true),
            (b"250-yes\r\n554 no\r\n", 554, None, true),
            (b"452 4.2.2", 452, Some("4.2.2"), false),
            (b"250-2.0.0 taken\r\n", 250, Some("2.0.0"), false),
            (long.as_bytes(), 250, None, true),
            (lines.as_bytes(), 250, Some("2.0.0"), true),
            (endless.as_bytes(), 250, None, false),
            (huge.as_bytes(), 550, Some("5.1.1"), false),
        ];
        for (bytes, code, enhanced, whole) in table {
            let shown = String::from_utf8_lossy(bytes.get(..bytes.len().min(40)).unwrap());
            let reply = read_all(bytes).await.unwrap();
            let found = reply.enhanced.map(|enhanced| enhanced.to_string());
            assert_eq!((reply.code, found.as_deref(), reply.whole), (*code, *enhanced, *whole), "{shown}");
            assert!(reply.lines.len() <= KEPT_LINES && reply.lines.iter().all(|line| line.len() < 2_000));
        }
    }

    #[tokio::test]
    async fn what_is_no_reply_is_told_from_a_connection_that_ended() {
        assert_eq!(read_all(b"").await, Err(Missing::Broken));
        for bytes in
            [&b"\r\n"[..], b"hello\r\n", b"25\r\n", b"2500 x\r\n", b"150 x\r\n", b"\xff\xfe", b"+50 x\r\n"]
        {
            assert_eq!(read_all(bytes).await, Err(Missing::NotSmtp), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[tokio::test]
    async fn what_follows_a_reply_is_left_for_the_next() {
        let (mut reader, mut first, mut second) = (&b"250 one\r\n354 two\r\n"[..], None, None);
        read(&mut reader, &mut first).await.unwrap();
        read(&mut reader, &mut second).await.unwrap();
        assert_eq!((first.unwrap().code, second.unwrap().code), (250, 354));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_fail_otherwise_than_it_says(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(reply) = runtime.block_on(read_all(&bytes)) {
                prop_assert!((200..600).contains(&reply.code));
            }
        }
    }
}
