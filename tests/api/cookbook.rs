//! Every request in `docs/api.md` is sent, in order, and its answer compared with the one that is printed.
//!
//! A request stands in a fenced block, its answer in the next one:
//!
//! - `graphql`, perhaps `json variables`, then `json answer`: posted as JSON; the whole body is compared.
//! - `http request`, then `http answer`: sent as it stands; the status, the headers that are printed and the body
//!   are compared. A body that is a stream is compared as far as it is printed.
//! - `websocket`: lines with `>` are sent, lines with `<` must come.
//!
//! What a request makes has another id each time. The ids of an answer stand for those that are printed in the same
//! places, from there on in questions and answers alike.
//!
//! `<!-- server: NAME -->` says which server is asked from there on; see [`Servers`]. With `UPDATE_COOKBOOK=1` the
//! answers are written into the file instead; look at the difference before it is committed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dermaga_tests::{Backend, TestApp, each_database};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, http::HeaderValue};

/// The documents that the server `trusted` runs.
const TRUSTED: &str = "{\"ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38\": \"{__typename}\"}";

/// A piece of the page: prose, or a fenced block.
enum Piece {
    Prose(String),
    Block { kind: String, text: String },
}

fn read(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut open: Option<String> = None;
    let mut text = String::new();
    for line in page.lines() {
        match (&open, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                pieces.push(Piece::Prose(std::mem::take(&mut text)));
                open = Some(kind.to_owned());
            }
            (Some(_), Some(_)) => {
                let kind = open.take().unwrap();
                pieces.push(Piece::Block { kind, text: std::mem::take(&mut text) });
            }
            _ => writeln!(text, "{line}").unwrap(),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    pieces.push(Piece::Prose(text));
    pieces
}

fn write(pieces: &[Piece]) -> String {
    let mut page = String::new();
    for piece in pieces {
        match piece {
            Piece::Prose(text) => page.push_str(text),
            Piece::Block { kind, text } => write!(page, "```{kind}\n{text}```\n").unwrap(),
        }
    }
    page
}

/// Which ids of this run stand for which printed ones.
#[derive(Default)]
struct Ids {
    printed: HashMap<String, String>,
    real: HashMap<String, String>,
}

impl Ids {
    /// A question with the ids of this run.
    fn ask(&self, question: &str) -> String {
        replace_ids(question, |id| self.real.get(id).cloned())
    }

    /// An answer with the printed ids. One that is new here stands for the one in its place on the page.
    fn show(&mut self, answer: &str, page: &str) -> String {
        let mut on_page = ids_in(page).into_iter();
        for id in ids_in(answer) {
            let place = on_page.next();
            if let Some(place) = place.filter(|place| !self.printed.contains_key(&id) && !self.real.contains_key(place))
            {
                self.printed.insert(id.clone(), place.clone());
                self.real.insert(place, id);
            }
        }
        replace_ids(answer, |id| self.printed.get(id).cloned())
    }
}

/// The ids in a text, in order: `pay_` or the like, and 32 hexadecimal digits.
fn ids_in(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    replace_ids(text, |id| {
        ids.push(id.to_owned());
        None
    });
    ids
}

/// The text with other ids where `other` has one.
fn replace_ids(text: &str, mut other: impl FnMut(&str) -> Option<String>) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('_') {
        let id = (at >= 3).then(|| rest.get(at - 3..at + 33)).flatten();
        let id = id.filter(|id| {
            ["pay_", "ins_", "rec_", "ref_"].contains(&&id[..4])
                && id[4..].bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        let end = if let Some(id) = id {
            replaced.push_str(&rest[..at - 3]);
            replaced.push_str(&other(id).unwrap_or_else(|| id.to_owned()));
            at + 33
        } else {
            replaced.push_str(&rest[..=at]);
            at + 1
        };
        rest = &rest[end..];
    }
    replaced + rest
}

/// The servers that the page talks to, started when they are first needed.
struct Servers {
    backend: Backend,
    running: HashMap<String, TestApp>,
    manifest: NamedTempFile,
}

impl Servers {
    async fn get(&mut self, name: &str) -> &TestApp {
        if !self.running.contains_key(name) {
            let builder = TestApp::builder(self.backend);
            let builder = match name {
                "local" => builder.settings(|settings| settings.demo_ticker = Some("1".to_owned())),
                "books" => builder,
                "small" => builder.settings(|settings| settings.max_cost = Some("100".to_owned())),
                "quota" => builder.settings(|settings| settings.quota_cost = Some("100".to_owned())),
                "trusted" => {
                    let path = self.manifest.path().to_str().unwrap().to_owned();
                    builder.settings(|settings| settings.trusted_documents = Some(path))
                }
                "signed-in" => {
                    builder.signed_in().settings(|settings| settings.introspection = Some("false".to_owned()))
                }
                other => panic!("no server is called {other}"),
            };
            let app = builder.spawn().await.with_demo_payments(1_000).await;
            self.running.insert(name.to_owned(), app);
        }
        &self.running[name]
    }
}

/// What is printed as the answer, made from what was answered.
async fn post(app: &TestApp, query: &str, variables: Option<&str>) -> String {
    let mut body = json!({"query": query});
    if let Some(text) = variables {
        body["variables"] = serde_json::from_str(text).unwrap();
    }
    let response = app.client().post(format!("{}/graphql", app.address)).json(&body).send().await.unwrap();
    pretty(&response.text().await.unwrap())
}

/// JSON over several lines, its keys in the order in which they came; any other text as it is.
fn pretty(text: &str) -> String {
    if serde_json::from_str::<Value>(text).is_err() {
        return text.to_owned();
    }
    let (mut shown, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    for letter in text.chars() {
        if quoted {
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            shown.push(letter);
            continue;
        }
        let line = |depth: usize| format!("\n{}", "  ".repeat(depth));
        match letter {
            '{' | '[' => {
                depth += 1;
                shown.push(letter);
                shown.push_str(&line(depth));
            }
            '}' | ']' => {
                depth -= 1;
                // Nothing was between the two.
                if shown.trim_end().ends_with(['{', '[']) {
                    shown.truncate(shown.trim_end().len());
                } else {
                    shown.push_str(&line(depth));
                }
                shown.push(letter);
            }
            ',' => {
                shown.push(letter);
                shown.push_str(&line(depth));
            }
            ':' => shown.push_str(": "),
            letter if letter.is_whitespace() => {}
            letter => {
                quoted = letter == '"';
                shown.push(letter);
            }
        }
    }
    shown.push('\n');
    shown
}

/// Sends a request as it is printed. `shown` says which headers of the answer are wanted and how much of a stream.
async fn send(app: &TestApp, request: &str, shown: &str) -> String {
    let (head, body) = request.split_once("\n\n").unwrap_or((request.trim_end(), ""));
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut sent = app.client().request(method.parse().unwrap(), format!("{}{target}", app.address));
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let value = value.replace("TOKEN", app.token().role("CLERK").bearer().trim_start_matches("Bearer "));
        sent = sent.header(name, value);
    }
    let mut response = sent.body(body.trim_end().to_owned()).send().await.unwrap();
    let mut answer = format!("{}\n", response.status());
    let (shown_head, shown_body) = shown.split_once("\n\n").unwrap_or((shown.trim_end(), ""));
    for line in shown_head.lines().skip(1) {
        let name = line.split(':').next().unwrap();
        let value = response.headers().get(name).map_or("(missing)", |value| value.to_str().unwrap());
        writeln!(answer, "{name}: {value}").unwrap();
    }
    let is_stream = response.headers().get("content-type").is_some_and(|media| {
        let media = media.to_str().unwrap();
        media.starts_with("text/event-stream") || media.starts_with("multipart/mixed")
    });
    let mut body = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        body.push_str(&String::from_utf8_lossy(&chunk).replace("\r\n", "\n"));
        if is_stream && body.trim_end().len() >= shown_body.trim_end().len() {
            break;
        }
    }
    if is_stream {
        body.truncate(shown_body.trim_end().len().min(body.len()));
        body.push('\n');
    }
    if !body.is_empty() {
        write!(answer, "\n{}", pretty(&body)).unwrap();
    }
    answer
}

/// Plays a conversation: what is sent stays as it is printed, what came takes the place of what is printed.
async fn converse(app: &TestApp, conversation: &str) -> String {
    let mut request = format!("{}/graphql", app.address.replace("http", "ws")).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let mut played = String::new();
    for line in conversation.lines() {
        if let Some(message) = line.strip_prefix("> ") {
            socket.send(Message::text(message)).await.unwrap();
            writeln!(played, "> {message}").unwrap();
        } else {
            let message = socket.next().await.unwrap().unwrap();
            writeln!(played, "< {}", message.to_text().unwrap()).unwrap();
        }
    }
    played
}

/// Sends every request of the page and puts the answers that came in the place of the printed ones.
async fn play(pieces: &mut [Piece], servers: &mut Servers) -> usize {
    let mut server = "local".to_owned();
    let mut played = 0;
    let mut question: Option<(String, String)> = None;
    let mut variables: Option<String> = None;
    let mut ids = Ids::default();
    for piece in pieces {
        match piece {
            Piece::Prose(text) => {
                if let Some((_, rest)) = text.rsplit_once("<!-- server: ") {
                    rest.split(" -->").next().unwrap().clone_into(&mut server);
                }
            }
            Piece::Block { kind, text } => {
                let app = servers.get(&server).await;
                match kind.as_str() {
                    "graphql" | "http request" => question = Some((kind.clone(), ids.ask(text))),
                    "json variables" => variables = Some(ids.ask(text)),
                    "json answer" => {
                        let (_, query) = question.take().expect("an answer stands behind its request");
                        let answer = post(app, &query, variables.take().as_deref()).await;
                        *text = ids.show(&answer, text);
                        played += 1;
                    }
                    "http answer" => {
                        let (_, request) = question.take().expect("an answer stands behind its request");
                        let answer = send(app, &request, text).await;
                        *text = ids.show(&answer, text);
                        played += 1;
                    }
                    "websocket" => {
                        let played_now = converse(app, &ids.ask(text)).await;
                        *text = ids.show(&played_now, text);
                        played += 1;
                    }
                    _ => {}
                }
                let waits = kind == "graphql" || kind == "http request" || kind == "json variables";
                assert!(waits || question.is_none(), "a request without an answer before:\n{text}");
            }
        }
    }
    played
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md")
}

each_database! {
    /// A cookbook whose recipes do not work is worse than none.
    async fn every_request_answers_as_printed(backend: Backend) {
        let printed = std::fs::read_to_string(page()).unwrap();
        let mut pieces = read(&printed);
        let manifest = NamedTempFile::new().unwrap();
        std::fs::write(manifest.path(), TRUSTED).unwrap();
        let mut servers = Servers { backend, running: HashMap::new(), manifest };
        let played = play(&mut pieces, &mut servers).await;
        assert!(played >= 20, "only {played} requests were found");
        let answered = write(&pieces);
        if std::env::var_os("UPDATE_COOKBOOK").is_some() {
            std::fs::write(page(), answered).unwrap();
            return;
        }
        for (line, (printed, answered)) in printed.lines().zip(answered.lines()).enumerate() {
            assert_eq!(printed, answered, "docs/api.md, line {}", line + 1);
        }
        assert_eq!(printed, answered);
    }
}
