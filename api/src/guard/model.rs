//! What the schema says about its fields, read once from its text, so that no field can be forgotten.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, ServiceDocument, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::parser::types::{OperationType, TypeDefinition};
use async_graphql::{Name, Positioned, Value};

use super::inputs::Kind;
use crate::graphql::scalars;

/// How many rows a page has when neither the document nor the schema says.
const DEFAULT_PAGE: u64 = 20;

/// How many rows a list is taken to have when nothing says.
pub(super) const ASSUMED_ROWS: u64 = 10;

/// The fields of the query root whose answers are the same for everybody. What is not listed is private.
const PUBLIC_ROOTS: [&str; 10] = [
    "currencies",
    "currencyRate",
    "currencyRates",
    "convert",
    "commodity",
    "commodities",
    "referencePrices",
    "exportDutyQuote",
    "regulation",
    "rateSeries",
];

/// The types in which nothing belongs to an account. What is not listed is private.
const PUBLIC_TYPES: [&str; 24] = [
    "Commodity",
    "CommodityChildConnection",
    "CommodityChildEdge",
    "CommodityConnection",
    "CommodityEdge",
    "Conversion",
    "Currency",
    "CurrencyRate",
    "DutyBand",
    "DutyMeasure",
    "ExactMoney",
    "ExportDutyQuote",
    "Money",
    "PageInfo",
    "PricePoint",
    "QuoteStep",
    "QuoteUnavailable",
    "RateLeg",
    "RatePoint",
    "RateSeries",
    "RateSource",
    "RateUnavailable",
    "ReferencePrice",
    "Regulation",
];

/// Days that mean no day when they are null. What is not listed means the account's current one.
const BOUNDS: [&str; 3] = ["from", "to", "dutiableOn"];

/// The schema as far as the guard has to know it.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// The types that have fields, and the unions.
    types: HashMap<String, Object>,
    query: String,
    mutation: Option<String>,
    subscription: Option<String>,
    /// All types by name, but for those of introspection.
    names: HashSet<String>,
    /// The input types of which the guard knows what they take.
    kinds: HashMap<String, Kind>,
    /// The most arguments that a field has.
    pub max_arguments: usize,
}

/// A type that can be selected from.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    /// Its fields; none for a union.
    pub fields: HashMap<String, Field>,
}

/// A field of the schema.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// The name of its type, whatever lists are around it.
    pub target: String,
    /// How often what is below it is answered.
    pub rows: Rows,
    /// Whether everybody gets the same answer.
    pub public: bool,
    /// Arguments that mean the account's current day when they are null.
    pub days: Vec<String>,
    /// The types of its arguments.
    pub arguments: HashMap<Name, Type>,
}

/// How often what is below a field is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Once.
    One,
    /// A connection: what is in its `edges` and `nodes` as often as `first` or `last` says, or else this often.
    Connection(u64),
    /// A list with `first` or `last`.
    Page(u64),
    /// The `edges` or `nodes` of a connection: the field above knows.
    OfConnection,
    /// A list as long as the longest of these arguments.
    AsLongAs(Vec<String>),
}

impl Model {
    /// Reads a schema.
    ///
    /// # Errors
    /// When the text is no schema.
    pub(super) fn new(sdl: &str) -> Result<Self, async_graphql::parser::Error> {
        let document = parse_schema(sdl)?;
        let mut model = Self {
            types: HashMap::new(),
            query: "Query".to_owned(),
            mutation: None,
            subscription: None,
            names: Kind::BUILT_IN.map(|(name, _)| name.to_owned()).into(),
            kinds: Kind::BUILT_IN.map(|(name, kind)| (name.to_owned(), kind)).into(),
            max_arguments: 0,
        };
        model.read_roots(&document);
        for definition in &document.definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                model.read_type(&definition.node);
            }
        }
        Ok(model)
    }

    fn read_roots(&mut self, document: &ServiceDocument) {
        for definition in &document.definitions {
            let TypeSystemDefinition::Schema(schema) = definition else { continue };
            if let Some(query) = &schema.node.query {
                self.query = query.node.to_string();
            }
            self.mutation = schema.node.mutation.as_ref().map(|name| name.node.to_string()).or(self.mutation.take());
            self.subscription =
                schema.node.subscription.as_ref().map(|name| name.node.to_string()).or(self.subscription.take());
        }
    }

    fn read_type(&mut self, definition: &TypeDefinition) {
        let name = definition.name.node.to_string();
        self.names.insert(name.clone());
        let fields = match &definition.kind {
            TypeKind::Object(object) => &object.fields,
            TypeKind::Interface(interface) => &interface.fields,
            TypeKind::Union(_) => &Vec::new(),
            TypeKind::InputObject(object) => {
                self.kinds.insert(name, Kind::Object(types(&object.fields)));
                return;
            }
            TypeKind::Scalar => {
                if let Some(check) = scalars::check_of(&name) {
                    self.kinds.insert(name, Kind::Scalar(check));
                }
                return;
            }
            TypeKind::Enum(_) => return,
        };
        let fields: Vec<_> = fields.iter().map(|field| self.read_field(&name, &field.node)).collect();
        // An extension of a type adds to it.
        self.types.entry(name).or_default().fields.extend(fields);
    }

    fn read_field(&mut self, parent: &str, field: &FieldDefinition) -> (String, Field) {
        self.max_arguments = self.max_arguments.max(field.arguments.len());
        let name = field.name.node.to_string();
        let nullable_day = |argument: &InputValueDefinition| {
            let is_bound = BOUNDS.contains(&argument.name.node.as_str());
            argument.ty.node.nullable && base(&argument.ty.node) == "Date" && !is_bound
        };
        let read = Field {
            target: base(&field.ty.node).to_owned(),
            rows: rows(parent, field),
            public: if parent == self.query {
                PUBLIC_ROOTS.contains(&name.as_str())
            } else {
                PUBLIC_TYPES.contains(&parent)
            },
            days: names(&field.arguments, nullable_day),
            arguments: types(&field.arguments),
        };
        (name, read)
    }

    /// The type with this name, when it can be selected from.
    pub(super) fn object(&self, name: &str) -> Option<&Object> {
        self.types.get(name)
    }

    /// The type that an operation starts from.
    pub(super) fn root(&self, kind: OperationType) -> Option<&Object> {
        let name = match kind {
            OperationType::Query => Some(&self.query),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => self.subscription.as_ref(),
        };
        name.and_then(|name| self.object(name))
    }

    /// Whether a type has this name; those of introspection are known to the engine alone.
    pub(super) fn knows(&self, name: &str) -> bool {
        name.starts_with("__") || self.names.contains(name)
    }

    /// What a type takes, whatever lists are around it; `None` where only the engine knows.
    pub(super) fn kind(&self, ty: &Type) -> Option<&Kind> {
        self.kinds.get(base(ty))
    }

    /// How many types there are.
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.names.len()).unwrap_or(u64::MAX)
    }
}

/// The name of a type, whatever lists are around it.
pub(super) fn base(mut ty: &Type) -> &str {
    loop {
        match &ty.base {
            BaseType::Named(name) => return name,
            BaseType::List(inner) => ty = inner,
        }
    }
}

fn rows(parent: &str, field: &FieldDefinition) -> Rows {
    let is_list = matches!(field.ty.node.base, BaseType::List(_));
    let mut sizes = field.arguments.iter().filter(|argument| is_page_size(&argument.node.name.node)).peekable();
    let page = sizes.peek().is_some().then(|| {
        let default = sizes.find_map(|argument| argument.node.default_value.as_ref()).map(|value| &value.node);
        match default {
            Some(Value::Number(number)) => number.as_u64().unwrap_or(DEFAULT_PAGE),
            _ => DEFAULT_PAGE,
        }
    });
    let is_connection = |name: &str| name.ends_with("Connection");
    match page {
        _ if is_list && is_connection(parent) && matches!(field.name.node.as_str(), "edges" | "nodes") => {
            Rows::OfConnection
        }
        _ if !is_list && is_connection(base(&field.ty.node)) => Rows::Connection(page.unwrap_or(ASSUMED_ROWS)),
        Some(page) => Rows::Page(page),
        None if is_list => {
            Rows::AsLongAs(names(&field.arguments, |argument| matches!(argument.ty.node.base, BaseType::List(_))))
        }
        None => Rows::One,
    }
}

/// Whether an argument says how many rows a page has.
pub(super) fn is_page_size(argument: &str) -> bool {
    matches!(argument, "first" | "last")
}

fn names(
    arguments: &[Positioned<InputValueDefinition>],
    wanted: impl Fn(&InputValueDefinition) -> bool,
) -> Vec<String> {
    arguments
        .iter()
        .filter(|argument| wanted(&argument.node))
        .map(|argument| argument.node.name.node.to_string())
        .collect()
}

fn types(values: &[Positioned<InputValueDefinition>]) -> HashMap<Name, Type> {
    values.iter().map(|value| (value.node.name.node.clone(), value.node.ty.node.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each list of the schema is answered. A field that is missing here would be counted wrongly.
    #[test]
    fn every_list_of_the_schema_has_a_rule() {
        let model = Model::new(&crate::graphql::sdl(false)).unwrap();
        let rows = |parent: &str, field: &str| model.object(parent).unwrap().fields[field].rows.clone();
        assert_eq!(rows("Query", "payments"), Rows::Connection(20));
        assert_eq!(rows("Payment", "installments"), Rows::Connection(12));
        assert_eq!(rows("Commodity", "children"), Rows::Connection(50));
        assert_eq!(rows("PaymentConnection", "edges"), Rows::OfConnection);
        assert_eq!(rows("PaymentConnection", "nodes"), Rows::OfConnection);
        assert_eq!(rows("PaymentConnection", "aggregates"), Rows::One);
        assert_eq!(rows("Query", "nodes"), Rows::AsLongAs(vec!["ids".to_owned()]));
        assert_eq!(rows("Query", "currencyRates"), Rows::AsLongAs(vec!["quotes".to_owned()]));
        assert_eq!(rows("Query", "currencies"), Rows::AsLongAs(vec![]));
        assert_eq!(rows("PlanPreview", "installments"), Rows::Page(100));
        assert_eq!(rows("PlanPreview", "userErrors"), Rows::AsLongAs(vec![]));
        assert_eq!(rows("Subscription", "rateUpdated"), Rows::One);
        // A type that is called a connection has rows, and whatever gives one says how many.
        for (name, object) in &model.types {
            for (field, read) in &object.fields {
                if read.target.ends_with("Connection") {
                    assert!(matches!(read.rows, Rows::Connection(1..=100)), "{name}.{field}: {:?}", read.rows);
                    let target = model.object(&read.target).unwrap();
                    assert!(target.fields.values().any(|field| field.rows == Rows::OfConnection), "{}", read.target);
                }
            }
        }
    }

    /// What a gateway asks for is a list as long as its argument, and nobody's but its own.
    #[test]
    fn a_subgraph_has_rules_too() {
        let model = Model::new(&crate::graphql::sdl(true)).unwrap();
        let entities = &model.root(OperationType::Query).unwrap().fields["_entities"];
        assert_eq!(entities.rows, Rows::AsLongAs(vec!["representations".to_owned()]));
        assert!(!entities.public);
    }

    /// The lists of what is public name what the schema has, so that a field that was renamed is noticed.
    #[test]
    fn what_is_public_is_in_the_schema() {
        let model = Model::new(&crate::graphql::sdl(false)).unwrap();
        for root in PUBLIC_ROOTS {
            assert!(model.object("Query").unwrap().fields[root].public, "{root}");
        }
        for name in PUBLIC_TYPES {
            assert!(model.object(name).unwrap().fields.values().all(|field| field.public), "{name}");
        }
        assert!(!model.object("Query").unwrap().fields["viewer"].public);
        assert!(!model.object("Query").unwrap().fields["previewInstallmentPlan"].public);
        assert!(!model.object("Node").unwrap().fields["id"].public);
        assert_eq!(model.object("Money").unwrap().fields["converted"].days, ["on"]);
    }
}
