//! Limits: servers that answer one operation, a page of payments with their installments, and know no GraphQL. What
//! they cost is what the data costs that way, so that the rest of another server's figures is its engine's.
//!
//! They answer the same bytes as Dermaga. They must never be used for anything but being measured.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use actix_web::error::{Error, ErrorBadRequest, ErrorInternalServerError, ErrorNotFound};
use actix_web::web::{Bytes, Data, post};
use actix_web::{App, HttpResponse, HttpServer};
use sea_orm::sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{ConnectOptions, Postgres, Row, ValueRef, query, query_scalar};
use serde::Deserialize;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// How far the shortcut goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Two flat statements and a writer that knows the answer's shape: as little as a server can do that reads.
    Statements,
    /// The same bytes from memory: as little as a server can do that answers.
    Memory,
}

/// Rows of a page, and installments of a payment: those of [`crate::scenario::PAGE`].
const ROWS: usize = 50;
const INSTALLMENTS: usize = 12;

const FIRST: &str = "SELECT id, reference, status, payer_name, created_at, amount, outstanding, currency FROM payment \
                     WHERE account_id = $1 ORDER BY created_at DESC, id DESC LIMIT 51";
const AFTER: &str = "SELECT id, reference, status, payer_name, created_at, amount, outstanding, currency FROM payment \
                     WHERE account_id = $1 AND (created_at, id) < ($2::text::timestamptz, $3) \
                     ORDER BY created_at DESC, id DESC LIMIT 51";
const BELOW: &str = "SELECT payment_id, id, sequence, due_date, status, amount, outstanding, currency FROM installment \
                     WHERE account_id = $1 AND payment_id = ANY($2) ORDER BY payment_id, due_date, sequence, id";

/// Digits after the point by the code of a currency; Dermaga's own list.
static MINOR_UNITS: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
    let lines = include_str!("../../api/data/currencies.csv").lines().skip(1);
    lines
        .filter_map(|line| {
            let mut cells = line.split(',');
            Some((cells.next()?, cells.nth(1)?.parse().ok()?))
        })
        .collect()
});

/// What is read of a request.
#[derive(Deserialize)]
struct Request<'a> {
    query: std::borrow::Cow<'a, str>,
    #[serde(default)]
    variables: Variables,
}

#[derive(Default, Deserialize)]
struct Variables {
    after: Option<String>,
}

/// What is answered to a page: its body, and the body about the page after it.
struct Page {
    body: Bytes,
    info: Bytes,
    /// The cursor of its end, where there is more.
    next: Option<String>,
}

/// The connections of one worker, which share nothing with another's.
struct Connections {
    options: PgConnectOptions,
    account: Uuid,
    free: RefCell<Vec<PgConnection>>,
    gate: Semaphore,
}

/// Serves until the process is ended. A line with the port tells that it listens.
///
/// # Errors
/// When the database does not answer, or there is no port.
pub async fn serve(limit: Limit, database_url: &str) -> Result<(), String> {
    let options: PgConnectOptions = database_url.parse().map_err(|error| format!("DATABASE_URL: {error}"))?;
    let mut connection = options.connect().await.map_err(|error| error.to_string())?;
    let account: Uuid = query_scalar("SELECT id FROM account WHERE name = 'demo'")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| format!("there is no demo account in this database: {error}"))?;
    drop(connection);

    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    // As many as Dermaga has by default, in all.
    let share = 10_usize.div_ceil(workers);
    let pages = match limit {
        Limit::Statements => HashMap::new(),
        Limit::Memory => read_all(&Connections::new(&options, account, share)).await?,
    };
    let pages = Data::new(pages);
    let server = HttpServer::new(move || {
        let app = App::new().app_data(pages.clone());
        match limit {
            Limit::Statements => {
                let connections = Data::new(Connections::new(&options, account, share));
                app.app_data(connections).route("/graphql", post().to(from_statements))
            }
            Limit::Memory => app.route("/graphql", post().to(from_memory)),
        }
    });
    let server = server
        .workers(workers)
        .on_connect(|stream, _| {
            if let Some(stream) = stream.downcast_ref::<actix_web::rt::net::TcpStream>() {
                // What cannot be set makes it slower, which is seen.
                let _ = stream.set_nodelay(true);
            }
        })
        .bind(("127.0.0.1", 0))
        .map_err(|error| error.to_string())?;
    let port = server.addrs().first().map(std::net::SocketAddr::port).ok_or("there is no port")?;
    println!("{{\"port\":{port}}}");
    server.run().await.map_err(|error| error.to_string())
}

async fn from_statements(body: Bytes, connections: Data<Connections>) -> Result<HttpResponse, Error> {
    let request: Request<'_> = serde_json::from_slice(&body).map_err(ErrorBadRequest)?;
    let page = connections.page(request.variables.after.as_deref()).await.map_err(ErrorInternalServerError)?;
    Ok(answer(&request, &page))
}

async fn from_memory(body: Bytes, pages: Data<HashMap<Option<String>, Page>>) -> Result<HttpResponse, Error> {
    let request: Request<'_> = serde_json::from_slice(&body).map_err(ErrorBadRequest)?;
    let page = pages.get(&request.variables.after).ok_or_else(|| ErrorNotFound("no such page"))?;
    Ok(answer(&request, page))
}

fn answer(request: &Request<'_>, page: &Page) -> HttpResponse {
    let body = if request.query.contains("pageInfo") { &page.info } else { &page.body };
    HttpResponse::Ok().content_type("application/json").body(body.clone())
}

/// All pages, by the cursor after which they come.
async fn read_all(connections: &Connections) -> Result<HashMap<Option<String>, Page>, String> {
    let mut pages = HashMap::new();
    let mut after = None;
    loop {
        let page = connections.page(after.as_deref()).await?;
        let next = page.next.clone();
        pages.insert(after, page);
        if next.is_none() {
            return Ok(pages);
        }
        after = next;
    }
}

impl Connections {
    fn new(options: &PgConnectOptions, account: Uuid, count: usize) -> Self {
        let (options, gate) = (options.clone().disable_statement_logging(), Semaphore::new(count));
        Self { options, account, free: RefCell::default(), gate }
    }

    async fn page(&self, after: Option<&str>) -> Result<Page, String> {
        let _permit = self.gate.acquire().await.map_err(|error| error.to_string())?;
        let free = self.free.borrow_mut().pop();
        let mut connection = match free {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(|error| error.to_string())?,
        };
        let page = self.read(&mut connection, after).await;
        // One on which something failed is closed.
        if page.is_ok() {
            self.free.borrow_mut().push(connection);
        }
        page
    }

    async fn read(&self, connection: &mut PgConnection, after: Option<&str>) -> Result<Page, String> {
        let statement: Query<'_, Postgres, PgArguments> = match after {
            None => query(FIRST).bind(self.account),
            Some(after) => {
                let (at, id) = after.split_once(' ').ok_or("this is no cursor")?;
                let id = Uuid::try_parse(id).map_err(|error| error.to_string())?;
                query(AFTER).bind(self.account).bind(at.to_owned()).bind(id)
            }
        };
        let mut payments = statement.fetch_all(&mut *connection).await.map_err(|error| error.to_string())?;
        let more = payments.len() > ROWS;
        payments.truncate(ROWS);
        let ids = payments.iter().map(|row| uuid(row, 0)).collect::<Result<Vec<_>, _>>()?;
        let below = query(BELOW).bind(self.account).bind(ids).fetch_all(connection).await;
        let installments = below.map_err(|error| error.to_string())?;
        let body = body(&payments, &installments)?.into();
        let end = payments.last().map(cursor).transpose()?;
        let quoted = end.as_ref().map_or("null".to_owned(), |end| format!("\"{end}\""));
        let info =
            format!("{{\"data\":{{\"payments\":{{\"pageInfo\":{{\"hasNextPage\":{more},\"endCursor\":{quoted}}}}}}}}}");
        Ok(Page { body, info: info.into(), next: end.filter(|_| more) })
    }
}

/// Where a payment stands in the order.
fn cursor(payment: &PgRow) -> Result<String, String> {
    let mut text = String::new();
    write_instant(&mut text, whole(payment, 4)?);
    text.push(' ');
    text.push_str(&uuid(payment, 0)?.to_string());
    Ok(text)
}

fn body(payments: &[PgRow], installments: &[PgRow]) -> Result<String, String> {
    // Those of a payment stand together.
    let mut places: HashMap<Uuid, Range<usize>> = HashMap::with_capacity(payments.len());
    for (at, row) in installments.iter().enumerate() {
        places.entry(uuid(row, 0)?).or_insert(at..at).end = at + 1;
    }
    let mut json = String::with_capacity(64 * 1024);
    json.push_str("{\"data\":{\"payments\":{\"nodes\":[");
    for (at, row) in payments.iter().enumerate() {
        let id = uuid(row, 0)?;
        json.push_str(if at == 0 { "{\"id\":\"pay_" } else { ",{\"id\":\"pay_" });
        write_hex(&mut json, id);
        json.push_str("\",\"reference\":");
        write_text(&mut json, text(row, 1)?)?;
        json.push_str(",\"status\":\"");
        json.push_str(text(row, 2)?);
        json.push_str("\",\"payerName\":");
        match optional_text(row, 3)? {
            Some(name) => write_text(&mut json, name)?,
            None => json.push_str("null"),
        }
        json.push_str(",\"createdAt\":\"");
        write_instant(&mut json, whole(row, 4)?);
        write_amounts(&mut json, row)?;
        json.push_str(",\"installments\":{\"nodes\":[");
        let below = places.get(&id).and_then(|place| installments.get(place.clone())).unwrap_or_default();
        for (at, row) in below.iter().take(INSTALLMENTS).enumerate() {
            json.push_str(if at == 0 { "{\"id\":\"ins_" } else { ",{\"id\":\"ins_" });
            write_hex(&mut json, uuid(row, 1)?);
            json.push_str("\",\"sequence\":");
            write_whole(&mut json, small(row, 2)?.into());
            json.push_str(",\"dueDate\":\"");
            write_day(&mut json, small(row, 3)?.into());
            json.push_str("\",\"status\":\"");
            json.push_str(text(row, 4)?);
            write_amounts(&mut json, row)?;
            json.push('}');
        }
        json.push_str("]}}");
    }
    json.push_str("]}}}");
    Ok(json)
}

/// Both statements have the amounts and their currency at the same places. What stands before them is still open.
fn write_amounts(json: &mut String, row: &PgRow) -> Result<(), String> {
    let currency = text(row, 7)?;
    let digits = *MINOR_UNITS.get(currency).ok_or_else(|| format!("no such currency: {currency}"))?;
    for (before, minor) in
        [("\",\"amount\":{\"amount\":\"", whole(row, 5)?), (",\"outstanding\":{\"amount\":\"", whole(row, 6)?)]
    {
        json.push_str(before);
        write_decimal(json, minor, digits);
        json.push_str("\",\"currency\":\"");
        json.push_str(currency);
        json.push_str("\"}");
    }
    Ok(())
}

/// The bytes of a value as PostgreSQL sent them; `None` for null.
fn bytes(row: &PgRow, at: usize) -> Result<Option<&[u8]>, String> {
    let value = row.try_get_raw(at).map_err(|error| error.to_string())?;
    if value.is_null() {
        return Ok(None);
    }
    value.as_bytes().map(Some).map_err(|error| error.to_string())
}

fn fixed<const SIZE: usize>(row: &PgRow, at: usize) -> Result<[u8; SIZE], String> {
    let bytes = bytes(row, at)?.ok_or("a value is null")?;
    bytes.try_into().map_err(|_| format!("column {at} has {} bytes", bytes.len()))
}

fn uuid(row: &PgRow, at: usize) -> Result<Uuid, String> {
    fixed(row, at).map(Uuid::from_bytes)
}

fn whole(row: &PgRow, at: usize) -> Result<i64, String> {
    fixed(row, at).map(i64::from_be_bytes)
}

fn small(row: &PgRow, at: usize) -> Result<i32, String> {
    fixed(row, at).map(i32::from_be_bytes)
}

fn optional_text(row: &PgRow, at: usize) -> Result<Option<&str>, String> {
    bytes(row, at)?.map(std::str::from_utf8).transpose().map_err(|error| error.to_string())
}

fn text(row: &PgRow, at: usize) -> Result<&str, String> {
    Ok(optional_text(row, at)?.ok_or("a text is null")?)
}

/// As a JSON string. Most texts have nothing to escape.
fn write_text(json: &mut String, text: &str) -> Result<(), String> {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        json.push_str(&serde_json::to_string(text).map_err(|error| error.to_string())?);
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
    Ok(())
}

fn write_hex(json: &mut String, id: Uuid) {
    let mut buffer = Uuid::encode_buffer();
    json.push_str(id.simple().encode_lower(&mut buffer));
}

fn write_whole(json: &mut String, number: i64) {
    // A string takes everything.
    let _ = write!(json, "{number}");
}

fn write_padded(json: &mut String, number: i64, digits: usize) {
    let mut divisor = 10_i64.pow(u32::try_from(digits).unwrap_or(0));
    for _ in 0..digits {
        divisor /= 10;
        let digit = u8::try_from(number / divisor % 10).unwrap_or(0);
        json.push(char::from(b'0' + digit));
    }
}

/// Minor units, which are never negative here, in major units.
fn write_decimal(json: &mut String, minor: i64, digits: usize) {
    let unit = 10_i64.pow(u32::try_from(digits).unwrap_or(0));
    write_whole(json, minor / unit);
    if digits > 0 {
        json.push('.');
        write_padded(json, minor % unit, digits);
    }
}

/// A day, counted from 2000-01-01 as PostgreSQL counts. Years are taken from March on, so that the leap day is their
/// last.
fn write_day(json: &mut String, day: i64) {
    // From 0000-03-01; an era of 400 years has 146,097 days.
    let day = day + 730_425;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    write_padded(json, era * 400 + year + next, 4);
    json.push('-');
    write_padded(json, month, 2);
    json.push('-');
    write_padded(json, day, 2);
}

/// An instant, counted in microseconds from 2000-01-01, with 0, 3 or 6 digits after the second.
fn write_instant(json: &mut String, micros: i64) {
    let (day, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    write_day(json, day);
    for (before, part) in [('T', seconds / 3_600), (':', seconds / 60 % 60), (':', seconds % 60)] {
        json.push(before);
        write_padded(json, part, 2);
    }
    if fraction % 1_000 != 0 {
        json.push('.');
        write_padded(json, fraction, 6);
    } else if fraction != 0 {
        json.push('.');
        write_padded(json, fraction / 1_000, 3);
    }
    json.push('Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        write(&mut text);
        text
    }

    /// The calendar is computed here, and its corners are where such computations go wrong.
    #[test]
    fn days_are_those_of_the_calendar() {
        for (day, expected) in [
            (0, "2000-01-01"),
            (-1, "1999-12-31"),
            (59, "2000-02-29"),
            (60, "2000-03-01"),
            (366, "2001-01-01"),
            (9_800, "2026-10-31"),
            (36_583, "2100-02-28"),
            (36_584, "2100-03-01"),
        ] {
            assert_eq!(written(|text| write_day(text, day)), expected, "{day}");
        }
    }

    /// As many digits as the server gives, or bodies would differ in one of a thousand payments.
    #[test]
    fn instants_have_none_three_or_six_digits() {
        for (micros, expected) in [
            (0, "2000-01-01T00:00:00Z"),
            (1, "2000-01-01T00:00:00.000001Z"),
            (86_399_120_000, "2000-01-01T23:59:59.120Z"),
            (-1_000, "1999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(written(|text| write_instant(text, micros)), expected);
        }
    }

    #[test]
    fn amounts_have_the_digits_of_their_currency() {
        for (minor, currency, expected) in
            [(5, "IDR", "0.05"), (0, "USD", "0.00"), (1_234, "JPY", "1234"), (1_234, "KWD", "1.234")]
        {
            assert_eq!(written(|text| write_decimal(text, minor, MINOR_UNITS[currency])), expected);
        }
    }
}
