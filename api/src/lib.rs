//! Dermaga: a GraphQL API server for payments, installments, commodities and currency rates.
//!
//! A request flows one way: [`http`] → [`graphql`] → [`loaders`] → [`store`] → the `entity` crate.
//! Nothing calls back. What is pure, with no input or output, is in [`domain`].

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod error;
pub mod graphql;
pub mod http;
pub mod import;
pub mod loaders;
pub mod metrics;
pub mod progress;
pub mod seed;
pub mod store;
pub mod telemetry;
