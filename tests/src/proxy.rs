//! A proxy before PostgreSQL that cuts a connection at a message of choice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// The question whether the server speaks TLS.
const TLS: u32 = 80_877_103;

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never sees the message.
    Before,
    /// The server runs it, and the client never hears of it.
    After,
}

/// Counts what clients ask for, and cuts the connection at one of those.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The URL of the database through the proxy.
    pub url: String,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    asked: AtomicUsize,
    cut_at: AtomicUsize,
    after: AtomicUsize,
}

impl Proxy {
    /// A proxy before the server of this URL, which cuts nothing yet.
    pub async fn before(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (credentials, rest) = rest.split_once('@').unwrap_or(("", rest));
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let at = if credentials.is_empty() { String::new() } else { format!("{credentials}@") };
        let state = Arc::new(State {
            asked: AtomicUsize::new(0),
            cut_at: AtomicUsize::new(usize::MAX),
            after: AtomicUsize::new(0),
        });
        tokio::spawn(accept(listener, server.to_owned(), Arc::clone(&state)));
        Self { url: format!("{scheme}://{at}127.0.0.1:{port}/{database}"), state }
    }

    /// Forgets what was asked, and cuts at the `n`th question from now on, counted from 1; 0 cuts nothing.
    pub fn cut(&self, n: usize, how: Cut) {
        self.state.after.store(usize::from(how == Cut::After), Ordering::SeqCst);
        self.state.cut_at.store(if n == 0 { usize::MAX } else { n }, Ordering::SeqCst);
        self.state.asked.store(0, Ordering::SeqCst);
    }

    /// How many questions were asked.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, server: String, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(&server).await.unwrap();
        // A message is written in one piece; waiting for more of it would cost 40 ms a question.
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        tokio::spawn(forward(client, server, Arc::clone(&state)));
    }
}

/// Forwards until either side ends, or the connection is cut.
async fn forward(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    let answers = async { tokio::io::copy(&mut from_server, &mut to_client).await.map(drop) };
    let cut_after = tokio::select! {
        _ = answers => None,
        cut = questions(from_client, to_server, &state) => cut,
    };
    if let Some(server) = cut_after {
        // Until the server has run it all: it closes its side when it has nothing more to do.
        let mut server = server;
        let _ = server.shutdown().await;
        let mut rest = Vec::new();
        let _ = from_server.read_to_end(&mut rest).await;
    }
}

/// Forwards messages of the client. Returns the way to the server when the connection is to be cut after one.
async fn questions(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, state: &State) -> Option<OwnedWriteHalf> {
    // The first message has no type, and neither has the question for TLS before it.
    loop {
        let length = client.read_u32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        client.read_exact(&mut body).await.ok()?;
        server.write_all(&[&length.to_be_bytes(), body.as_slice()].concat()).await.ok()?;
        if body.get(..4) != Some(&TLS.to_be_bytes()) {
            break;
        }
    }
    let mut message = Vec::new();
    loop {
        let kind = client.read_u8().await.ok()?;
        let length = client.read_u32().await.ok()?;
        message.clear();
        message.push(kind);
        message.extend(length.to_be_bytes());
        let start = message.len();
        message.resize(start + usize::try_from(length).unwrap() - 4, 0);
        client.read_exact(&mut message[start..]).await.ok()?;
        // A simple query, or the end of an extended one: what the client waits for.
        let asks = matches!(kind, b'Q' | b'S');
        let number = if asks { state.asked.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
        let cut = asks && number == state.cut_at.load(Ordering::SeqCst);
        let after = state.after.load(Ordering::SeqCst) == 1;
        if cut && !after {
            return None;
        }
        server.write_all(&message).await.ok()?;
        if cut {
            return Some(server);
        }
    }
}
