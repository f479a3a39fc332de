//! Integration tests: each talks to a running server, on SQLite and on PostgreSQL.

#![allow(missing_docs, reason = "a test's name and its first line say what it is for")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test; the helpers between the tests are tests too")]

mod attacks;
mod bad_documents;
mod bad_input;
mod cli;
mod cli_accounts;
mod cli_imports;
mod cli_serve;
mod cli_verify;
mod commodities;
mod commodity_search;
mod concurrent_writes;
mod cookbook;
mod cross_site;
mod currencies;
mod cut_connections;
mod deadlines;
mod federation;
mod guard;
mod http;
mod http_answers;
mod killed;
mod ledger_properties;
mod migrations;
mod nodes;
mod operations;
mod overdue;
mod paging;
mod paging_lists;
mod payment_aggregates;
mod payment_details;
mod payment_edges;
mod payment_filters;
mod payments;
mod persisted_documents;
mod plan_preview;
mod plans;
mod quotas;
mod rates;
mod rates_history;
mod readme;
mod schema;
mod shared_store;
mod sign_in;
mod streams;
mod tenancy;
mod trusted_documents;
mod verified;
mod walk;
