//! Reads whole bodies, up to a limit.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use hyper::body::Body as _;

use crate::responses::problem::Problem;

/// The largest body that is accepted, in bytes. An order with a thousand lines fits.
pub(crate) const MOST_BYTES: usize = 1024 * 1024;

/// Reads the whole body before the request is handled. So the moment of a command is when all of it has
/// arrived, not when its first byte came.
pub(crate) async fn buffered(request: Request) -> Result<Request, Problem> {
    if !is_plain(request.headers()) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-coding"));
    }
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(Request::from_parts(parts, body));
    }
    Ok(Request::from_parts(parts, whole(body).await?.into()))
}

/// Whether a body has no content coding. No coding is decoded here (RFC 9110, 8.4).
fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
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
