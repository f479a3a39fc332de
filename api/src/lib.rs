//! Dermaga: a GraphQL API server for payments, installments, commodities and currency rates.
//!
//! A request flows one way: [`http`] → [`pipeline`] → [`graphql`] → [`loaders`] → [`cache`] → [`store`] → the `entity`
//! crate. Nothing calls back. What is pure, with no input or output, is in [`domain`].

pub mod app;
pub mod assistant;
pub mod auth;
pub mod bounded;
pub mod cache;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod documents;
pub mod domain;
pub mod duty_quote;
pub mod error;
pub mod graphql;
pub mod guard;
pub mod http;
pub mod import;
pub mod loaders;
pub mod metrics;
pub mod payment_feed;
pub mod pipeline;
pub mod progress;
pub mod quota;
pub mod rate_feed;
pub mod rate_fetch;
pub mod seed;
pub mod shared_store;
pub mod shutdown;
pub mod store;
pub mod telemetry;
