//! Global ids: one text that says what a thing is and which one.
//!
//! The three letters in front tell a person at a help desk what they are looking at. A client passes an id back
//! and takes nothing from it.

use std::fmt;

use async_graphql::ID;
use entity::ids::{InstallmentId, PaymentId, ReceiptId, RefundId};
use uuid::Uuid;

use crate::domain::duty::citation;
use crate::domain::hs_code::HsCode;
use crate::error::{Error, Result, code};

/// A parsed global id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GlobalId {
    /// `pay_…`
    Payment(PaymentId),
    /// `ins_…`
    Installment(InstallmentId),
    /// `rec_…`
    Receipt(ReceiptId),
    /// `ref_…`
    Refund(RefundId),
    /// `com_…`
    Commodity(String),
    /// `mea_…`
    DutyMeasure(String),
    /// `reg_…`
    Regulation(String),
    /// `chu_…`
    RegulationChunk(String),
    /// `pro_…`
    Prompt(String),
    /// `ans_…`
    Answer(Uuid),
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payment(id) => prefixed(f, PaymentId::PREFIX, id.0),
            Self::Installment(id) => prefixed(f, InstallmentId::PREFIX, id.0),
            Self::Receipt(id) => prefixed(f, ReceiptId::PREFIX, id.0),
            Self::Refund(id) => prefixed(f, RefundId::PREFIX, id.0),
            Self::Commodity(code) => write!(f, "com_{code}"),
            Self::DutyMeasure(code) => write!(f, "mea_{code}"),
            Self::Regulation(number) => write!(f, "reg_{number}"),
            Self::RegulationChunk(id) => write!(f, "chu_{id}"),
            Self::Prompt(name) => write!(f, "pro_{name}"),
            Self::Answer(id) => prefixed(f, "ans", *id),
        }
    }
}

fn prefixed(f: &mut fmt::Formatter<'_>, prefix: &str, id: Uuid) -> fmt::Result {
    f.write_str(prefix)?;
    f.write_str("_")?;
    f.write_str(id.simple().encode_lower(&mut Uuid::encode_buffer()))
}

impl GlobalId {
    /// The id as text.
    pub fn encode(&self) -> ID {
        ID(self.to_string())
    }

    /// Reads an id.
    ///
    /// # Errors
    /// [`code::INVALID_ID`] when it is not one. Whether it names anything is another question.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || Error::caller(code::INVALID_ID, "this is not an id that this server gave out");
        let (prefix, rest) = text.split_once('_').ok_or_else(invalid)?;
        let uuid = || {
            let canonical = rest.len() == 32 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            canonical.then(|| Uuid::try_parse(rest).ok()).flatten().ok_or_else(invalid)
        };
        match prefix {
            PaymentId::PREFIX => Ok(Self::Payment(PaymentId(uuid()?))),
            InstallmentId::PREFIX => Ok(Self::Installment(InstallmentId(uuid()?))),
            ReceiptId::PREFIX => Ok(Self::Receipt(ReceiptId(uuid()?))),
            RefundId::PREFIX => Ok(Self::Refund(RefundId(uuid()?))),
            "com" => Ok(Self::Commodity(HsCode::parse(rest).map_err(|_| invalid())?.as_str().to_owned())),
            "mea" if is_measure(rest) => Ok(Self::DutyMeasure(rest.to_owned())),
            "reg" => Ok(Self::Regulation(citation::number(rest).ok_or_else(invalid)?)),
            "chu" => Ok(Self::RegulationChunk(chunk(rest).ok_or_else(invalid)?)),
            "pro" if is_prompt(rest) => Ok(Self::Prompt(rest.to_owned())),
            "ans" => Ok(Self::Answer(uuid()?)),
            _ => Err(invalid()),
        }
    }

    /// Reads the id of a payment.
    ///
    /// # Errors
    /// [`code::INVALID_ID`] when it is not one of a payment.
    pub fn payment(text: &str) -> Result<PaymentId> {
        match Self::parse(text)? {
            Self::Payment(id) => Ok(id),
            _ => Err(Error::caller(code::INVALID_ID, "this is not the id of a payment")),
        }
    }
}

/// Whether this may be the code of a measure: words with dots and hyphens between them.
fn is_measure(text: &str) -> bool {
    (1..=600).contains(&text.len())
        && text.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-'))
}

/// The id of a chunk: the number of a regulation in its short form, and a sequence.
fn chunk(text: &str) -> Option<String> {
    let (number, sequence) = text.rsplit_once('#')?;
    let plain = sequence.parse::<u32>().is_ok_and(|parsed| parsed.to_string() == sequence);
    Some(format!("{}#{sequence}", citation::number(number).filter(|_| plain)?))
}

/// Whether this may be the name of a prompt.
fn is_prompt(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every id that is given out is understood when it comes back.
    #[test]
    fn ids_survive_the_round_trip() {
        let uuid = Uuid::from_u128(0x0192_e4c5_0000_7000_8000_0000_0000_002a);
        for id in [
            GlobalId::Payment(PaymentId(uuid)),
            GlobalId::Installment(InstallmentId(uuid)),
            GlobalId::Receipt(ReceiptId(uuid)),
            GlobalId::Commodity("180100".to_owned()),
            GlobalId::Commodity("XXI".to_owned()),
            GlobalId::DutyMeasure("duty.cocoa-beans.2025-10-22".to_owned()),
            GlobalId::Regulation("PMK 38/2024".to_owned()),
            GlobalId::RegulationChunk("PMK 38/2024#12".to_owned()),
            GlobalId::Prompt("cocoa-bean-duty".to_owned()),
            GlobalId::Answer(uuid),
        ] {
            assert_eq!(GlobalId::parse(&id.encode()).unwrap(), id);
        }
    }

    /// What is not an id is refused with a code, in whatever way it is wrong.
    #[test]
    fn what_is_not_an_id_is_refused() {
        let upper = format!("pay_{}", "A".repeat(32));
        for text in [
            "",
            "pay",
            "pay_",
            "pay_1",
            "abc_00000000000000000000000000000000",
            "com_18x",
            "mea_",
            "mea_a b",
            "reg_38",
            "chu_PMK 38/2024",
            "chu_PMK 38/2024#01",
            "pro_Cocoa",
            "ans_1",
            &upper,
        ] {
            assert_eq!(GlobalId::parse(text).unwrap_err().code(), code::INVALID_ID, "{text}");
        }
    }
}
