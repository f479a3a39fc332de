//! Clients that ask and ask again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// One client with its connection.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    address: String,
}

impl Client {
    /// A client of the server at `address`.
    ///
    /// # Panics
    /// When the HTTP client cannot be made.
    pub fn new(address: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("an HTTP client");
        Self { http, address: address.to_owned() }
    }

    /// Asks, and returns the data. Errors end the benchmark: what fails is not measured.
    ///
    /// # Panics
    /// When the answer has errors, or user errors.
    pub async fn ask(&self, query: &str, variables: &Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let answer =
            self.http.post(format!("{}/graphql", self.address)).json(&body).send().await.expect("the server answers");
        let mut answer: Value = answer.json().await.expect("an answer is JSON");
        assert!(answer.get("errors").is_none(), "{answer}");
        let data = answer["data"].take();
        let refused = data.as_object().into_iter().flatten().any(|(_, payload)| {
            payload.get("userErrors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty())
        });
        assert!(!refused, "{data}");
        data
    }

    /// Asks, and says whether the answer has no errors. User errors are answers.
    pub async fn try_ask(&self, query: &str, variables: &Value) -> bool {
        // Parsing it would cost the client more than writing it costs the server.
        self.answer(query, variables).await.is_ok_and(|text| !text.contains("\"errors\":"))
    }

    /// Asks, and returns the answer as it was written.
    ///
    /// # Errors
    /// When there is none, or its status is not one of success.
    pub async fn answer(&self, query: &str, variables: &Value) -> reqwest::Result<String> {
        let body = json!({ "query": query, "variables": variables });
        let answer = self.http.post(format!("{}/graphql", self.address)).json(&body).send().await?;
        answer.error_for_status()?.text().await
    }

    /// The server's metrics, by name with labels.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn metrics(&self) -> HashMap<String, f64> {
        let text = self.get("/metrics").await;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect()
    }

    /// Gets a path, as text.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn get(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.address)).send().await.expect("the server answers");
        answer.text().await.expect("a body is text")
    }
}

/// Runs `work` on so many clients at once until the time is over, and says how often it was done in how long.
///
/// `work` is given the number of the client and how often it has worked already.
///
/// # Panics
/// When `work` does.
pub async fn closed_loop<W>(clients: usize, time: Duration, work: impl Fn(usize, usize) -> W) -> (usize, Duration)
where
    W: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    let mut done = vec![0; clients];
    for client in 0..clients {
        let next = work(client, 0);
        running.spawn(async move {
            next.await;
            client
        });
    }
    while let Some(ended) = running.join_next().await {
        let client = ended.expect("a client goes on");
        if let Some(count) = done.get_mut(client) {
            *count += 1;
            if start.elapsed() < time {
                let next = work(client, *count);
                running.spawn(async move {
                    next.await;
                    client
                });
            }
        }
    }
    (done.iter().sum(), start.elapsed())
}
