//! Where a JSON Web Key Set is read from: an https URL or a file. No more than [`MAX_BYTES`] and [`TIMEOUT`].

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, StatusCode, Url};

/// The longest set. A key takes some hundred bytes, with its certificates some thousand.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// How long a reading may take in all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the keys are. `Display` shows no credentials.
#[derive(Clone)]
pub(super) enum Source {
    /// An https URL.
    Url(Client, Url),
    /// A file.
    File(PathBuf),
}

impl Source {
    /// What `auth_jwks` names.
    ///
    /// # Errors
    /// When it is a URL, but none of https.
    pub(super) fn new(from: &str) -> Result<Self, String> {
        match Url::parse(from) {
            Ok(url) if url.scheme() == "https" => {
                let client = client(TIMEOUT).https_only(true).build();
                Ok(Self::Url(client.map_err(|error| cause(&error.without_url()))?, url))
            }
            _ if from.contains("://") => Err("expected an https URL or a file".to_owned()),
            _ => Ok(Self::File(from.into())),
        }
    }

    /// Reads the text.
    ///
    /// # Errors
    /// In words for the operator, with no credentials in them.
    pub(super) async fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Url(client, url) => fetch(client, url).await,
            Self::File(path) => {
                let path = path.clone();
                tokio::task::spawn_blocking(move || read_file(&path)).await.map_err(|error| error.to_string())?
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_, url) => f.write_str(&shown(url.as_str())),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// What may be shown of `auth_jwks`: of a URL neither name and password nor the query, in which some put a key.
pub(in crate::auth) fn shown(from: &str) -> String {
    if !from.contains("://") {
        return from.to_owned();
    }
    Url::parse(from)
        .ok()
        .and_then(|url| Some(format!("{}{}", url.origin().ascii_serialization(), url.host_str().map(|_| url.path())?)))
        .unwrap_or_else(|| "a URL".to_owned())
}

/// A client that follows no redirects, which could lead from https to anywhere, and keeps no connection: what runs
/// it may be gone when the next reading is due.
pub(super) fn client(timeout: Duration) -> ClientBuilder {
    Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0)
}

/// Fetches the text of a URL. Anything but 200 is a failure.
///
/// # Errors
/// In words for the operator, without the URL.
pub(super) async fn fetch(client: &Client, url: &Url) -> Result<Vec<u8>, String> {
    let mut response = client.get(url.clone()).send().await.map_err(|error| cause(&error.without_url()))?;
    if response.status() != StatusCode::OK {
        return Err(format!("the answer has the status {}", response.status().as_u16()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error.without_url()))? {
        if text.len() + chunk.len() > MAX_BYTES {
            return Err(format!("the answer is longer than {MAX_BYTES} bytes"));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() > MAX_BYTES { Err(format!("it is longer than {MAX_BYTES} bytes")) } else { Ok(text) }
}

fn cause(error: &reqwest::Error) -> String {
    crate::error::chain(error)
}
