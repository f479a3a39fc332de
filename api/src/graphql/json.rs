//! Answers as JSON.
//!
//! Most of an answer is written while its rows are read (see `rows.rs`), and the engine carries it as bytes. No type of
//! the schema is binary: bytes are always JSON.

use std::fmt::{Display, Write};

use async_graphql::Value;
use serde::Serialize;

/// JSON that is being written.
#[derive(Clone, Debug, Default)]
pub struct Json(Vec<u8>);

impl Json {
    /// Nothing yet, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A value of the engine, in room that is taken once: an answer may be long.
    pub fn of(value: &Value) -> Self {
        let mut json = Self::with_capacity(length(value));
        json.value(value);
        json
    }

    /// Writes what is JSON already.
    pub fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// Writes a string, a number or a boolean.
    pub fn scalar(&mut self, value: impl Serialize) {
        let length = self.0.len();
        if serde_json::to_writer(&mut self.0, &value).is_err() {
            self.0.truncate(length);
            self.raw("null");
        }
    }

    /// Writes a string that is known to be made of letters, digits and the like: nothing in it has to be escaped.
    pub fn plain(&mut self, text: impl Display) {
        self.0.push(b'"');
        // Memory can always be written to.
        let _ = write!(self, "{text}");
        self.0.push(b'"');
    }

    /// Writes such a string that is text already.
    pub fn plain_text(&mut self, text: &str) {
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
    }

    /// Writes the name of a field, and what stands between it and its value.
    pub fn key(&mut self, name: &str) {
        self.plain_text(name);
        self.0.push(b':');
    }

    /// Writes a value of the engine.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.raw("null"),
            Value::Number(number) => self.scalar(number),
            Value::String(text) => self.scalar(text),
            Value::Boolean(truth) => self.scalar(truth),
            Value::Binary(json) => self.0.extend_from_slice(json),
            Value::Enum(name) => self.plain_text(name),
            Value::List(values) => {
                self.0.push(b'[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        self.0.push(b',');
                    }
                    self.value(value);
                }
                self.0.push(b']');
            }
            Value::Object(fields) => {
                self.0.push(b'{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        self.0.push(b',');
                    }
                    self.scalar(name);
                    self.0.push(b':');
                    self.value(value);
                }
                self.0.push(b'}');
            }
        }
    }

    /// Writes a part of other JSON.
    pub(super) fn part(&mut self, json: &[u8]) {
        self.0.extend_from_slice(json);
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// As the engine carries it.
    pub fn into_value(self) -> Value {
        Value::Binary(self.0.into())
    }

    /// As text.
    pub fn into_text(self) -> String {
        // Only whole texts were written.
        String::from_utf8(self.0).unwrap_or_else(|_| "null".to_owned())
    }
}

/// About how many bytes a value takes; most of them are JSON already.
fn length(value: &Value) -> usize {
    match value {
        Value::Binary(json) => json.len(),
        Value::String(text) => text.len() + 2,
        Value::Enum(name) => name.len() + 2,
        Value::List(values) => values.iter().map(|value| length(value) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + length(value) + 4).sum::<usize>() + 2,
        Value::Null | Value::Number(_) | Value::Boolean(_) => 8,
    }
}

impl Write for Json {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.raw(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Name, value};

    use super::*;

    /// What the engine makes is written as its own writer does; bytes go in as they are.
    #[test]
    fn values_are_written_as_json() {
        let all = value!({
            "text": "a \"quote\", a \\, a\nline, \u{7} and é", "number": -12, "float": 0.5, "big": 18446744073709551615u64,
            "none": null, "yes": true, "list": [[], {}, [1, "2"]], "object": {"a": {"b": "c"}},
        });
        let mut json = Json::default();
        json.value(&all);
        assert_eq!(json.into_text(), serde_json::to_string(&all).unwrap());
        let mut json = Json::default();
        json.value(&Value::List(vec![Value::Enum(Name::new("PAID")), Value::Binary(b"{\"a\":1}".to_vec().into())]));
        assert_eq!(json.into_text(), "[\"PAID\",{\"a\":1}]");
    }
}
