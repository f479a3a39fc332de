//! Whether the server lives, and whether it can answer.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use serde_json::json;

use crate::app::State;

/// The process answers at all.
pub async fn live() -> HttpResponse {
    no_store(HttpResponse::Ok(), &json!({"status": "live"}))
}

/// The database answers, its tables are up to date, and the server does not stop.
pub async fn ready(state: Data<State>) -> HttpResponse {
    if state.stopping.has_begun() {
        return no_store(HttpResponse::ServiceUnavailable(), &json!({"status": "stopping"}));
    }
    match state.database.pending_migrations().await {
        Ok(0) => no_store(HttpResponse::Ok(), &json!({"status": "ready", "database": "ok", "migrations": "ok"})),
        Ok(pending) => {
            let body = json!({"status": "not ready", "database": "ok", "migrations": format!("{pending} pending")});
            no_store(HttpResponse::ServiceUnavailable(), &body)
        }
        Err(error) => {
            if !error.is_refused() {
                tracing::warn!(cause = %error.chain(), "the database does not answer");
            }
            let body = json!({"status": "not ready", "database": "does not answer", "migrations": "unknown"});
            no_store(HttpResponse::ServiceUnavailable(), &body)
        }
    }
}

fn no_store(mut response: actix_web::HttpResponseBuilder, body: &serde_json::Value) -> HttpResponse {
    response.insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}
