//! Demo data: the invented receivables of an Indonesian exporter.
//!
//! [`Generator`] makes payment number `n` of a seed from the two numbers alone. There is no clock and no
//! hidden state in it, so both databases and every run hold the same rows, ids included. Days are counted
//! from [`ANCHOR`], the last day of the exchange rates that are compiled in. [`load`] puts payments into
//! a database that has the commodities, and adds only those that are missing.
//!
//! Every buyer is invented. Nothing here may ask what time it is, use a float, or draw a random number
//! other than through `dice`.
//!
//! | file | what it decides |
//! | --- | --- |
//! | `dice` | how random numbers are drawn |
//! | `calendar` | when |
//! | `currencies`, `buyers`, `goods` | the lists to draw from |
//! | `order` | who buys what, for how much |
//! | `plan` | how an amount is split, and when the parts fall due |
//! | `story` | what happens afterwards |
//! | `play` | what of it has happened, by the rules of `domain::ledger` |
//! | `rates` | the exchange rates that receipts keep |
//! | `generator` | the payments of a seed, put together from these |
//! | `ticker` | made-up rates for those who follow them |

mod buyers;
mod calendar;
mod currencies;
mod dice;
mod generator;
mod goods;
mod load;
mod order;
mod plan;
mod play;
mod rates;
mod story;
mod ticker;

pub use calendar::ANCHOR;
pub use generator::Generator;
pub use load::{ACCOUNT_ID, ACCOUNT_NAME, LoadReport, ensure_account, load};
pub use ticker::Ticker;
