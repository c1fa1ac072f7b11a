//! The style sheet, the script and the icon of the pages. Their names contain a hash of their contents, so that browsers keep them
//! for long.

use std::sync::OnceLock;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

/// A file of the pages.
pub(crate) struct Asset {
    name: &'static str,
    ending: &'static str,
    kind: &'static str,
    contents: &'static str,
    path: OnceLock<String>,
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
        Self { name, ending, kind, contents, path: OnceLock::new() }
    }

    /// The path, without the leading slash.
    pub(crate) fn path(&self) -> String {
        let hashed = || hashed_path(self.name, self.ending, self.contents.as_bytes());
        self.path.get_or_init(hashed).clone()
    }

    fn answer(&self, cache: &'static str) -> Response {
        ([(header::CONTENT_TYPE, self.kind), (header::CACHE_CONTROL, cache)], self.contents).into_response()
    }
}

/// The routes of the assets. Browsers ask for `/favicon.ico` where no page names an icon, as for a JSON answer.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut routes = Router::new().route("/favicon.ico", get(|| async { ICON.answer("max-age=86400") }));
    for asset in [&STYLE, &SCRIPT, &ICON] {
        routes = routes.route(&format!("/{}", asset.path()), get(move || async move { asset.answer(KEPT) }));
    }
    routes
}
