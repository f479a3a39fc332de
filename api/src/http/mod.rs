//! What crosses the wire.

pub mod assets;
pub mod graphql;
pub mod health;
pub mod metrics;
pub mod response;

use actix_web::web;

/// The routes of the server.
pub fn routes(config: &mut web::ServiceConfig, graphiql: bool) {
    config
        .route("/graphql", web::post().to(graphql::post))
        .route("/graphql", web::get().to(graphql::get))
        .route("/graphql", web::route().to(graphql::method_not_allowed))
        .route("/health/live", web::get().to(health::live))
        .route("/health/ready", web::get().to(health::ready))
        .route("/metrics", web::get().to(metrics::metrics));
    if graphiql {
        config.route("/", web::get().to(assets::index)).route("/assets/{file}", web::get().to(assets::asset));
    }
}
