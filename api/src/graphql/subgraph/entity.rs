//! What a gateway names by its keys.

use async_graphql::indexmap::IndexMap;
use async_graphql::{Context, ID, InputType, InputValueResult, Name, Scalar, ScalarType, Union, Value};

use crate::error::{Error, Result, code};
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::scalars::{CurrencyCode, Date, HsCode};
use crate::graphql::types::ask_result::Answer;
use crate::graphql::types::commodity::Commodity;
use crate::graphql::types::duty_measure::DutyMeasure;
use crate::graphql::types::installment::Installment;
use crate::graphql::types::node::Node;
use crate::graphql::types::payment::Payment;
use crate::graphql::types::prompt::Prompt;
use crate::graphql::types::rate::{CurrencyRate, RatePurpose};
use crate::graphql::types::receipt::Receipt;
use crate::graphql::types::refund::Refund;
use crate::graphql::types::regulation::Regulation;
use crate::graphql::types::regulation_chunk::RegulationChunk;
use crate::loaders::payments::PaymentReferenceKey;
use crate::loaders::rates::{MissingPolicy, RateAnswer, RateKey};

/// Whatever another subgraph can name by a key.
#[derive(Clone, Debug, Union)]
#[graphql(name = "_Entity")]
pub enum Entity {
    /// A payment.
    Payment(Payment),
    /// An installment.
    Installment(Installment),
    /// A receipt.
    Receipt(Receipt),
    /// A refund.
    Refund(Refund),
    /// A commodity.
    Commodity(Commodity),
    /// A rate.
    CurrencyRate(CurrencyRate),
    /// A measure of export duty or levy.
    DutyMeasure(DutyMeasure),
    /// A regulation.
    Regulation(Regulation),
    /// A piece of a regulation's text.
    RegulationChunk(RegulationChunk),
    /// A prompt of the library.
    Prompt(Prompt),
    /// An answer of the assistant.
    Answer(Answer),
}

/// A thing as another subgraph names it: an object with its `__typename` and the fields of one of its keys.
#[derive(Clone, Debug)]
pub struct Representation(Value);

/// A thing as another subgraph names it: an object with its `__typename` and the fields of one of its keys.
#[Scalar(name = "_Any")]
impl ScalarType for Representation {
    // Whatever it is: what makes no sense is an error of its place in the list, not of the request.
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

impl Entity {
    /// What a representation names; `None` when that does not exist or belongs to another account.
    ///
    /// # Errors
    /// [`code::BAD_USER_INPUT`] when it names nothing; otherwise when it cannot be loaded.
    pub async fn fetch(ctx: &Context<'_>, representation: &Representation) -> Result<Option<Self>> {
        match EntityKey::read(&representation.0)? {
            EntityKey::Node(id) => Ok(Node::fetch(ctx, id).await?.map(Self::from)),
            EntityKey::PaymentReference(reference) => {
                let row = ctx.load(PaymentReferenceKey(reference)).await?;
                row.map(|row| Payment::new(row).map(Self::Payment)).transpose()
            }
            EntityKey::Rate(key) => match ctx.load(key).await? {
                RateAnswer::Found(rate) => Ok(Some(Self::CurrencyRate(CurrencyRate(rate)))),
                RateAnswer::Missing(_) => Ok(None),
            },
        }
    }
}

impl From<Node> for Entity {
    fn from(node: Node) -> Self {
        match node {
            Node::Payment(payment) => Self::Payment(payment),
            Node::Installment(installment) => Self::Installment(installment),
            Node::Receipt(receipt) => Self::Receipt(receipt),
            Node::Refund(refund) => Self::Refund(refund),
            Node::Commodity(commodity) => Self::Commodity(commodity),
            Node::DutyMeasure(measure) => Self::DutyMeasure(measure),
            Node::Regulation(regulation) => Self::Regulation(regulation),
            Node::RegulationChunk(chunk) => Self::RegulationChunk(chunk),
            Node::Prompt(prompt) => Self::Prompt(prompt),
            Node::Answer(answer) => Self::Answer(answer),
        }
    }
}

/// What a representation says, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
enum EntityKey {
    Node(GlobalId),
    PaymentReference(String),
    Rate(RateKey),
}

impl EntityKey {
    fn read(representation: &Value) -> Result<Self> {
        let Value::Object(fields) = representation else {
            return Err(malformed("a representation is an object"));
        };
        let fields = Fields(fields);
        let typename: String = fields.required("__typename")?;
        match typename.as_str() {
            "Payment" => match fields.optional::<ID>("id")? {
                Some(id) => node(&id, |id| matches!(id, GlobalId::Payment(_))),
                None => fields.required("reference").map(Self::PaymentReference),
            },
            "Installment" => node(&fields.required::<ID>("id")?, |id| matches!(id, GlobalId::Installment(_))),
            "Receipt" => node(&fields.required::<ID>("id")?, |id| matches!(id, GlobalId::Receipt(_))),
            "Refund" => node(&fields.required::<ID>("id")?, |id| matches!(id, GlobalId::Refund(_))),
            "Commodity" => match fields.optional::<ID>("id")? {
                Some(id) => node(&id, |id| matches!(id, GlobalId::Commodity(_))),
                None => {
                    let code: HsCode = fields.required("code")?;
                    Ok(Self::Node(GlobalId::Commodity(code.0.as_str().to_owned())))
                }
            },
            "DutyMeasure" => node(&fields.required::<ID>("id")?, |id| matches!(id, GlobalId::DutyMeasure(_))),
            "Regulation" => node(&fields.required::<ID>("id")?, |id| matches!(id, GlobalId::Regulation(_))),
            "RegulationChunk" => node(&fields.required::<ID>("id")?, |id| matches!(id, GlobalId::RegulationChunk(_))),
            "Prompt" => node(&fields.required::<ID>("id")?, |id| matches!(id, GlobalId::Prompt(_))),
            "Answer" => node(&fields.required::<ID>("id")?, |id| matches!(id, GlobalId::Answer(_))),
            "CurrencyRate" => Ok(Self::Rate(RateKey {
                purpose: fields.required::<RatePurpose>("purpose")?.into(),
                base: fields.required::<CurrencyCode>("base")?.0,
                quote: fields.required::<CurrencyCode>("quote")?.0,
                on: fields.required::<Date>("requestedDate")?.0,
                // What `currencyRate` does when it is not told.
                missing: MissingPolicy::Previous,
            })),
            _ => Err(malformed("no type with this __typename has a key here")),
        }
    }
}

fn node(id: &str, of_its_kind: impl Fn(&GlobalId) -> bool) -> Result<EntityKey> {
    let id = GlobalId::parse(id).ok().filter(of_its_kind);
    id.map(EntityKey::Node).ok_or_else(|| malformed("id is not one of this type"))
}

/// The fields of a representation.
struct Fields<'a>(&'a IndexMap<Name, Value>);

impl Fields<'_> {
    fn optional<T: InputType>(&self, name: &str) -> Result<Option<T>> {
        let value = self.0.get(name).cloned();
        // What exactly is wrong with it is not for the client: it did not write the representation.
        value
            .map(|value| T::parse(Some(value)).map_err(|_| malformed(format!("{name} is no {}", T::type_name()))))
            .transpose()
    }

    fn required<T: InputType>(&self, name: &str) -> Result<T> {
        self.optional(name)?.ok_or_else(|| malformed(format!("{name} is missing")))
    }
}

fn malformed(message: impl Into<String>) -> Error {
    Error::caller(code::BAD_USER_INPUT, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(representation: serde_json::Value) -> Result<EntityKey> {
        EntityKey::read(&Value::from_json(representation).unwrap())
    }

    /// Each key is understood, and `id` goes before what else is said.
    #[test]
    fn each_key_is_read() {
        let cocoa = EntityKey::Node(GlobalId::Commodity("180100".to_owned()));
        assert_eq!(read(json!({ "__typename": "Commodity", "id": "com_180100", "code": "?" })).unwrap(), cocoa);
        assert_eq!(read(json!({ "__typename": "Commodity", "code": "1801.00" })).unwrap(), cocoa);
        let reference = EntityKey::PaymentReference("P".to_owned());
        assert_eq!(read(json!({ "__typename": "Payment", "reference": "P" })).unwrap(), reference);
        let rate = json!({
            "__typename": "CurrencyRate", "base": "EUR", "quote": "IDR", "requestedDate": "2026-10-25",
            "purpose": "REFERENCE",
        });
        let Ok(EntityKey::Rate(key)) = read(rate) else { panic!("this is the key of a rate") };
        assert_eq!((key.base.code(), key.on.to_string().as_str()), ("EUR", "2026-10-25"));
        assert_eq!(key.missing, MissingPolicy::Previous);
    }

    /// Whatever a gateway sends, the answer is the caller's error and never one of ours.
    #[test]
    fn what_makes_no_sense_is_refused() {
        for representation in [
            json!(null),
            json!("Payment"),
            json!([]),
            json!({}),
            json!({ "__typename": 1 }),
            json!({ "__typename": "Payment" }),
            json!({ "__typename": "Payment", "id": null }),
            json!({ "__typename": "Payment", "id": ["pay_1"] }),
            json!({ "__typename": "Payment", "id": "ins_00000000000000000000000000000000" }),
            json!({ "__typename": "Payment", "reference": 7 }),
            json!({ "__typename": "Installment", "reference": "P" }),
            json!({ "__typename": "Commodity", "code": "18x" }),
            json!({ "__typename": "Viewer", "id": "x" }),
            json!({ "__typename": "CurrencyRate", "base": "EUR", "quote": "IDR", "requestedDate": "2026-10-30" }),
            json!({
                "__typename": "CurrencyRate", "base": "EUR", "quote": "XXQ", "requestedDate": "2026-10-30",
                "purpose": "REFERENCE",
            }),
        ] {
            assert_eq!(read(representation.clone()).unwrap_err().code(), code::BAD_USER_INPUT, "{representation}");
        }
    }
}
