//! The assistant: answers a question about exporting goods from what is stored, and says what the answer rests on.
//!
//! It may never give a number that [`duty_quote`](crate::duty_quote) has not computed or a source does not hold, never
//! show words of a source that do not stand in it, and never tell a client what another server said of a failure.
//! `docs/assistant.md` has its flow, `docs/decisions/0015-assistant.md` the reasons.

pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod chunker;
pub mod client;
pub mod dates;
pub mod dice;
pub mod embedding;
pub mod goods;
pub mod grounding;
pub mod index;
pub mod kept;
pub mod metrics;
pub mod numbers;
pub mod prompt;
pub mod retrieval;
pub mod scope;
pub mod settings;
pub mod similarity;
pub mod text;
pub mod wire;

pub use settings::AssistantSettings;
