//! A write timeout for connections. Without it, a client that reads nothing would keep its connection, and the
//! resources behind it, for ever.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_io_timeout::TimeoutStream;

/// Returns a stream that fails with `TimedOut` when the client has read nothing for `patience` although data waits.
pub(super) fn with_write_timeout<S: AsyncRead + AsyncWrite>(
    stream: S,
    patience: Duration,
) -> Pin<Box<TimeoutStream<S>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    Box::pin(stream)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    use super::*;
    use std::io;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_and_who_takes_slowly_is_not() {
        let (ours, mut theirs) = duplex(4);
        let mut ours = with_write_timeout(ours, PATIENCE);
        let slowly = async {
            for _ in 0..20 {
                sleep(PATIENCE.saturating_sub(Duration::from_secs(1))).await;
                theirs.read_u8().await.unwrap();
            }
            theirs
        };
        let (written, _theirs) = tokio::join!(ours.write_all(&[0; 24]), slowly);
        written.unwrap();
        let given_up = ours.write_all(b"more").await.unwrap_err();
        assert_eq!(given_up.kind(), io::ErrorKind::TimedOut);
    }
}
