//! Fan-out: one client changes a payment, and many who follow it are told.
//!
//! Each subscriber has a WebSocket of its own (`graphql-transport-ws`). A change is made when everybody has heard of the
//! one before, so that what is measured is how soon everybody hears and how many can be told in a second, and no queue
//! that grows for as long as it is looked at.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::client::Client;
use crate::database::Database;
use crate::measure::{Asked, Measurement, Watch};
use crate::scenario::{RECORD, receipt};
use crate::server::Server;

/// Its name on the command line and in reports.
pub const NAME: &str = "fanout";

/// How many follow, unless somebody says otherwise.
pub const SUBSCRIBERS: [usize; 3] = [10, 100, 1_000];

/// Changes before anything is looked at.
const WARM_UP: usize = 5;

/// Changes of one measurement at the most. To record a receipt takes the longer, the more receipts a payment has.
const CHANGES: usize = 200;

/// How long everybody has to hear of a change. The server's followers look by themselves every ten seconds, so that
/// what has not come by then is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Open files beside the sockets of subscribers: connections to the database, the log, libraries.
const OTHER_FILES: u64 = 500;

const FOLLOW: &str = "subscription ($id: ID!, $after: BigInt) { paymentEvents(paymentId: $id, afterSequence: $after) { \
                      sequence type at after } }";
const VERSION: &str = "query ($id: ID!) { payment(id: $id) { version } }";

/// An event that a subscriber received.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    subscriber: usize,
    sequence: i64,
    at: Instant,
}

/// Who has received what. Each subscriber is to receive each event once and in order.
#[derive(Debug)]
struct Tally {
    /// The sequence that each subscriber is to receive next.
    due: Vec<i64>,
    /// Events that were not the ones that were due.
    strays: usize,
}

impl Tally {
    /// Nobody has received anything since the event with this sequence.
    fn new(subscribers: usize, after: i64) -> Self {
        Self { due: vec![after + 1; subscribers], strays: 0 }
    }

    /// Notes an event, and says whether it was the one that was due.
    fn note(&mut self, arrival: Arrival) -> bool {
        let Some(due) = self.due.get_mut(arrival.subscriber).filter(|due| **due == arrival.sequence) else {
            self.strays += 1;
            return false;
        };
        *due += 1;
        true
    }

    /// How many have not yet received everything up to this sequence.
    fn behind(&self, sequence: i64) -> usize {
        self.due.iter().filter(|due| **due <= sequence).count()
    }
}

/// Lets this process, and the servers that it starts from now on, have sockets for so many subscribers.
///
/// # Errors
/// When the system does not allow as many.
pub fn allow(subscribers: usize) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = subscribers as u64 + OTHER_FILES;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        return Err(format!("{subscribers} subscribers need {wanted} open files, more than `ulimit -Hn` says"));
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
        .map_err(|error| format!("{subscribers} subscribers need {wanted} open files: {error}"))
}

/// Has so many follow a payment, and records receipts of it for `seconds` or until there are enough.
///
/// The server should be new: by how much it grows is what a subscriber takes.
///
/// # Errors
/// When a subscriber cannot follow, or does not hear of what happened before anything is measured.
///
/// # Panics
/// When the server does not answer, or refuses a receipt.
pub async fn measure(
    server: &Server,
    database: &Database,
    payment: &str,
    subscribers: usize,
    seconds: f64,
) -> Result<Measurement, String> {
    let client = Client::new(&server.address);
    let data = client.ask(VERSION, &json!({ "id": payment })).await;
    let version = sequence(&data["payment"]["version"]).ok_or_else(|| format!("no version in {data}"))?;
    let resident = server.resident();
    // Everybody asks for the last event again: whoever has received it follows.
    let mut following = Following::start(server, payment, subscribers, version - 1).await?;
    if !following.all_have(version, |_| {}).await {
        return Err(format!("{subscribers} subscribers do not all follow after {} s", PATIENCE.as_secs()));
    }
    let grown = server.resident() - resident;

    let mut writer = Writer { client: &client, payment, version };
    for _ in 0..WARM_UP {
        if !writer.change(&mut following, |_| {}).await {
            return Err(format!("not all of {subscribers} subscribers have heard of a change"));
        }
    }
    let watch = Watch::start(&client, server, database).await;
    let (start, time) = (Instant::now(), Duration::from_secs_f64(seconds));
    let (mut changes, mut delays) = (0, Vec::new());
    while changes < CHANGES && start.elapsed() < time {
        changes += 1;
        // Whoever has lost an event receives no later one in order.
        if !writer.change(&mut following, |delay| delays.push(delay)).await {
            break;
        }
    }
    // An event that came twice or out of order is one that went wrong beside those that should have come.
    let asked = Asked::of(changes * subscribers + following.tally.strays, delays, start.elapsed());
    Ok(Measurement {
        scenario: NAME.to_owned(),
        load: subscribers.to_string(),
        clients: 1,
        subscribers,
        subscriber_kb: grown / 1024.0 / subscribers as f64,
        ..watch.stop(&asked).await
    })
}

/// Who changes the payment. Nobody else does.
struct Writer<'a> {
    client: &'a Client,
    payment: &'a str,
    version: i64,
}

impl Writer<'_> {
    /// Records a receipt and waits until everybody has heard of it. Says of each event in order how long after the
    /// request was sent it arrived, and answers whether everybody has heard.
    async fn change(&mut self, following: &mut Following, mut heard: impl FnMut(Duration)) -> bool {
        self.version += 1;
        let sent = Instant::now();
        self.client.ask(RECORD, &json!({ "input": receipt(self.payment) })).await;
        following.all_have(self.version, |at| heard(at.saturating_duration_since(sent))).await
    }
}

/// Everybody who follows, until it is dropped.
struct Following {
    tally: Tally,
    arrivals: UnboundedReceiver<Arrival>,
    /// Ended with this.
    _readers: JoinSet<()>,
}

impl Following {
    /// Connects the subscribers, who want the events after this sequence.
    async fn start(server: &Server, payment: &str, subscribers: usize, after: i64) -> Result<Self, String> {
        let (sender, arrivals) = unbounded_channel();
        let mut readers = JoinSet::new();
        for number in 0..subscribers {
            // One after another: the server has a queue of connections that are not yet accepted, and it has an end.
            let problem = |problem: String| format!("subscriber {number}: {problem}");
            let socket = subscribe(&server.address, payment, after).await.map_err(problem)?;
            readers.spawn(read(socket, number, sender.clone()));
        }
        Ok(Self { tally: Tally::new(subscribers, after), arrivals, _readers: readers })
    }

    /// Waits until everybody has received everything up to this sequence, saying when each event arrived that was due,
    /// and answers whether they have.
    async fn all_have(&mut self, sequence: i64, mut arrived: impl FnMut(Instant)) -> bool {
        let (tally, arrivals) = (&mut self.tally, &mut self.arrivals);
        let all = async {
            let mut behind = tally.behind(sequence);
            while behind > 0 {
                // There is none when all sockets are closed.
                let Some(arrival) = arrivals.recv().await else { return false };
                if tally.note(arrival) {
                    arrived(arrival.at);
                    behind -= usize::from(arrival.sequence == sequence);
                }
            }
            true
        };
        timeout(PATIENCE, all).await.unwrap_or(false)
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a socket and follows the payment from after this sequence on.
async fn subscribe(address: &str, payment: &str, after: i64) -> Result<Socket, String> {
    let url = format!("{}/graphql", address.replacen("http", "ws", 1));
    let mut request = url.into_client_request().map_err(|error| error.to_string())?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.map_err(|error| error.to_string())?;
    let variables = json!({ "id": payment, "after": after.to_string() });
    let follow = json!({
        "id": "1", "type": "subscribe", "payload": { "query": FOLLOW, "variables": variables },
    });
    send(&mut socket, &json!({ "type": "connection_init" })).await?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) if text.contains("\"connection_ack\"") => break,
            // Pings are answered by the library.
            Some(Ok(Message::Ping(_))) => {}
            other => return Err(format!("no connection_ack, but {other:?}")),
        }
    }
    send(&mut socket, &follow).await?;
    Ok(socket)
}

async fn send(socket: &mut Socket, message: &Value) -> Result<(), String> {
    socket.send(Message::text(message.to_string())).await.map_err(|error| error.to_string())
}

/// Tells of each event until there are no more. An error ends it: what the subscriber would have received is lost.
async fn read(mut socket: Socket, subscriber: usize, arrivals: UnboundedSender<Arrival>) {
    while let Some(Ok(message)) = socket.next().await {
        let at = Instant::now();
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(sequence) = sequence(&message["payload"]["data"]["paymentEvents"]["sequence"]) else {
            eprintln!("subscriber {subscriber} received no event, but {message}");
            return;
        };
        if arrivals.send(Arrival { subscriber, sequence, at }).is_err() {
            return;
        }
    }
}

/// A sequence or a version: a number, or its digits in a string.
fn sequence(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(subscriber: usize, sequence: i64) -> Arrival {
        Arrival { subscriber, sequence, at: Instant::now() }
    }

    #[test]
    fn everybody_must_receive_everything() {
        let mut tally = Tally::new(2, 7);
        assert!(tally.note(arrival(0, 8)) && tally.note(arrival(0, 9)));
        assert_eq!((tally.behind(7), tally.behind(8), tally.behind(9)), (0, 1, 1));
        assert!(tally.note(arrival(1, 8)));
        assert_eq!((tally.behind(8), tally.behind(9)), (0, 1));
    }

    /// An event that comes twice, too soon or to nobody is not the one that was due, and one that is lost stays so.
    #[test]
    fn what_is_out_of_order_does_not_count() {
        let mut tally = Tally::new(1, 7);
        assert!(!tally.note(arrival(0, 9)), "8 is lost");
        assert!(tally.note(arrival(0, 8)));
        assert!(!tally.note(arrival(0, 8)), "it came twice");
        assert!(!tally.note(arrival(1, 8)), "there is no such subscriber");
        assert_eq!((tally.behind(8), tally.behind(9), tally.strays), (0, 1, 3));
    }

    #[test]
    fn sequences_are_numbers_or_text() {
        assert_eq!((sequence(&json!(3)), sequence(&json!("12"))), (Some(3), Some(12)));
        assert_eq!((sequence(&Value::Null), sequence(&json!("x"))), (None, None));
    }
}
