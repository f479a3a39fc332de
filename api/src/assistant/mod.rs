//! The assistant: answers a question about exporting goods from what is stored, and says what the answer rests on.

pub mod backoff;
pub mod breaker;
pub mod chunker;
pub mod grounding;
pub mod numbers;
pub mod similarity;
pub mod text;
