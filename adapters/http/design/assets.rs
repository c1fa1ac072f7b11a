//! The style sheet, the script and the icon of the pages. Their names contain a hash of their contents, so that browsers keep them
//! for long.

use std::io::Write;
use std::sync::OnceLock;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// A file of the pages.
pub(crate) struct Asset {
    name: &'static str,
    ending: &'static str,
    kind: &'static str,
    contents: &'static str,
    path: OnceLock<String>,
    gzipped: OnceLock<Option<Vec<u8>>>,
}

pub(crate) static STYLE: Asset =
    Asset::of("style", "css", "text/css; charset=utf-8", include_str!("assets/style.css"));
pub(crate) static SCRIPT: Asset =
    Asset::of("portal", "js", "text/javascript; charset=utf-8", include_str!("assets/portal.js"));
pub(crate) static ICON: Asset = Asset::of("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg"));

/// How long browsers keep a file whose name contains a hash of its contents: a year.
pub(super) const KEPT: &str = "public, max-age=31536000, immutable";

/// The path of a file, without the leading slash.
pub(super) fn hashed_path(name: &str, ending: &str, contents: &[u8]) -> String {
    let hash = Sha256::digest(contents);
    let hash = base16ct::lower::encode_string(hash.get(..8).unwrap_or_default());
    format!("assets/{name}-{hash}.{ending}")
}

impl Asset {
    const fn of(
        name: &'static str,
        ending: &'static str,
        kind: &'static str,
        contents: &'static str,
    ) -> Self {
        Self { name, ending, kind, contents, path: OnceLock::new(), gzipped: OnceLock::new() }
    }

    /// The path, without the leading slash.
    pub(crate) fn path(&self) -> String {
        let hashed = || hashed_path(self.name, self.ending, self.contents.as_bytes());
        self.path.get_or_init(hashed).clone()
    }

    /// Pages are not compressed: their length would tell of what is in them (BREACH, CVE-2013-3587). Assets have nothing to
    /// hide.
    fn answer(&'static self, cache: &'static str, asked: &HeaderMap) -> Response {
        let usual = [
            (header::CONTENT_TYPE, self.kind),
            (header::CACHE_CONTROL, cache),
            (header::VARY, "accept-encoding"),
        ];
        match self.gzipped.get_or_init(|| gzip(self.contents)) {
            Some(gzipped) if takes_gzip(asked) => {
                (usual, [(header::CONTENT_ENCODING, "gzip")], gzipped.as_slice()).into_response()
            }
            _ => (usual, self.contents).into_response(),
        }
    }
}

fn gzip(contents: &str) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(contents.as_bytes()).ok()?;
    encoder.finish().ok()
}

/// Whether a request accepts gzip (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(weight.trim().trim_end_matches('0'), "q=" | "q=0.");
        matches!(name.trim(), "gzip" | "x-gzip") && !refused
    })
}

/// The routes of the assets. Browsers ask for `/favicon.ico` where no page names an icon, as for a JSON answer.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut routes = Router::new()
        .route("/favicon.ico", get(|asked: HeaderMap| async move { ICON.answer("max-age=86400", &asked) }));
    for asset in [&STYLE, &SCRIPT, &ICON] {
        routes = routes.route(
            &format!("/{}", asset.path()),
            get(move |asked: HeaderMap| async move { asset.answer(KEPT, &asked) }),
        );
    }
    routes
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::body::to_bytes;
    use axum::http::HeaderValue;
    use flate2::read::GzDecoder;

    use super::*;

    #[tokio::test]
    async fn an_asset_is_compressed_for_whoever_accepts_that() {
        for (accepted, is_compressed) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.8", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("identity", false),
            ("", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            let answer = STYLE.answer(KEPT, &asked);
            assert_eq!(answer.headers().contains_key(header::CONTENT_ENCODING), is_compressed, "{accepted}");
            assert_eq!(answer.headers()[header::VARY], "accept-encoding");
            let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
            let mut text = String::new();
            match is_compressed {
                true => GzDecoder::new(&body[..]).read_to_string(&mut text).map(drop).unwrap(),
                false => text.push_str(std::str::from_utf8(&body).unwrap()),
            }
            assert_eq!(text, STYLE.contents);
        }
    }
}
