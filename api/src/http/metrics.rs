//! `/metrics` for Prometheus.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;

use crate::app::State;

/// All metrics as text.
pub async fn metrics(state: Data<State>) -> HttpResponse {
    state.cache.measure();
    if let Some(standby) = state.database.standby() {
        standby.measure();
    }
    match state.metrics.render(state.database.pool()) {
        Ok(text) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
            .body(text),
        Err(error) => {
            tracing::error!(cause = %error.chain(), "the metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
