//! The settings of the assistant.

use super::Settings;
use super::problems::Problems;
use crate::assistant::AssistantSettings;
use crate::assistant::settings::{Endpoint, Price, Secret};

/// Reads them, and notes every bad one.
pub(super) fn read(settings: &Settings, problems: &mut Problems) -> AssistantSettings {
    let settings = settings.clone();
    let key = settings.assistant_key.map(Secret::new);
    let endpoint = settings.assistant_url.and_then(|text| {
        let url = text.parse::<reqwest::Url>().ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        if url.is_none() {
            // It may hold a password, so it is not repeated.
            problems.note("assistant_url: expected http://… or https://…".to_owned());
        }
        Some(Endpoint { url: url?, key: key.clone() })
    });
    let mut price = |name, value| {
        let price: Price = problems.parse(name, value, "0", |_| true, "a price in US dollars such as 0.15");
        price.0
    };
    let (prompt_price, completion_price) = (
        price("assistant_prompt_price", settings.assistant_prompt_price),
        price("assistant_completion_price", settings.assistant_completion_price),
    );
    let mut model = |name: &str, value: Option<String>, default: &str| {
        let model = value.unwrap_or_else(|| default.to_owned());
        if model.is_empty() || model.len() > 200 || model.chars().any(char::is_control) {
            problems.note(format!("{name}: expected the name of a model"));
        }
        model
    };
    AssistantSettings {
        endpoint,
        chat_model: model("assistant_chat_model", settings.assistant_chat_model, "gpt-4o-mini"),
        embedding_model: model(
            "assistant_embedding_model",
            settings.assistant_embedding_model,
            "text-embedding-3-small",
        ),
        deadline: problems.seconds("assistant_deadline", settings.assistant_deadline, "30", 1..=600),
        max_tokens: problems.count("assistant_max_tokens", settings.assistant_max_tokens, "300", 16..=100_000),
        temperature: problems.count("assistant_temperature", settings.assistant_temperature, "10", 0..=200),
        min_similarity: problems.count("assistant_min_similarity", settings.assistant_min_similarity, "35", 0..=100),
        sources: problems.count("assistant_sources", settings.assistant_sources, "6", 1..=50),
        breaker_failures: problems.count(
            "assistant_breaker_failures",
            settings.assistant_breaker_failures,
            "5",
            1..=1_000,
        ),
        breaker_pause: problems.seconds("assistant_breaker_pause", settings.assistant_breaker_pause, "30", 1..=3_600),
        daily_tokens: problems.count(
            "assistant_daily_tokens",
            settings.assistant_daily_tokens,
            "0",
            0..=1_000_000_000_000,
        ),
        daily_cost: problems.count("assistant_daily_cost", settings.assistant_daily_cost, "0", 0..=1_000_000_000_000),
        prompt_price,
        completion_price,
        cache_entries: problems.count(
            "assistant_cache_entries",
            settings.assistant_cache_entries,
            "1000",
            1..=1_000_000,
        ),
        cache_ttl: problems.seconds("assistant_cache_ttl", settings.assistant_cache_ttl, "3600", 1..=86_400),
    }
}
