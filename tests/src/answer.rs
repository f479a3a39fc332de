//! What a server answered.

use serde_json::Value;

/// An answer to a GraphQL request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The data; panics when there is any error.
    #[track_caller]
    pub fn data(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "unexpected errors: {:#}", self.body);
        &self.body["data"]
    }

    /// The value at a JSON pointer below the data; panics when there is any error.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> &Value {
        self.data().pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer} in {:#}", self.body))
    }

    /// The text at a JSON pointer below the data.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("no text at {pointer} in {:#}", self.body))
    }

    /// The codes of the errors, in order.
    pub fn codes(&self) -> Vec<&str> {
        let errors = self.body.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("no code")).collect()
    }

    /// How many SQL statements it took.
    #[track_caller]
    pub fn statements(&self) -> u64 {
        self.body["extensions"]["profile"]["statements"]
            .as_u64()
            .unwrap_or_else(|| panic!("no profile in {:#}", self.body))
    }
}
