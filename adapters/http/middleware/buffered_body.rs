//! Reads whole bodies, up to a limit.

use axum::extract::Request;
use axum::http::StatusCode;
use futures_util::StreamExt;
use hyper::body::Body as _;

use crate::responses::problem::Problem;

/// The largest body that is accepted, in bytes. An order with a thousand lines fits.
pub(crate) const MOST_BYTES: usize = 1024 * 1024;

/// Reads the whole body before the request is handled. So the moment of a command is when all of it has
/// arrived, not when its first byte came.
pub(crate) async fn buffered(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(Request::from_parts(parts, body));
    }
    Ok(Request::from_parts(parts, whole(body).await?.into()))
}

/// Returns the whole body. If it is too large, reads on for a while and discards what it reads, because a
/// client that is still sending when the connection closes never sees the answer.
async fn whole(body: axum::body::Body) -> Result<Vec<u8>, Problem> {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "malformed-request"))?;
        length = length.saturating_add(chunk.len());
        if length <= MOST_BYTES {
            bytes.extend_from_slice(&chunk);
        } else if length > MOST_BYTES * 8 {
            break;
        }
    }
    if length <= MOST_BYTES {
        Ok(bytes)
    } else {
        Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large"))
    }
}
