//! Asks the assistant questions with known answers, and says how good it was.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Failure, migrated, say};
use crate::assistant::evaluation::{self, Leg, Report};
use crate::assistant::{Assistant, SearchLegs};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::loaders::{Loads, Source, operation};
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::store::accounts;
use crate::{demo, seed};

/// What is to be asked.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// A file of questions, one JSON object a line [default: those that are shipped]
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,
}

impl Evaluate {
    /// Does it.
    pub(super) async fn run(self, config: &Config, progress: &Progress) -> Result<(), Failure> {
        let cases = evaluation::read(self.questions.as_deref()).map_err(Error::internal)?;
        let database = migrated(config).await?;
        let clock = Clock::system();
        seed::reference_data(&database, &clock, progress).await?;
        // Nobody writes meanwhile; what was read once is not read again.
        let metrics = Metrics::new()?;
        let cache = match &config.cache {
            Some(settings) => Cache::new(settings, None, &metrics)?,
            None => Cache::off(),
        };
        cache.regained().await;
        let assistant = Assistant::new(&config.assistant, config.duty_rounding, &database, &cache, &clock, &metrics)?;
        let reader = database.reader(Arc::default());
        // An account that pays, where there is one: reference data belongs to nobody.
        let account = match accounts::by_name(&reader, demo::ACCOUNT_NAME).await? {
            Some(account) => account.id,
            None => demo::ensure_account(&database, clock.now()).await?,
        };
        let source = Source { reader, account, cache };
        let mut report = Report::default();
        let mut task = progress.start("Asking (questions)", cases.len() as u64);
        for case in &cases {
            let question = case.question();
            let outcome = assistant.ask(source.clone(), &question).outcome().await?;
            report.add(case, &outcome);
            let loads = Loads::new(source.clone());
            let search = assistant.search_legs(&loads, &question);
            let SearchLegs { words, vectors, both } = operation::run(&loads, search).await?;
            report.found(Leg::Words, case, &words);
            report.found(Leg::Both, case, &both);
            if let Some(vectors) = vectors {
                report.found(Leg::Vectors, case, &vectors);
            }
            task.advance(1);
        }
        task.finish();
        let mut out = std::io::stdout();
        for fault in &report.faults {
            say(&mut out, fault);
        }
        say(&mut out, report.to_string().trim_end());
        database.close().await;
        Ok(())
    }
}
