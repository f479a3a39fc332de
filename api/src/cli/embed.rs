//! Makes the vectors that are missing: of prompts and of pieces of regulations.

use std::sync::Arc;

use clap::Args;
use entity::embedding;
use tokio::time::Instant;

use super::{Failure, migrated, say};
use crate::assistant::client::Client;
use crate::assistant::dice::Dice;
use crate::assistant::metrics::AssistantMetrics;
use crate::assistant::vectors::Vector;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::store::Database;
use crate::store::embeddings::{self, Missing};

/// What is to be made.
#[derive(Debug, Args)]
pub(super) struct Embed {
    /// Texts that are sent at once
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=512))]
    batch: u32,
}

impl Embed {
    /// Does it. What was stored before a failure stays, so that the next run goes on where this one ended.
    pub(super) async fn run(self, config: &Config, progress: &Progress) -> Result<(), Failure> {
        let settings = &config.assistant;
        let Some(endpoint) = &settings.endpoint else {
            return Err(Failure::Usage("assistant_url: there is no server that makes vectors".to_owned()));
        };
        let database = migrated(config).await?;
        let clock = Clock::system();
        let metrics = Arc::new(AssistantMetrics::new(&Metrics::new()?)?);
        let client = Client::new(endpoint, settings, &clock, Dice::system(), metrics)?;
        let reader = database.reader(Arc::default());
        let model = settings.embedding_model.as_str();
        let total = embeddings::count_missing(&reader, model).await?;
        let mut task = progress.start(&format!("Making vectors with {model} (texts)"), total);
        let mut made = 0_u64;
        let mut dimension = None;
        loop {
            let missing = embeddings::missing(&reader, model, self.batch).await?;
            if missing.is_empty() {
                break;
            }
            let texts: Vec<String> = missing.iter().map(|one| one.text.clone()).collect();
            let embedded = client.embed(model, &texts, Instant::now() + settings.deadline).await;
            let embedded = embedded.map_err(|error| failed(&format!("{error} ({})", error.code())))?;
            let rows = rows(model, missing, &embedded.vectors)?;
            let new = rows.first().map(|row| row.dimension);
            if dimension.is_some() && new != dimension {
                return Err(failed("the model makes vectors of different dimensions"));
            }
            if let (None, Some(new)) = (dimension, new) {
                database.index_vectors(model, usize::try_from(new).map_err(Error::internal)?).await?;
            }
            dimension = new;
            let count = rows.len() as u64;
            let comparison = database.comparison();
            database.write(async |transaction| embeddings::put(transaction, rows, comparison).await).await?;
            made += count;
            task.advance(count);
        }
        task.finish();
        let removed = remove_orphans(&database, model).await?;
        say(&mut std::io::stdout(), &format!("{made} vectors made, {removed} old ones removed"));
        Ok(())
    }
}

async fn remove_orphans(database: &Database, model: &str) -> Result<u64, Failure> {
    Ok(database.write(async |transaction| embeddings::remove_orphans(transaction, model).await).await?)
}

fn rows(model: &str, missing: Vec<Missing>, vectors: &[Vec<f32>]) -> Result<Vec<embedding::Model>, Failure> {
    let row = |(one, numbers): (Missing, &Vec<f32>)| {
        let vector = Vector::new(numbers).ok_or_else(|| failed("the model made a vector that has no direction"))?;
        Ok(embedding::Model {
            kind: one.kind,
            subject: one.subject,
            model: model.to_owned(),
            dimension: i32::try_from(vector.dimension()).map_err(Error::internal)?,
            revision: one.revision,
            vector: vector.to_bytes(),
        })
    };
    missing.into_iter().zip(vectors).map(row).collect()
}

fn failed(why: &str) -> Failure {
    Failure::Other(Error::internal(format!("{why}; what was made is kept, run it again to go on")))
}
