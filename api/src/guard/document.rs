//! How large a parsed document is once its fragments stand in their places.
//!
//! Each definition is read once, and what a fragment amounts to is remembered, so that the work is as long as the
//! text whatever it amounts to. All of a document is measured and not only what runs: the engine validates the other
//! operations and the unused fragments too, and its rules follow spreads wherever they lead.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, FragmentDefinition, FragmentSpread, OperationDefinition, Selection,
    SelectionSet, VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned};

use super::model::{self, Model};
use super::values::Values;
use super::{Limits, Refusal};
use crate::error::code;

/// Most values in all arguments, variables put in. The engine copies a variable at each place where it stands, and
/// one request may hold 50,000 values.
const MAX_VALUES: u64 = 100_000;

/// Most fields that are compared with others of their level: at least this, or four times the fields of an operation.
/// The engine compares in each selection set anew, with all fragments in it.
const MAX_COMPARED: u64 = 8_000;

/// What an operation, a fragment or a selection set amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Levels of fields.
    pub depth: usize,
    /// Levels of selection sets, those of fragments included.
    pub levels: usize,
    /// Fields and fragments.
    pub fields: u64,
    /// Aliases.
    pub aliases: u64,
    /// Directives.
    pub directives: u64,
    /// Fields and fragments on the first level of fields.
    pub level: u64,
}

/// Refuses a document that is too large, and tells where it asks for the schema, if it does.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    limits: &Limits,
    model: &Model,
    values: &Values<'_>,
) -> Result<Option<Pos>, Refusal> {
    let count = document.operations.iter().len();
    if count > limits.operations {
        return Err(too_complex("operations", widen(count), widen(limits.operations)));
    }
    let mut walk = Walk {
        fragments: &document.fragments,
        limits,
        model,
        values,
        sizes: HashMap::with_capacity(document.fragments.len()),
        introspects: None,
        arguments: 0,
        compared: 0,
        nesting: 0,
    };
    walk.operation(operation)?;
    for (_, other) in document.operations.iter() {
        if !std::ptr::eq(&raw const other.node, operation) {
            walk.operation(&other.node)?;
        }
    }
    for (name, fragment) in &document.fragments {
        let size = walk.fragment(name, fragment, fragment.pos)?;
        walk.within_limits(&size)?;
    }
    let compared = widen(limits.fields).saturating_mul(4).max(MAX_COMPARED);
    if walk.compared > compared {
        return Err(too_complex("fields to compare, fragments counted at each level", walk.compared, compared));
    }
    if walk.arguments > MAX_VALUES {
        return Err(too_complex("values in arguments", walk.arguments, MAX_VALUES));
    }
    Ok(walk.introspects)
}

struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    limits: &'a Limits,
    model: &'a Model,
    values: &'a Values<'a>,
    /// The fragments that were measured; `None` for those that are being measured.
    sizes: HashMap<&'a str, Option<Size>>,
    /// Where the document asks for the schema.
    introspects: Option<Pos>,
    /// Values in arguments.
    arguments: u64,
    /// Fields and fragments of all levels, each counted again at each level that encloses it.
    compared: u64,
    /// How many selection sets are around this one.
    nesting: usize,
}

impl<'a> Walk<'a> {
    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<(), Refusal> {
        let mut size = Size::default();
        for definition in &operation.variable_definitions {
            self.variable(definition)?;
            self.directives(&mut size, &definition.node.directives)?;
        }
        self.directives(&mut size, &operation.directives)?;
        size.include(&self.selections(&operation.selection_set.node)?);
        self.within_limits(&size)
    }

    fn variable(&self, definition: &Positioned<VariableDefinition>) -> Result<(), Refusal> {
        let name = model::base(&definition.node.var_type.node);
        if self.model.knows(name) {
            return Ok(());
        }
        // The engine would fail at the default value of a list of what it does not know.
        let message = format!("the variable ${} is of a type that is not known", definition.node.name.node);
        Err(Refusal { code: code::VALIDATION_FAILED, message, position: Some(definition.pos) })
    }

    fn fragment(
        &mut self,
        name: &'a str,
        fragment: &'a Positioned<FragmentDefinition>,
        at: Pos,
    ) -> Result<Size, Refusal> {
        match self.sizes.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let message = format!("the fragment {name} leads back to itself");
                return Err(Refusal { code: code::VALIDATION_FAILED, message, position: Some(at) });
            }
            None => {}
        }
        self.sizes.insert(name, None);
        let mut size = Size::default();
        self.directives(&mut size, &fragment.node.directives)?;
        size.include(&self.selections(&fragment.node.selection_set.node)?);
        self.sizes.insert(name, Some(size));
        Ok(size)
    }

    fn selections(&mut self, set: &'a SelectionSet) -> Result<Size, Refusal> {
        if set.items.is_empty() {
            return Ok(Size::default());
        }
        self.enclosed(1)?;
        self.nesting += 1;
        let mut all = Size::default();
        for selection in &set.items {
            let size = match &selection.node {
                Selection::Field(field) => self.field(field)?,
                Selection::FragmentSpread(spread) => self.spread(spread)?,
                Selection::InlineFragment(inline) => {
                    let mut size = Size::one();
                    self.directives(&mut size, &inline.node.directives)?;
                    size.include(&self.selections(&inline.node.selection_set.node)?);
                    size
                }
            };
            all.include(&size);
        }
        self.nesting -= 1;
        all.levels += 1;
        self.compared = self.compared.saturating_add(all.level);
        Ok(all)
    }

    fn field(&mut self, field: &'a Positioned<Field>) -> Result<Size, Refusal> {
        let (at, field) = (field.pos, &field.node);
        // `__type` may be null, and is where introspection is off: then no type is known.
        if field.name.node == "__schema" {
            self.introspects.get_or_insert(at);
        }
        let mut size = Size::one();
        size.aliases = u64::from(field.alias.is_some());
        self.arguments(at, &field.arguments)?;
        self.directives(&mut size, &field.directives)?;
        let below = self.selections(&field.selection_set.node)?;
        size.include(&Size { level: 0, ..below });
        size.depth = below.depth + 1;
        Ok(size)
    }

    fn spread(&mut self, spread: &'a Positioned<FragmentSpread>) -> Result<Size, Refusal> {
        let mut size = Size::one();
        self.directives(&mut size, &spread.node.directives)?;
        let name = spread.node.fragment_name.node.as_str();
        // That a fragment does not exist is for validation to say.
        if let Some((name, fragment)) = self.fragments.get_key_value(name) {
            let fragment = self.fragment(name, fragment, spread.pos)?;
            self.enclosed(fragment.levels)?;
            size.include(&fragment);
        }
        Ok(size)
    }

    fn directives(&mut self, size: &mut Size, directives: &'a [Positioned<Directive>]) -> Result<(), Refusal> {
        for directive in directives {
            size.directives = size.directives.saturating_add(1);
            self.arguments(directive.pos, &directive.node.arguments)?;
        }
        Ok(())
    }

    /// Each argument is compared with each other one, so that their number is bound to what there is in the schema.
    fn arguments(
        &mut self,
        at: Pos,
        arguments: &[(Positioned<Name>, Positioned<async_graphql_value::Value>)],
    ) -> Result<(), Refusal> {
        if arguments.len() > self.model.max_arguments.max(1) {
            let message = format!("{} arguments are more than any field has", arguments.len());
            return Err(Refusal { code: code::VALIDATION_FAILED, message, position: Some(at) });
        }
        for (_, value) in arguments {
            self.arguments = self.arguments.saturating_add(self.values.size(&value.node));
        }
        Ok(())
    }

    /// Refuses what is nested too deep, fragments put in: the engine recurses with each level.
    fn enclosed(&self, levels: usize) -> Result<(), Refusal> {
        let (levels, limit) = (self.nesting + levels, self.limits.nesting);
        if levels > limit {
            return Err(too_complex("levels of braces, fragments put in", widen(levels), widen(limit)));
        }
        Ok(())
    }

    fn within_limits(&self, size: &Size) -> Result<(), Refusal> {
        for (what, number, limit) in [
            ("levels of fields", widen(size.depth), self.limits.depth),
            ("fields and fragments, each counted as often as it is spread", size.fields, self.limits.fields),
            ("aliases", size.aliases, self.limits.aliases),
            ("directives", size.directives, self.limits.directives),
        ] {
            if number > widen(limit) {
                return Err(too_complex(what, number, widen(limit)));
            }
        }
        Ok(())
    }
}

impl Size {
    /// One field or fragment, without what is in it.
    fn one() -> Self {
        Self { fields: 1, level: 1, ..Self::default() }
    }

    /// Adds what stands beside or in this.
    fn include(&mut self, other: &Self) {
        self.depth = self.depth.max(other.depth);
        self.levels = self.levels.max(other.levels);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.level = self.level.saturating_add(other.level);
    }
}

/// The refusal of an operation that has more of something than it may have.
pub(super) fn too_complex(what: &str, number: u64, limit: u64) -> Refusal {
    let message = format!("there are {number} {what}; at most {limit} may be asked for");
    Refusal { code: code::TOO_COMPLEX, message, position: None }
}

fn widen(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
