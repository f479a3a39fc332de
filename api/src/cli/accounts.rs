//! Commands for whoever runs a server with sign-in: accounts, and tokens to try it out.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use entity::account;
use entity::ids::AccountId;
use sea_orm::SqlErr;
use uuid::Uuid;

use super::{Failure, migrated, say};
use crate::auth::{self, Mint};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::currency::Currency;
use crate::error::{Error, code};
use crate::graphql::context;
use crate::store::accounts;

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Open an account; tokens name it in their claim `account`
    Create {
        /// 1 to 63 of a to z, 0 to 9 and -; no two accounts have the same
        name: String,
        /// The IANA time zone in which the account's days begin
        #[arg(long, value_name = "ZONE", default_value = "Asia/Jakarta")]
        time_zone: String,
        /// The ISO 4217 code of the currency in which the account keeps its books
        #[arg(long, value_name = "CODE", default_value = "IDR")]
        base_currency: String,
    },
    /// List the accounts, one a line: name, time zone, base currency, when it was opened
    List,
}

/// A token that is made.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The name of the account
    #[arg(long, value_name = "NAME")]
    account: String,
    /// The name of the person or program: 1 to 255 characters
    #[arg(long, value_name = "TEXT")]
    subject: String,
    /// What they may do
    #[arg(long, value_enum, ignore_case = true)]
    role: Role,
    /// For how many seconds, from now; at most a year
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    expires_in: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Read
    #[value(name = "VIEWER")]
    Viewer,
    /// Read and write
    #[value(name = "CLERK")]
    Clerk,
    /// Everything
    #[value(name = "ADMIN")]
    Admin,
}

impl Account {
    /// Does it.
    pub(super) async fn run(self, config: &Config) -> Result<(), Failure> {
        let row = match self {
            Self::List => None,
            Self::Create { name, time_zone, base_currency } => Some(new_account(name, time_zone, &base_currency)?),
        };
        let database = migrated(config).await?;
        let Some(row) = row else {
            for account in accounts::all(&database.reader(std::sync::Arc::default())).await? {
                let opened = account.created_at.format("%Y-%m-%dT%H:%M:%SZ");
                let line = [&account.name, &account.time_zone, &account.base_currency, &opened.to_string()];
                say(&mut std::io::stdout(), &line.map(String::as_str).join("\t"));
            }
            return Ok(());
        };
        let text =
            format!("opened the account {}: time zone {}, currency {}", row.name, row.time_zone, row.base_currency);
        let taken = Error::caller(code::BAD_USER_INPUT, format!("there is an account named {} already", row.name));
        let created = database.write(async |transaction| accounts::create(transaction, row).await).await;
        // The name is the only thing of an account that another one can have.
        created.map_err(|error| match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => taken,
            _ => error.into(),
        })?;
        say(&mut std::io::stdout(), &text);
        Ok(())
    }
}

fn new_account(name: String, time_zone: String, base_currency: &str) -> Result<account::Model, Failure> {
    if !accounts::is_name(&name) {
        return Err(Failure::Usage(format!("the name {name:?} is not 1 to 63 of a to z, 0 to 9 and -")));
    }
    if time_zone.parse::<chrono_tz::Tz>().is_err() {
        return Err(Failure::Usage(format!("{time_zone:?} is not the name of an IANA time zone")));
    }
    let currency = Currency::from_code(base_currency)
        .ok_or_else(|| Failure::Usage(format!("{base_currency:?} is not the code of a currency")))?;
    Ok(account::Model {
        id: AccountId(Uuid::now_v7()),
        name,
        base_currency: currency.code().to_owned(),
        time_zone,
        created_at: Clock::system().now(),
    })
}

impl Token {
    /// Makes it. No database is asked: whether there is such an account shows when the token is used.
    pub(super) fn mint(&self, config: &Config) -> Result<(), Failure> {
        let sign_in = config.sign_in.as_ref().ok_or_else(|| {
            Failure::Usage("auth_secret: a token is made with it, and sign-in is not configured".to_owned())
        })?;
        if !accounts::is_name(&self.account) {
            return Err(Failure::Usage(format!("{:?} is not the name of an account", self.account)));
        }
        let role = match self.role {
            Role::Viewer => context::Role::Viewer,
            Role::Clerk => context::Role::Clerk,
            Role::Admin => context::Role::Admin,
        };
        let expires_in = Duration::from_secs(self.expires_in);
        let mint = Mint { account: &self.account, subject: &self.subject, role, expires_in };
        say(&mut std::io::stdout(), &auth::mint(sign_in, mint, Clock::system().now())?);
        Ok(())
    }
}
