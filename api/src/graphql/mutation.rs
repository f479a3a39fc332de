//! The root of all that changes something.
//!
//! A refusal that a caller can do something about is in `userErrors`; errors beside the data are for what nobody
//! expected.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Object};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::context::ContextExt;
use super::input::change::{
    ClosePaymentInput, CreatePaymentInput, CreatePaymentsInput, Read, RecordReceiptInput, RefundReceiptInput,
    ReschedulePaymentInput, ReverseReceiptInput, Terms, WaiveInstallmentInput,
};
use super::types::ask_result::{AskInput, AskResult};
use super::types::payload::{Outcome, PaymentPayload, PaymentsPayload, ReceiptPayload, RefundPayload};
use crate::changes::{Author, Command, Failure, Mode, RecordReceipt};
use crate::domain::ledger::Fx;
use crate::domain::rejection::{Reason, Rejection};
use crate::error::{Error, Result};
use crate::loaders::rates::{MissingPolicy, RateAnswer, RateKey};
use crate::telemetry::traces::Span;

/// Everything that can be changed.
#[derive(Clone, Copy, Debug)]
pub struct Mutation;

/// Everything that can be changed.
#[Object]
impl Mutation {
    /// Creates a payment with its installments.
    async fn create_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment.")] input: CreatePaymentInput,
    ) -> Result<PaymentPayload> {
        let terms = input.terms.clone();
        PaymentPayload::load(ctx, run(ctx, terms, input.command()).await?).await
    }

    /// Creates some payments with their installments: all of them, or none. However many there are, the database is
    /// sent the same few statements.
    async fn create_payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payments.")] input: CreatePaymentsInput,
    ) -> Result<PaymentsPayload> {
        let terms = input.terms.clone();
        PaymentsPayload::load(ctx, run(ctx, terms, input.command()).await?).await
    }

    /// Spreads what is outstanding of a payment by a new plan. Installments that hold nothing become void; one that
    /// holds something closes at what it holds. The old plan stays readable.
    async fn reschedule_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment and the new plan.")] input: ReschedulePaymentInput,
    ) -> Result<PaymentPayload> {
        let terms = input.terms.clone();
        PaymentPayload::load(ctx, run(ctx, terms, input.command()).await?).await
    }

    /// Records money that arrived, and puts it on installments.
    async fn record_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The receipt.")] input: RecordReceiptInput,
    ) -> Result<ReceiptPayload> {
        let (terms, require_rate) = (input.terms.clone(), input.require_rate);
        let command = match input.command() {
            Ok(command) => with_rate(ctx, command, require_rate).await?,
            Err(rejections) => Err(rejections),
        };
        ReceiptPayload::load(ctx, run(ctx, terms, command).await?).await
    }

    /// Undoes a receipt that bounced or was a mistake. The debt that it had paid is open again.
    async fn reverse_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The receipt.")] input: ReverseReceiptInput,
    ) -> Result<ReceiptPayload> {
        let terms = input.terms.clone();
        ReceiptPayload::load(ctx, run(ctx, terms, input.command()).await?).await
    }

    /// Gives money back: for returned goods, or what was paid beyond the debt. It opens no debt. What is on no
    /// installment is used up first.
    async fn refund_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The receipt and the amount.")] input: RefundReceiptInput,
    ) -> Result<RefundPayload> {
        let terms = input.terms.clone();
        RefundPayload::load(ctx, run(ctx, terms, input.command()).await?).await
    }

    /// Forgives what is outstanding of an installment, or a part of it.
    async fn waive_installment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The installment.")] input: WaiveInstallmentInput,
    ) -> Result<PaymentPayload> {
        let terms = input.terms.clone();
        PaymentPayload::load(ctx, run(ctx, terms, input.command()).await?).await
    }

    /// Calls a payment off of which nothing was received or waived. Its installments become void.
    async fn cancel_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment.")] input: ClosePaymentInput,
    ) -> Result<PaymentPayload> {
        let terms = input.terms.clone();
        PaymentPayload::load(ctx, run(ctx, terms, input.cancellation()).await?).await
    }

    /// Gives up what is outstanding of a payment, for good.
    async fn write_off_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment.")] input: ClosePaymentInput,
    ) -> Result<PaymentPayload> {
        let terms = input.terms.clone();
        PaymentPayload::load(ctx, run(ctx, terms, input.write_off()).await?).await
    }

    /// Asks the assistant a question about exporting goods from Indonesia. Every number of an answer is computed or
    /// quoted, and every quotation stands in its source. It may take longer than other operations.
    async fn ask_assistant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The question.")] input: AskInput,
    ) -> Result<AskResult> {
        let (request, question) = (ctx.request()?, input.question(ctx)?);
        let time = request.assistant.settings().deadline;
        request.patience.at_least(time + ASKED_LONGER);
        let asking = request.assistant.ask(request.loads.source().clone(), &question);
        let cached = asking.cached;
        AskResult::new(ctx, asking.outcome().await?, cached).await
    }
}

/// What an operation that asks may take longer than the question.
const ASKED_LONGER: Duration = Duration::from_secs(2);

/// Runs a command. A refusal is an outcome too.
async fn run<C: Command + 'static>(ctx: &Context<'_>, terms: Terms, command: Read<C>) -> Result<Outcome> {
    let request = ctx.request()?;
    let (dry_run, client_mutation_id) = (terms.dry_run, terms.client_mutation_id);
    let refused = |rejections: Vec<Rejection>| {
        let rejections = rejections.into_iter().map(|rejection| rejection.under(["input"]));
        Outcome::refused(rejections.collect(), dry_run, client_mutation_id.clone())
    };
    let command = match command {
        Ok(command) => command,
        Err(rejections) => return Ok(refused(rejections)),
    };
    let mode = if dry_run {
        Mode::DryRun
    } else {
        Mode::Keyed { key: terms.idempotency_key.0, request_hash: request_hash(ctx)? }
    };
    let author = Author {
        account: request.caller.account,
        actor: request.caller.subject.clone(),
        time_zone: request.caller.time_zone,
        request_id: request.request_id.clone(),
        meter: Arc::clone(request.loads.meter()),
        written: request.written.clone(),
    };
    // A task of its own: whoever gives up waiting for a write does not stop it half way.
    let changes = request.changes.clone();
    let change = async move { changes.run(&author, &mode, &command).await };
    let change = actix_web::rt::spawn(Span::current().around(change));
    match change.await.map_err(Error::internal)? {
        Ok(done) => {
            // What an earlier field of this operation loaded is old now.
            request.loads.reset();
            Ok(Outcome::of(done, dry_run, client_mutation_id))
        }
        Err(Failure::Rejected(rejections)) => Ok(refused(rejections)),
        Err(Failure::Error(error)) => Err(error),
        Err(Failure::DryRun(_) | Failure::Replay(_) | Failure::Lingering) => {
            Err(Error::internal("an outcome that was taken for a failure"))
        }
    }
}

/// SHA-256 of what is asked for, in hexadecimal: the input as it was sent, without what only names the request.
fn request_hash(ctx: &Context<'_>) -> Result<String> {
    let arguments = ctx.field().arguments().map_err(|error| Error::internal(error.message))?;
    let mut hash = Sha256::new();
    for (name, value) in arguments {
        let mut value = value.into_json().map_err(Error::internal)?;
        if let Value::Object(fields) = &mut value {
            fields.remove("idempotencyKey");
            fields.remove("clientMutationId");
        }
        hash.update(format!("{name}:{}\n", canonical(&value)));
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// JSON with sorted keys, so that the order in which a client writes them does not matter.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            fields.sort_unstable();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// The receipt with the reference rate of its day into the account's base currency, when it is in another one.
async fn with_rate(ctx: &Context<'_>, mut command: RecordReceipt, required: bool) -> Result<Read<RecordReceipt>> {
    let caller = &ctx.request()?.caller;
    let (base, quote) = (command.amount.currency, caller.base_currency);
    if base == quote {
        return Ok(Ok(command));
    }
    let on = command.received_at.with_timezone(&caller.time_zone).date_naive();
    let purpose = entity::currency_rate::Purpose::Reference;
    let key = RateKey { purpose, base, quote, on, missing: MissingPolicy::Previous };
    match ctx.load(key).await? {
        RateAnswer::Found(found) => {
            command.fx = Some(Fx {
                quote,
                rate: found.quotation.rate.to_decimal().to_string(),
                effective_date: found.quotation.effective,
                purpose,
                source: found.source.code.clone(),
            });
        }
        RateAnswer::Missing(_) if required => {
            let message = format!("no rate of {on} from {} to {} is known", base.code(), quote.code());
            return Ok(Err(vec![Rejection::new(["amount", "currency"], message, Reason::RateUnavailable)]));
        }
        RateAnswer::Missing(_) => {}
    }
    Ok(Ok(command))
}
