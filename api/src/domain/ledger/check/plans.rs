//! Plans: each revision has its installments, and only the newest counts.

use entity::{installment, payment};

use super::{Check, Rule};

impl Check<'_> {
    pub(super) fn plans(&mut self) {
        let rows = self.rows;
        let mut revisions: Vec<i32> = rows.plans.iter().map(|plan| plan.revision).collect();
        revisions.sort_unstable();
        if revisions.is_empty() || revisions.iter().zip(1..).any(|(revision, expected)| *revision != expected) {
            self.tell(Rule::Plan, format_args!("the revisions of the plan are {revisions:?}, not 1 and so on"));
        }
        let newest = revisions.last().copied().unwrap_or(0);
        for plan in &rows.plans {
            let mut sequences: Vec<i32> = rows
                .installments
                .iter()
                .filter(|row| row.plan_revision == plan.revision)
                .map(|row| row.sequence)
                .collect();
            sequences.sort_unstable();
            let complete = i32::try_from(sequences.len()) == Ok(plan.count)
                && sequences.iter().zip(1..).all(|(sequence, expected)| *sequence == expected);
            if !complete {
                let (revision, count) = (plan.revision, plan.count);
                let message =
                    format!("plan revision {revision} made {count} installments, and {sequences:?} are there");
                self.tell(Rule::Plan, message);
            }
        }
        let first = rows.installments.iter().filter(|row| row.plan_revision == 1);
        let planned: i128 = first.map(|row| i128::from(row.planned_amount)).sum();
        let what = ("the payment's amount", i128::from(rows.payment.amount));
        self.amount(Rule::Plan, what, ("the first plan spread", planned));
        for row in &rows.installments {
            self.planned(row, newest);
        }
    }

    fn planned(&mut self, row: &installment::Model, newest: i32) {
        let id = row.id.global();
        if !self.rows.plans.iter().any(|plan| plan.revision == row.plan_revision) {
            self.tell(Rule::Plan, format_args!("{id} is of plan revision {}, which is not there", row.plan_revision));
            return;
        }
        let replaced = row.plan_revision < newest;
        let cancelled = self.rows.payment.status == payment::Status::Cancelled;
        let void = row.status == installment::Status::Void;
        if cancelled && !void {
            self.tell(Rule::Plan, format_args!("{id} is not void, and the payment is cancelled"));
        }
        if void && !replaced && !cancelled {
            self.tell(Rule::Plan, format_args!("{id} is void, and no later plan replaces it"));
        }
        let closed = replaced && row.amount < row.planned_amount;
        if row.amount != row.planned_amount && !closed {
            let (amount, planned) = (i128::from(row.amount), i128::from(row.planned_amount));
            self.amount(Rule::Plan, (format_args!("the amount of {id}"), amount), ("its plan gave it", planned));
        }
    }
}
