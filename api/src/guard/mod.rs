//! The guard: what a document may ask for, decided before the engine sees it, on every transport.
//!
//! Nothing in here may cost more than its input is long: a text is read once before it is parsed, and a parsed
//! document is measured once per fragment, however often the fragment is spread.

mod cost;
mod document;
mod inputs;
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod text;
mod values;

use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Name, Pos, Positioned, Value, Variables};

use crate::bounded::Bounded;
use crate::error::code;
use model::Model;
use values::Values;

/// About how many fields of introspection one operation may be answered. The standard query asks for a quarter of it.
const MAX_INTROSPECTION: u64 = 1_000_000;

/// How many parsed documents are kept.
const PARSED: usize = 1_000;

/// Bytes that all of them take at the most: some three hundred documents as people write them.
const PARSED_BYTES: usize = 16 * 1024 * 1024;

/// About what a token takes once it is parsed; a field takes the most.
const BYTES_A_TOKEN: usize = 300;

/// What one document may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of its text.
    pub bytes: usize,
    /// Tokens.
    pub tokens: usize,
    /// Brackets inside brackets; selection sets inside selection sets, fragments put in.
    pub nesting: usize,
    /// Operations.
    pub operations: usize,
    /// Levels of fields of an operation.
    pub depth: usize,
    /// Fields and fragments of an operation, each as often as it is spread.
    pub fields: usize,
    /// Aliases of an operation, counted alike.
    pub aliases: usize,
    /// Directives of an operation, counted alike.
    pub directives: usize,
    /// The cost of the operation that runs.
    pub cost: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 65_536,
            tokens: 1_000,
            nesting: 40,
            operations: 10,
            depth: 20,
            fields: 2_000,
            aliases: 100,
            directives: 50,
            cost: 20_000,
        }
    }
}

/// Why a document is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`code`].
    pub code: &'static str,
    /// Words for the caller; no text of the parser.
    pub message: String,
    /// Where in the document.
    pub position: Option<Pos>,
}

/// A document that may run.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The parsed document.
    pub document: ExecutableDocument,
    /// The name of the operation that is meant, if it has one.
    pub name: Option<Name>,
    /// What kind of operation it is.
    pub kind: OperationType,
    /// What the operation costs.
    pub cost: u64,
    /// Whether it reads public reference data alone, so that everybody may see and keep the answer.
    pub public: bool,
}

/// Lets documents through, or says why not.
#[derive(Clone, Debug)]
pub struct Guard {
    limits: Limits,
    model: Model,
    max_page_size: u64,
    introspection: bool,
    parsed: Arc<Bounded<Arc<str>, Parsed>>,
}

/// A document that was parsed before.
#[derive(Clone, Debug)]
struct Parsed {
    document: Arc<ExecutableDocument>,
    tokens: usize,
}

impl Guard {
    /// A guard with these limits, for the schema whose text is `sdl`. A page is never larger than `max_page_size`
    /// rows. Without `introspection` nobody may ask for the schema.
    ///
    /// # Errors
    /// When the text is no schema.
    pub fn new(
        limits: Limits,
        sdl: &str,
        max_page_size: u32,
        introspection: bool,
    ) -> Result<Self, async_graphql::parser::Error> {
        let size = |text: &Arc<str>, parsed: &Parsed| text.len() + parsed.tokens * BYTES_A_TOKEN;
        let parsed = Arc::new(Bounded::new(PARSED, PARSED_BYTES, size));
        Ok(Self { limits, model: Model::new(sdl)?, max_page_size: max_page_size.into(), introspection, parsed })
    }

    /// Whether the schema may be asked for.
    pub fn allows_introspection(&self) -> bool {
        self.introspection
    }

    /// Parses a document that is safe to parse, and refuses any other.
    ///
    /// # Errors
    /// When the document is too large, is not GraphQL, or asks for too much.
    pub fn admit(&self, text: &str, name: Option<&str>, variables: &Variables) -> Result<Admitted, Refusal> {
        let refused = |code, message: String| Refusal { code, message, position: None };
        let document = self.parse(text)?;
        let (name, operation) = operation(&document.operations, name)
            .map_err(|message| refused(code::VALIDATION_FAILED, message.to_owned()))?;
        if let Some(name) = missing_variable(&operation.node, variables) {
            let message = format!("the variable ${name} is needed and not given");
            return Err(refused(code::VALIDATION_FAILED, message));
        }
        let (name, kind) = (name.cloned(), operation.node.ty);
        let cost = self.measure(&document, &operation.node, variables)?;
        let document = ExecutableDocument::clone(&document);
        Ok(Admitted { document, name, kind, cost: cost.cost, public: cost.public })
    }

    /// Parses a text, or finds what came of it the last time: front ends send few documents, and often.
    fn parse(&self, text: &str) -> Result<Arc<ExecutableDocument>, Refusal> {
        if let Some(document) = self.parsed.get(text) {
            return Ok(document.document);
        }
        let refused = |message, position| Refusal { code: code::PARSE_FAILED, message, position };
        let tokens = text::check(text, &self.limits).map_err(|message| refused(message, None))?;
        let document = async_graphql::parser::parse_query(text)
            .map_err(|error| refused("the document is not GraphQL".to_owned(), error.positions().next()))?;
        let document = Arc::new(document);
        self.parsed.keep(&text.into(), Parsed { document: Arc::clone(&document), tokens });
        Ok(document)
    }

    fn measure(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> Result<cost::Cost, Refusal> {
        let values = Values::new(operation, variables);
        let introspects = document::check(document, operation, &self.limits, &self.model, &values)?;
        if introspects.is_some() && !self.introspection {
            let message = "introspection is off here: the schema cannot be asked for".to_owned();
            return Err(Refusal { code: code::INTROSPECTION_DISABLED, message, position: introspects });
        }
        let cost = cost::cost(document, operation, &self.model, &values, self.max_page_size);
        if cost.cost > self.limits.cost {
            return Err(document::too_complex("points of cost", cost.cost, self.limits.cost));
        }
        if cost.introspection > MAX_INTROSPECTION {
            let what = "fields of introspection in the answer";
            return Err(document::too_complex(what, cost.introspection, MAX_INTROSPECTION));
        }
        inputs::check(document, operation, variables, &self.model)?;
        Ok(cost)
    }
}

/// The operation that is meant, with its name.
fn operation<'a>(
    operations: &'a DocumentOperations,
    name: Option<&str>,
) -> Result<(Option<&'a Name>, &'a Positioned<OperationDefinition>), &'static str> {
    match (operations, name) {
        (DocumentOperations::Single(operation), None) => Ok((None, operation)),
        (DocumentOperations::Multiple(all), Some(name)) => {
            let named = all.get_key_value(name).ok_or("the document has no such operation")?;
            Ok((Some(named.0), named.1))
        }
        (DocumentOperations::Multiple(all), None) => match all.iter().next().filter(|_| all.len() == 1) {
            Some((name, only)) => Ok((Some(name), only)),
            None => Err("the document has several operations: name one"),
        },
        (DocumentOperations::Single(_), Some(_)) => Err("the document has no such operation"),
    }
}

/// A variable that must not be null and is. The engine looks at a variable only where it is used, and takes a
/// missing one for a missing argument.
fn missing_variable<'a>(operation: &'a OperationDefinition, variables: &Variables) -> Option<&'a str> {
    let missing = operation.variable_definitions.iter().map(|definition| &definition.node).find(|definition| {
        let needed = !definition.var_type.node.nullable;
        needed
            && match variables.get(&definition.name.node) {
                Some(value) => *value == Value::Null,
                None => definition.default_value.is_none(),
            }
    });
    missing.map(|definition| definition.name.node.as_str())
}
