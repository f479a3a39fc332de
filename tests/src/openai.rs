//! A server with the API of OpenAI on a loopback address, which does as a test tells it.
//!
//! Its vectors are hashed bags of words, the same on every run, or those that a real model was recorded to make. Its
//! answers are composed from the sources that it is shown, between their marks, as an honest model would; a test may put
//! words of its own in its mouth.

use std::collections::{HashMap, VecDeque};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

/// Numbers of a vector, unless a test says otherwise.
pub const DIMENSION: usize = 256;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It takes this long.
    Slow(Duration),
    /// 429 with `Retry-After`, in seconds.
    Busy(u64),
    /// 500.
    Failed,
    /// 401, with words that no client may see.
    Refused,
    /// 429, and nothing is left to be spent.
    OutOfQuota,
    /// 200 with half of an object.
    BrokenJson,
    /// 200, and the connection ends before the body does.
    Truncated,
    /// A vector of another dimension.
    WrongDimension,
}

/// The server.
#[derive(Debug)]
pub struct OpenAi {
    /// Its address, such as `http://127.0.0.1:40123`.
    pub url: String,
    state: Arc<Mutex<State>>,
    handle: ServerHandle,
}

#[derive(Debug, Default)]
struct State {
    embeddings: usize,
    texts: usize,
    chats: usize,
    embedding_faults: VecDeque<Fault>,
    chat_faults: VecDeque<Fault>,
    /// What it says next, in place of what an honest model would.
    says: VecDeque<String>,
    /// The messages that it was sent, one text for each call.
    asked: Vec<String>,
    authorizations: Vec<String>,
    /// Under which path it is, such as `v1`.
    path: &'static str,
    /// Numbers of a vector.
    dimension: usize,
    /// Texts that were asked for and not recorded.
    unknown: usize,
    /// What a real model made, by the hash of the text, in place of vectors of its own.
    recorded: Option<HashMap<String, Vec<f32>>>,
}

impl OpenAi {
    /// Starts one whose API is below `/v1`.
    pub fn start() -> Self {
        Self::start_below("v1")
    }

    /// Starts one whose API is below a path.
    pub fn start_below(path: &'static str) -> Self {
        Self::start_at(TcpListener::bind("127.0.0.1:0").unwrap(), path, DIMENSION)
    }

    /// Starts one whose vectors are those that `tests/models/minilm.py` has recorded. It knows no others.
    pub fn start_recorded() -> Self {
        let server = Self::start();
        lock(&server.state).recorded = Some(recorded());
        server
    }

    /// Starts one at an address, whose vectors have so many numbers.
    pub fn start_at(listener: TcpListener, path: &'static str, dimension: usize) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { path, dimension, ..State::default() }));
        let (sender, handle) = std::sync::mpsc::channel();
        let data = Data::new(Arc::clone(&state));
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    let any = actix_web::web::resource("/{path:.*}").to(answer);
                    App::new()
                        .app_data(data.clone())
                        .app_data(actix_web::web::PayloadConfig::new(32 << 20))
                        .service(any)
                };
                let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0);
                let server = server.listen(listener).unwrap().run();
                sender.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { url, state, handle: handle.recv().unwrap() }
    }

    /// Calls for vectors, and for answers, so far.
    pub fn calls(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.embeddings, state.chats)
    }

    /// Texts of which vectors were made so far.
    pub fn texts(&self) -> usize {
        lock(&self.state).texts
    }

    /// Calls for vectors of texts that were not recorded, so far.
    pub fn unknown(&self) -> usize {
        lock(&self.state).unknown
    }

    /// The next calls for vectors go wrong.
    pub fn embeddings_fail(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).embedding_faults.extend(faults);
    }

    /// The next calls for answers go wrong.
    pub fn chats_fail(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).chat_faults.extend(faults);
    }

    /// What it says next.
    pub fn says(&self, text: impl Into<String>) {
        lock(&self.state).says.push_back(text.into());
    }

    /// Nothing goes wrong any more.
    pub fn recovers(&self) {
        let mut state = lock(&self.state);
        state.embedding_faults.clear();
        state.chat_faults.clear();
        state.says.clear();
    }

    /// What it was asked last.
    pub fn last_asked(&self) -> String {
        lock(&self.state).asked.last().cloned().unwrap_or_default()
    }

    /// What was sent as `Authorization` so far.
    pub fn authorizations(&self) -> Vec<String> {
        lock(&self.state).authorizations.clone()
    }
}

impl Drop for OpenAi {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

async fn answer(request: HttpRequest, path: Path<String>, body: Bytes, state: Data<Arc<Mutex<State>>>) -> HttpResponse {
    let below = lock(&state).path;
    let path = path.into_inner();
    let name = if below.is_empty() {
        Some(path.as_str())
    } else {
        path.strip_prefix(below).and_then(|rest| rest.strip_prefix('/'))
    };
    if let Some(header) = request.headers().get("authorization") {
        lock(&state).authorizations.push(header.to_str().unwrap().to_owned());
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    match name {
        Some("embeddings") => embeddings(&body, &state).await,
        Some("chat/completions") => chat(&body, &state).await,
        _ => HttpResponse::NotFound().json(json!({"error": "no such path"})),
    }
}

async fn embeddings(body: &Value, state: &Mutex<State>) -> HttpResponse {
    let input: Vec<String> =
        body["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    let fault = {
        let mut state = lock(state);
        state.embeddings += 1;
        state.embedding_faults.pop_front()
    };
    let dimension = if fault == Some(Fault::WrongDimension) { 8 } else { lock(state).dimension };
    lock(state).texts += input.len();
    let made = |text: &String| match &lock(state).recorded {
        Some(recorded) => recorded.get(&hash(text)).cloned(),
        None => Some(vector(text, dimension)),
    };
    let Some(vectors) = input.iter().map(made).collect::<Option<Vec<_>>>() else {
        lock(state).unknown += 1;
        return HttpResponse::NotFound()
            .json(json!({"error": "a text that was not recorded: see tests/models/minilm.py"}));
    };
    // No ids and no object: as servers other than OpenAI's.
    let data: Vec<_> = vectors.iter().map(|vector| json!({"embedding": vector})).collect();
    let tokens: usize = input.iter().map(|text| text.split_whitespace().count()).sum();
    respond(fault, &json!({"data": data, "usage": {"prompt_tokens": tokens}})).await
}

async fn chat(body: &Value, state: &Mutex<State>) -> HttpResponse {
    let messages = body["messages"].as_array().unwrap();
    let text = |message: &Value| message["content"].as_str().unwrap().to_owned();
    let all = messages.iter().map(text).collect::<Vec<_>>().join("\n----\n");
    let question = messages.iter().find(|message| message["role"] == "user").map(text).unwrap();
    let (fault, said) = {
        let mut state = lock(state);
        state.chats += 1;
        state.asked.push(all.clone());
        (state.chat_faults.pop_front(), state.says.pop_front())
    };
    let said = said.unwrap_or_else(|| compose(&question));
    let (read, written) = (all.split_whitespace().count(), said.split_whitespace().count());
    let answer = json!({
        "model": "test-chat",
        "choices": [{"message": {"role": "assistant", "content": said}}],
        "usage": {"prompt_tokens": read, "completion_tokens": written},
    });
    respond(fault, &answer).await
}

async fn respond(fault: Option<Fault>, answer: &Value) -> HttpResponse {
    let text = answer.to_string();
    match fault {
        None | Some(Fault::WrongDimension) => HttpResponse::Ok().content_type("application/json").body(text),
        Some(Fault::Slow(time)) => {
            actix_web::rt::time::sleep(time).await;
            HttpResponse::Ok().content_type("application/json").body(text)
        }
        Some(Fault::Busy(seconds)) => HttpResponse::TooManyRequests()
            .insert_header(("retry-after", seconds.to_string()))
            .body("{\"error\":{\"code\":429}}"),
        Some(Fault::Failed) => HttpResponse::InternalServerError().body("upstream secret: it broke"),
        Some(Fault::Refused) => {
            HttpResponse::Unauthorized().json(json!({"error": {"message": "upstream secret: bad key"}}))
        }
        Some(Fault::OutOfQuota) => HttpResponse::TooManyRequests()
            .json(json!({"error": {"type": "insufficient_quota", "code": "insufficient_quota"}})),
        Some(Fault::BrokenJson) => HttpResponse::Ok().body(text[..text.len() / 2].to_owned()),
        Some(Fault::Truncated) => {
            let half = Bytes::from(text[..text.len() / 2].to_owned());
            let parts = [Ok(half), Err(std::io::Error::other("the end"))];
            HttpResponse::Ok().streaming(futures_util::stream::iter(parts))
        }
    }
}

/// The vectors that were recorded, by the hashes of their texts.
fn recorded() -> HashMap<String, Vec<f32>> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let bytes = BASE64_STANDARD.decode(line["vector"].as_str().unwrap()).unwrap();
        let numbers = bytes.iter().map(|byte| f32::from(byte.cast_signed())).collect();
        (line["sha256"].as_str().unwrap().to_owned(), numbers)
    };
    include_str!("../models/recorded.jsonl").lines().map(line).collect()
}

fn hash(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hashed bag of words: the words of a text, each in one of so many places.
fn vector(text: &str, dimension: usize) -> Vec<f32> {
    let mut numbers = vec![0.0; dimension];
    for word in text.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 2) {
        // FNV-1a.
        let hash = word
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let at = usize::try_from(hash % dimension as u64).unwrap();
        numbers[at] = 1.0;
    }
    if numbers.iter().all(|number| *number == 0.0) {
        numbers[0] = 1.0;
    }
    numbers
}

/// What an honest model answers: the steps of the calculation, and the beginning of each source.
fn compose(message: &str) -> String {
    let between = |from: &str| {
        let rest = message.split_once(from)?.1.split_once(">>>")?.1;
        Some(rest.split_once("<<<END")?.0.to_owned())
    };
    let mut citations = Vec::new();
    for marker in 1.. {
        let Some(source) = between(&format!("<<<SOURCE {marker} ")) else { break };
        let words: Vec<&str> = source.split_once('\n').unwrap().1.split_whitespace().collect();
        let quote = words.iter().take(12).copied().collect::<Vec<_>>().join(" ");
        if words.len() >= 3 {
            citations.push(json!({"source": marker, "quote": quote}));
        }
    }
    if citations.is_empty() {
        return json!({"refusal": "NO_RELEVANT_SOURCE"}).to_string();
    }
    let steps = between("<<<CALCULATION ").unwrap_or_default();
    let amounts: Vec<String> = steps
        .lines()
        .filter(|line| !line.starts_with("Not computed"))
        .filter_map(|line| {
            let (name, value) = (line.split_once(':')?.0, line.rsplit_once(" = ")?.1);
            Some(format!("{name} {}", value.split(" (").next()?))
        })
        .collect();
    let text = format!("{} [{}]", amounts.join("; "), citations[0]["source"]);
    json!({"answer": text.trim(), "citations": citations}).to_string()
}
