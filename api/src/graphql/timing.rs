//! Times the stages of a request. Only in the schema that serves profiles: an extension costs every field.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation};
use async_graphql::{Response, ServerError, ValidationResult};

/// How long each stage took. Put one into the data of a request to have it filled.
#[derive(Clone, Debug, Default)]
pub struct Stages(Arc<Mutex<Taken>>);

/// The times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Checking the document against the schema.
    pub validate: Duration,
    /// Running the resolvers, waiting for the database included.
    pub execute: Duration,
}

impl Stages {
    /// What was measured so far.
    pub fn taken(&self) -> Taken {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, set: impl FnOnce(&mut Taken)) {
        set(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
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
        let start = Instant::now();
        let result = next.run(ctx).await;
        if let Ok(stages) = ctx.data::<Stages>() {
            stages.note(|taken| taken.validate = start.elapsed());
        }
        result
    }

    async fn execute(&self, ctx: &ExtensionContext<'_>, name: Option<&str>, next: NextExecute<'_>) -> Response {
        let start = Instant::now();
        let response = next.run(ctx, name).await;
        if let Ok(stages) = ctx.data::<Stages>() {
            stages.note(|taken| taken.execute = start.elapsed());
        }
        response
    }
}
