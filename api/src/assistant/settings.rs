//! What an operator can set.

use std::fmt;
use std::time::Duration;

use reqwest::Url;

use crate::domain::decimal::Decimal;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A server that speaks as OpenAI's does.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its base URL, which may hold a password.
    pub url: Url,
    /// What is sent as a bearer token.
    pub key: Option<Secret>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What the assistant may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssistantSettings {
    /// The server of the models; `None` for search by words alone.
    pub endpoint: Option<Endpoint>,
    /// The model that answers.
    pub chat_model: String,
    /// The model that makes vectors.
    pub embedding_model: String,
    /// How long a question may take in all.
    pub deadline: Duration,
    /// Tokens of an answer at the most.
    pub max_tokens: u32,
    /// How freely the model chooses its words, in hundredths.
    pub temperature: u32,
    /// How similar a source has to be to count, in hundredths.
    pub min_similarity: u32,
    /// Sources that a model is shown.
    pub sources: usize,
    /// Failures one after the other after which the server is not asked for a while.
    pub breaker_failures: u32,
    /// For how long it is not asked.
    pub breaker_pause: Duration,
    /// Tokens that an account may use on a day; 0 for no limit.
    pub daily_tokens: u64,
    /// What an account may spend on a day, in millionths of a US dollar; 0 for no limit.
    pub daily_cost: u64,
    /// What a million tokens of a question cost, in US dollars.
    pub prompt_price: Decimal,
    /// What a million tokens of an answer cost, in US dollars.
    pub completion_price: Decimal,
    /// Answers, vectors of questions and the like that are kept at the most, of each kind.
    pub cache_entries: usize,
    /// How long they are kept.
    pub cache_ttl: Duration,
}

impl AssistantSettings {
    /// The least similarity in thousandths: what was asked for, or else what is set.
    pub fn floor(&self, asked: Option<u32>) -> u32 {
        asked.unwrap_or(self.min_similarity * 10)
    }

    /// What some tokens cost, in millionths of a US dollar, rounded up: a price for a million tokens in dollars is one
    /// for a token in millionths.
    pub fn cost_micros(&self, prompt: u64, completion: u64) -> u64 {
        let part = |price: Decimal, tokens: u64| {
            let micros = price.checked_mul(Decimal::new(i128::from(tokens), 0))?;
            let whole = micros.mantissa() / 10_i128.checked_pow(micros.scale().into())?;
            let more = micros != Decimal::new(whole, 0);
            u64::try_from(whole).ok()?.checked_add(more.into())
        };
        let parts = [part(self.prompt_price, prompt), part(self.completion_price, completion)];
        parts.into_iter().map(|part| part.unwrap_or(u64::MAX)).fold(0, u64::saturating_add)
    }
}

/// A price from a setting: a decimal that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(pub Decimal);

impl std::str::FromStr for Price {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let price = Decimal::parse(text).ok().filter(|price| !price.is_negative());
        price.map(Self).ok_or("a price is a decimal that is not negative")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let endpoint = Endpoint {
            url: "http://user:hidden@localhost/".parse().unwrap(),
            key: Some(Secret::new("sk-hidden".to_owned())),
        };
        assert!(!format!("{endpoint:?}").contains("hidden"));
        assert_eq!(endpoint.key.unwrap().expose(), "sk-hidden");
    }

    #[test]
    fn costs_are_exact_and_rounded_up() {
        let price = |text| Decimal::parse(text).unwrap();
        let settings = AssistantSettings { prompt_price: price("0.15"), completion_price: price("0.6"), ..for_tests() };
        assert_eq!(settings.cost_micros(1_000_000, 0), 150_000);
        assert_eq!(settings.cost_micros(1, 1), 2);
        assert_eq!(settings.cost_micros(0, 0), 0);
    }

    pub(crate) fn for_tests() -> AssistantSettings {
        crate::config::Settings::default().check().unwrap().assistant
    }
}
