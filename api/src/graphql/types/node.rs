//! Whatever has a global id.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface};

use super::ask_result::Answer;
use super::commodity::Commodity;
use super::duty_measure::DutyMeasure;
use super::installment::Installment;
use super::payment::Payment;
use super::prompt::Prompt;
use super::receipt::Receipt;
use super::refund::Refund;
use super::regulation::Regulation;
use super::regulation_chunk::RegulationChunk;
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::loaders::commodities::CommodityKey;
use crate::loaders::installments::InstallmentKey;
use crate::loaders::payments::PaymentKey;
use crate::loaders::receipts::ReceiptKey;
use crate::loaders::refunds::RefundKey;

/// Whatever has a global id.
#[derive(Clone, Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Global id, to be passed back and not to be taken apart."))]
pub enum Node {
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

impl Node {
    /// What a global id names, as it came in.
    ///
    /// # Errors
    /// When the id is malformed, or what it names cannot be loaded.
    pub async fn named(ctx: &Context<'_>, id: &str) -> Result<Option<Self>> {
        Self::fetch(ctx, GlobalId::parse(id)?).await
    }

    /// What an id names; `None` when that does not exist or belongs to another account.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn fetch(ctx: &Context<'_>, id: GlobalId) -> Result<Option<Self>> {
        match id {
            GlobalId::Payment(id) => {
                ctx.load(PaymentKey(id)).await?.map(|row| Payment::new(row).map(Self::Payment)).transpose()
            }
            GlobalId::Installment(id) => {
                ctx.load(InstallmentKey(id)).await?.map(|row| Installment::new(row).map(Self::Installment)).transpose()
            }
            GlobalId::Receipt(id) => {
                ctx.load(ReceiptKey(id)).await?.map(|row| Receipt::new(row).map(Self::Receipt)).transpose()
            }
            GlobalId::Refund(id) => {
                ctx.load(RefundKey(id)).await?.map(|row| Refund::new(row).map(Self::Refund)).transpose()
            }
            GlobalId::Commodity(code) => {
                let row: Option<Arc<_>> = ctx.load(CommodityKey(code)).await?;
                Ok(row.map(|row| Self::Commodity(Commodity::new(row))))
            }
            GlobalId::DutyMeasure(code) => Ok(DutyMeasure::with_code(ctx, code).await?.map(Self::DutyMeasure)),
            GlobalId::Regulation(number) => Ok(Regulation::named(ctx, &number).await?.map(Self::Regulation)),
            GlobalId::RegulationChunk(id) => Ok(RegulationChunk::with_id(ctx, id).await?.map(Self::RegulationChunk)),
            GlobalId::Prompt(name) => Ok(Prompt::with_name(ctx, name).await?.map(Self::Prompt)),
            GlobalId::Answer(id) => Ok(Answer::with_id(ctx, id)?.map(Self::Answer)),
        }
    }
}
