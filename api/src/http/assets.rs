//! The GraphiQL page and its files, out of the binary.
//!
//! The files were built once and are kept compressed; see `web/graphiql`. The page makes no request to any
//! other host, and its Content-Security-Policy lets it make none.

use std::io::Read;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "assets/graphiql"]
struct Files;

const POLICY: &str = include_str!("../../../web/graphiql/csp.txt");

/// The page.
pub async fn index(http: HttpRequest) -> HttpResponse {
    file(&http, "index.html", "no-cache")
}

/// A file of the page. Its name carries a hash of what is in it, so it never changes.
pub async fn asset(http: HttpRequest, name: Path<String>) -> HttpResponse {
    file(&http, &format!("assets/{name}"), "public, max-age=31536000, immutable")
}

fn file(http: &HttpRequest, name: &str, cache: &'static str) -> HttpResponse {
    let Some(file) = Files::get(&format!("{name}.gz")) else {
        return HttpResponse::NotFound().body("no such file");
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, content_type(name)))
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.trim()))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if accepts_gzip(http) {
        return response
            .insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")))
            .body(file.data.into_owned());
    }
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(file.data.as_ref()).read_to_end(&mut plain) {
        Ok(_) => response.body(plain),
        Err(error) => {
            tracing::error!(name, cause = %error, "an embedded file cannot be unpacked");
            HttpResponse::InternalServerError().finish()
        }
    }
}

fn accepts_gzip(http: &HttpRequest) -> bool {
    let value = http.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let refused = |part: &str| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        named && !parts.any(refused)
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
