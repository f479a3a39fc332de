//! What crosses the wire.

pub mod assets;
mod compression;
pub(crate) mod connection;
mod event_stream;
pub mod graphql;
pub mod health;
mod live;
mod log_filter;
pub mod metrics;
mod multipart;
mod origin;
pub mod response;
mod traced;
pub(crate) mod unread;
mod websocket;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header;
use actix_web::middleware::{Compress, DefaultHeaders, from_fn};
use actix_web::web;

use crate::telemetry::LogFilter;

/// The routes of the public port. The operators' are among them unless they have a port of their own.
pub fn routes(config: &mut web::ServiceConfig, graphiql: bool, operations: bool) {
    if operations {
        config.configure(operations_routes);
    }
    let mut pages = web::scope("")
        .wrap(from_fn(compression::mark))
        .wrap(Compress::default())
        .wrap(from_fn(compression::unmark))
        .wrap(security_headers())
        .service(graphql_routes());
    if graphiql {
        pages = pages.route("/", web::get().to(assets::index)).route("/assets/{file}", web::get().to(assets::asset));
    }
    config.service(pages);
}

/// What operators and their programs read: metrics and health.
pub fn operations_routes(config: &mut web::ServiceConfig) {
    config
        .route("/health/live", web::get().to(health::live))
        .route("/health/ready", web::get().to(health::ready))
        .route("/metrics", web::get().to(metrics::metrics));
}

/// What operators change. It must never be on the public port, which anybody reaches.
pub fn log_routes(config: &mut web::ServiceConfig, log: LogFilter) {
    let filter = web::resource("/log-filter")
        .wrap(from_fn(origin::guard))
        .app_data(web::Data::new(log))
        .route(web::get().to(log_filter::get))
        .route(web::put().to(log_filter::put));
    config.service(filter);
}

fn graphql_routes() -> impl HttpServiceFactory {
    web::resource("/graphql")
        .wrap(from_fn(origin::guard))
        .route(web::post().to(graphql::post))
        .route(web::get().to(graphql::get))
        .default_service(web::to(graphql::method_not_allowed))
}

/// Headers that keep a browser from making more of an answer than it is.
fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"))
}
