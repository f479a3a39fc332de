//! Vectors of questions: kept by model and normal form, and made once for all who ask the same.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::client::{CallError, Client};
use super::kept::{Flights, Kept};
use super::metrics::AssistantMetrics;
use super::settings::AssistantSettings;
use super::text;
use super::vectors::Vector;

type Made = Option<Result<Arc<Vector>, CallError>>;

/// Makes vectors of questions.
#[derive(Debug)]
pub struct Embedder {
    client: Option<Arc<Client>>,
    model: String,
    kept: Arc<Kept<(String, String), Arc<Vector>>>,
    flights: Flights<(String, String), Made>,
    metrics: Arc<AssistantMetrics>,
}

impl Embedder {
    /// An embedder that has made nothing.
    pub fn new(client: Option<Arc<Client>>, settings: &AssistantSettings, metrics: Arc<AssistantMetrics>) -> Self {
        let kept = Arc::new(Kept::new(settings.cache_entries, settings.cache_ttl));
        Self { client, model: settings.embedding_model.clone(), kept, flights: Flights::default(), metrics }
    }

    /// The vector of a question.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn vector(&self, question: &str, deadline: Instant) -> Result<Arc<Vector>, CallError> {
        let Some(client) = &self.client else { return Err(CallError::NotConfigured) };
        let key = (self.model.clone(), text::normal(question));
        if let Some(vector) = self.kept.get(&key) {
            self.metrics.looked_up("embedding", "hit");
            return Ok(vector);
        }
        let mut made = self.board(Arc::clone(client), &key, deadline);
        let landed = timeout_at(deadline, made.wait_for(Option::is_some)).await.map_err(|_| CallError::Late)?;
        let landed = landed.map(|made| (*made).clone());
        landed.ok().flatten().unwrap_or(Err(CallError::Unreachable))
    }

    fn board(&self, client: Arc<Client>, key: &(String, String), deadline: Instant) -> watch::Receiver<Made> {
        let (kept, own_key) = (Arc::clone(&self.kept), key.clone());
        let (receiver, joined) = self.flights.board(key, None, |tell| async move {
            let (model, question) = &own_key;
            let embedded = client.embed(model, std::slice::from_ref(question), deadline).await;
            let vector = embedded.and_then(|embedded| {
                let vector = embedded.vectors.first().and_then(|numbers| Vector::new(numbers));
                vector.map(Arc::new).ok_or(CallError::Unreadable)
            });
            if let Ok(vector) = &vector {
                kept.keep(&own_key, Arc::clone(vector));
            }
            tell.send_replace(Some(vector));
        });
        self.metrics.looked_up("embedding", if joined { "joined" } else { "miss" });
        receiver
    }
}
