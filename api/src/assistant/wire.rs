//! What goes over the wire: written as the API has it, and read as servers write it.

#![allow(deprecated, reason = "`max_tokens` is what servers other than OpenAI's understand, and it still does")]

use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest,
};
use async_openai::types::embeddings::{CreateEmbeddingRequest, EmbeddingInput};
use serde_json::Value;

use super::client::{Completion, Embedded};

/// What a model is asked.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The model.
    pub model: &'a str,
    /// The rules.
    pub system: &'a str,
    /// What was said so far: the question with its sources, and perhaps an answer and what was wrong with it.
    pub turns: &'a [Turn],
    /// Tokens of the answer at the most.
    pub max_tokens: u32,
    /// How freely it chooses its words, in hundredths.
    pub temperature: u32,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Ours.
    User(String),
    /// The model's.
    Assistant(String),
}

/// The request of an answer.
pub(super) fn chat_request(asked: &Asked<'_>) -> CreateChatCompletionRequest {
    let system = ChatCompletionRequestMessage::System(ChatCompletionRequestSystemMessage::from(asked.system));
    let turns = asked.turns.iter().map(|turn| match turn {
        Turn::User(text) => ChatCompletionRequestMessage::User(ChatCompletionRequestUserMessage::from(text.as_str())),
        Turn::Assistant(text) => {
            ChatCompletionRequestMessage::Assistant(ChatCompletionRequestAssistantMessage::from(text.as_str()))
        }
    });
    CreateChatCompletionRequest {
        model: asked.model.to_owned(),
        messages: std::iter::once(system).chain(turns).collect(),
        max_tokens: Some(asked.max_tokens),
        temperature: format!("{}.{:02}", asked.temperature / 100, asked.temperature % 100).parse().ok(),
        ..CreateChatCompletionRequest::default()
    }
}

/// The request of vectors.
pub(super) fn embedding_request(model: &str, texts: &[String]) -> CreateEmbeddingRequest {
    CreateEmbeddingRequest {
        model: model.to_owned(),
        input: EmbeddingInput::StringArray(texts.to_vec()),
        ..CreateEmbeddingRequest::default()
    }
}

/// Reads `count` vectors of one dimension. Their indexes may be missing; then they are in their order.
pub(super) fn read_embeddings(body: &[u8], count: usize) -> Option<Embedded> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let rows = body.get("data").and_then(Value::as_array)?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
    for (at, row) in rows.iter().enumerate() {
        let at = row.get("index").and_then(Value::as_u64).map_or(Some(at), |index| usize::try_from(index).ok())?;
        let numbers = row.get("embedding").and_then(Value::as_array)?;
        #[allow(clippy::cast_possible_truncation, reason = "vectors have numbers of 32 bits")]
        let numbers = numbers.iter().map(|number| number.as_f64().map(|number| number as f32));
        *vectors.get_mut(at)? = Some(numbers.collect::<Option<Vec<f32>>>()?);
    }
    let vectors: Vec<Vec<f32>> = vectors.into_iter().collect::<Option<_>>()?;
    let dimension = vectors.first().map_or(0, Vec::len);
    let alike = dimension > 0 && vectors.iter().all(|vector| vector.len() == dimension);
    alike.then(|| Embedded { vectors, tokens: count_at(&body, "/usage/prompt_tokens") })
}

/// Reads an answer: a text, or its parts.
pub(super) fn read_completion(body: &[u8]) -> Option<Completion> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let content = body.pointer("/choices/0/message/content").or_else(|| body.pointer("/choices/0/text"))?;
    let text = match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect(),
        _ => return None,
    };
    Some(Completion {
        text,
        prompt_tokens: count_at(&body, "/usage/prompt_tokens"),
        completion_tokens: count_at(&body, "/usage/completion_tokens"),
        cached_tokens: count_at(&body, "/usage/prompt_tokens_details/cached_tokens"),
        model: body.get("model").and_then(Value::as_str).map(str::to_owned),
    })
}

fn count_at(body: &Value, pointer: &str) -> u64 {
    body.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// Whether a server says that nothing is left to be spent, which no second call changes.
pub(super) fn is_out_of_quota(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    ["/error/code", "/error/type", "/code", "/type"]
        .into_iter()
        .any(|place| body.pointer(place).and_then(Value::as_str) == Some("insufficient_quota"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_the_api_has() {
        let turns = [Turn::User("q".to_owned()), Turn::Assistant("a".to_owned())];
        let asked = Asked { model: "m", system: "s", turns: &turns, max_tokens: 300, temperature: 10 };
        let sent = serde_json::to_string(&chat_request(&asked)).unwrap();
        let expected = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"model":"m","max_tokens":300,"temperature":0.1}"#;
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let (mut sent, mut expected) = (value(&sent), value(expected));
        let temperature =
            |value: &mut Value| value.as_object_mut().unwrap().remove("temperature").unwrap().as_f64().unwrap();
        assert!((temperature(&mut sent) - temperature(&mut expected)).abs() < 1e-6);
        assert_eq!(sent, expected);
        let sent = serde_json::to_string(&embedding_request("m", &["a".to_owned()])).unwrap();
        assert_eq!(sent, r#"{"model":"m","input":["a"]}"#);
    }

    /// Without ids, indexes, usage and model, and with more than is known.
    #[test]
    fn what_servers_leave_out_is_not_missed() {
        let embedded = read_embeddings(br#"{"data":[{"embedding":[1,2.5]},{"embedding":[0,1]}],"x":1}"#, 2).unwrap();
        assert_eq!((embedded.vectors, embedded.tokens), (vec![vec![1.0, 2.5], vec![0.0, 1.0]], 0));
        let turned = read_embeddings(br#"{"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":[2]}]}"#, 2);
        assert_eq!(turned.unwrap().vectors, [[2.0], [1.0]]);
        let parts = br#"{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"text":"b"}]}}]}"#;
        assert_eq!(read_completion(parts).unwrap().text, "ab");
        for bad in [
            &b"{\"data\":["[..],
            br#"{"data":[]}"#,
            br#"{"data":[{"embedding":[]}]}"#,
            br#"{"data":[{"embedding":["x"]}]}"#,
            br#"{"data":[{"index":7,"embedding":[1]}]}"#,
            br#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#,
        ] {
            assert_eq!(read_embeddings(bad, 1), None, "{}", String::from_utf8_lossy(bad));
        }
        assert_eq!(read_embeddings(br#"{"data":[{"embedding":[1]},{"embedding":[1,2]}]}"#, 2), None);
        assert_eq!(read_completion(br#"{"choices":[]}"#), None);
        assert_eq!(read_completion(br#"{"choices":[{"message":{"content":null}}]}"#), None);
        assert!(is_out_of_quota(br#"{"error":{"code":"insufficient_quota"}}"#));
        assert!(!is_out_of_quota(br#"{"error":{"code":429}}"#) && !is_out_of_quota(b"busy"));
    }
}
