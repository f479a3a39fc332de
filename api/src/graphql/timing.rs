//! Times the stages of a request. Only in the schema that serves profiles and traces: an extension costs every field.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation};
use async_graphql::{Response, ServerError, ValidationResult};

/// How long each stage took. Put one into the data of a request to have it filled.
#[derive(Clone, Debug, Default)]
pub struct Stopwatch(Arc<Mutex<Laps>>);

/// The times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Checking the document against the schema.
    pub validate: Duration,
    /// Running the resolvers, waiting for the database included.
    pub execute: Duration,
}

#[derive(Debug, Default)]
struct Laps {
    validate: Lap,
    execute: Lap,
}

/// A stage that has not begun, is under way, or has ended.
#[derive(Debug, Default)]
enum Lap {
    #[default]
    Ahead,
    Since(Instant),
    Took(Duration),
}

impl Lap {
    fn begin(&mut self) {
        *self = Self::Since(Instant::now());
    }

    fn end(&mut self) {
        *self = Self::Took(self.time());
    }

    fn time(&self) -> Duration {
        match self {
            Self::Ahead => Duration::ZERO,
            Self::Since(start) => start.elapsed(),
            Self::Took(time) => *time,
        }
    }
}

impl Stopwatch {
    /// What was measured so far, a stage that was given up included.
    pub fn taken(&self) -> Taken {
        let laps = self.laps();
        Taken { validate: laps.validate.time(), execute: laps.execute.time() }
    }

    fn laps(&self) -> MutexGuard<'_, Laps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a [`Timing`] extension for each request.
#[derive(Clone, Copy, Debug)]
pub struct Timing;

impl ExtensionFactory for Timing {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(TimingExtension)
    }
}

struct TimingExtension;

#[async_trait::async_trait]
impl Extension for TimingExtension {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let stopwatch = ctx.data_opt::<Stopwatch>();
        if let Some(stopwatch) = stopwatch {
            stopwatch.laps().validate.begin();
        }
        let result = next.run(ctx).await;
        if let Some(stopwatch) = stopwatch {
            stopwatch.laps().validate.end();
        }
        result
    }

    async fn execute(&self, ctx: &ExtensionContext<'_>, name: Option<&str>, next: NextExecute<'_>) -> Response {
        let stopwatch = ctx.data_opt::<Stopwatch>();
        if let Some(stopwatch) = stopwatch {
            stopwatch.laps().execute.begin();
        }
        let response = next.run(ctx, name).await;
        if let Some(stopwatch) = stopwatch {
            stopwatch.laps().execute.end();
        }
        response
    }
}
