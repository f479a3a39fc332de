//! The log as lines of JSON, with the names of the Elastic Common Schema (ECS).
//!
//! A line is one object, written at once. What ECS has a name for is called so; other fields of this program stand in
//! the object `dermaga`. Fields of libraries are `labels`: nobody here knows their types, and one of another type would
//! make a store refuse the line.

use std::fmt::{self, Debug, Write as _};
use std::io::Write as _;

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::traces;
use crate::clock::Clock;

/// The version of ECS whose names these are.
const ECS_VERSION: &str = "8.11.0";

/// Bytes of a text at the most. Twice this and some fields fit into the 16 KiB at which Docker cuts lines.
const MAX_TEXT: usize = 4_096;

/// Bytes of a field that is JSON itself at the most.
const MAX_JSON: usize = 8_192;

/// What stands at the end of a text that was cut.
const CUT: &str = "…";

/// What a field of this program is in ECS.
struct Name {
    /// Its name in the code, and on a terminal.
    own: &'static str,
    /// Its name in ECS; `None` for one in `dermaga`.
    ecs: Option<&'static str>,
    kind: Kind,
}

/// How the value of a field is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As it is.
    Plain,
    /// Microseconds, which ECS counts in nanoseconds.
    Microseconds,
    /// A text that is JSON, and written as such.
    Json,
}

/// The fields that are not simply themselves in `dermaga`. `docs/operations.md` has the same table.
const NAMES: [Name; 10] = [
    Name { own: "request_id", ecs: Some("http.request.id"), kind: Kind::Plain },
    Name { own: "cause", ecs: Some("error.message"), kind: Kind::Plain },
    Name { own: "code", ecs: Some("error.code"), kind: Kind::Plain },
    Name { own: "codes", ecs: Some("error.code"), kind: Kind::Json },
    Name { own: "account", ecs: Some("organization.id"), kind: Kind::Plain },
    Name { own: "took", ecs: Some("event.duration"), kind: Kind::Microseconds },
    Name { own: "address", ecs: Some("server.address"), kind: Kind::Plain },
    Name { own: "port", ecs: Some("server.port"), kind: Kind::Plain },
    Name { own: "batches", ecs: None, kind: Kind::Json },
    Name { own: "microseconds", ecs: None, kind: Kind::Json },
];

/// Writes each event as a line.
pub(super) struct EcsLayer<W> {
    writer: W,
    clock: Clock,
    process: u32,
}

impl<W> EcsLayer<W> {
    /// Lines to `writer`, with the time of `clock`.
    pub(super) fn new(writer: W, clock: Clock) -> Self {
        Self { writer, clock, process: std::process::id() }
    }
}

/// A line, as far as it is the same for all events.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    #[serde(rename = "log.level")]
    level: &'static str,
    message: &'a str,
    #[serde(rename = "ecs.version")]
    ecs_version: &'static str,
    #[serde(rename = "log.logger")]
    logger: &'a str,
    #[serde(rename = "service.name")]
    service: &'static str,
    #[serde(rename = "service.version")]
    version: &'static str,
    #[serde(rename = "process.pid")]
    process: u32,
    #[serde(flatten)]
    ecs: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    dermaga: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    labels: &'a Map<String, Value>,
}

impl<S, W> Layer<S> for EcsLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut Recorder::new(&mut fields, attributes.metadata()));
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(&mut Recorder::new(fields, span.metadata()));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer);
            }
        }
        if let Some((trace, span)) = traces::current() {
            fields.ecs.insert("trace.id".to_owned(), trace.to_string().into());
            fields.ecs.insert("span.id".to_owned(), span.to_string().into());
        }
        event.record(&mut Recorder::new(&mut fields, metadata));
        let line = Line {
            timestamp: self.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true),
            level: level(metadata),
            message: &fields.message,
            ecs_version: ECS_VERSION,
            logger: metadata.target(),
            service: "dermaga",
            version: env!("CARGO_PKG_VERSION"),
            process: self.process,
            ecs: &fields.ecs,
            dermaga: &fields.dermaga,
            labels: &fields.labels,
        };
        let Ok(mut line) = serde_json::to_vec(&line) else { return };
        line.push(b'\n');
        // Whoever collects the log may be gone.
        let _ = self.writer.make_writer_for(metadata).write_all(&line);
    }
}

fn level(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN => "warn",
        tracing::Level::INFO => "info",
        tracing::Level::DEBUG => "debug",
        tracing::Level::TRACE => "trace",
    }
}

/// The fields of an event, or of a span, by where they stand in a line.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    ecs: Map<String, Value>,
    dermaga: Map<String, Value>,
    labels: Map<String, Value>,
}

impl Fields {
    /// Adds those of a span; the inner ones count.
    fn extend(&mut self, other: &Self) {
        let all = [(&mut self.ecs, &other.ecs), (&mut self.dermaga, &other.dermaga), (&mut self.labels, &other.labels)];
        for (own, other) in all {
            own.extend(other.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
}

/// Reads fields.
struct Recorder<'a> {
    fields: &'a mut Fields,
    /// Whether they are those of a library.
    foreign: bool,
}

impl<'a> Recorder<'a> {
    fn new(fields: &'a mut Fields, metadata: &Metadata<'_>) -> Self {
        Self { fields, foreign: !metadata.target().starts_with("dermaga") }
    }

    fn put(&mut self, field: &Field, value: Value) {
        let own = field.name();
        if self.foreign {
            // ECS wants labels without dots, and each a single value.
            self.fields.labels.insert(own.replace('.', "_"), value);
            return;
        }
        let Some(name) = named(field) else {
            self.fields.dermaga.insert(own.to_owned(), value);
            return;
        };
        let value = match (name.kind, value) {
            (Kind::Microseconds, Value::Number(number)) => {
                number.as_u64().map_or(Value::Null, |number| number.saturating_mul(1_000).into())
            }
            (Kind::Json, Value::String(text)) => serde_json::from_str(&text).unwrap_or_else(|_| cut(&text).into()),
            (_, value) => value,
        };
        match name.ecs {
            Some(ecs) => self.fields.ecs.insert(ecs.to_owned(), value),
            None => self.fields.dermaga.insert(own.to_owned(), value),
        };
    }

    /// How long a text of that field may be before it is read.
    fn limit(&self, field: &Field) -> usize {
        let json = !self.foreign && named(field).is_some_and(|name| name.kind == Kind::Json);
        if json { MAX_JSON } else { MAX_TEXT }
    }
}

fn named(field: &Field) -> Option<&'static Name> {
    NAMES.iter().find(|name| name.own == field.name())
}

impl Visit for Recorder<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = Bounded::new(self.limit(field));
        // It fails when there is no more room, and then what fits is there.
        let _ = write!(text, "{value:?}");
        if field.name() == "message" {
            self.fields.message = text.text;
        } else {
            self.put(field, text.text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    /// A number that JSON does not have is null.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

/// The first bytes of what is written, and a mark where there was more.
struct Bounded {
    text: String,
    limit: usize,
    full: bool,
}

impl Bounded {
    fn new(limit: usize) -> Self {
        Self { text: String::new(), limit, full: false }
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.full {
            return Err(fmt::Error);
        }
        let room = self.limit.saturating_sub(self.text.len());
        if more.len() <= room {
            self.text.push_str(more);
            return Ok(());
        }
        self.text.push_str(&more[..more.floor_char_boundary(room)]);
        self.text.push_str(CUT);
        self.full = true;
        Err(fmt::Error)
    }
}

fn cut(text: &str) -> String {
    let mut bounded = Bounded::new(MAX_TEXT);
    let _ = bounded.write_str(text);
    bounded.text
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use serde_json::json;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `say` runs: each line an object with what every line has, which is taken off.
    fn lines(say: impl FnOnce()) -> Vec<Value> {
        let page = Page::default();
        let clock = Clock::fixed("2026-10-30T12:00:00.123456Z".parse().unwrap());
        let written = page.clone();
        let layer = EcsLayer::new(move || written.clone(), clock);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        let bytes = page.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with('\n'), "{text}");
        text.lines()
            .map(|line| {
                let mut line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let object = line.as_object_mut().unwrap();
                for (name, value) in [
                    ("@timestamp", json!("2026-10-30T12:00:00.123Z")),
                    ("ecs.version", json!("8.11.0")),
                    ("service.name", json!("dermaga")),
                    ("service.version", json!(env!("CARGO_PKG_VERSION"))),
                    ("process.pid", json!(std::process::id())),
                ] {
                    assert_eq!(object.remove(name), Some(value), "{name}");
                }
                line
            })
            .collect()
    }

    const LOGGER: &str = module_path!();

    /// Kibana, alerts and people search by these names.
    #[test]
    fn fields_have_their_names_in_ecs() {
        let lines = lines(|| {
            tracing::warn!(request_id = "r", code = "C", cause = %"why: and why", took = 1_500_u64, "it was slow");
            tracing::info!(address = %"127.0.0.1", port = 8080, account = "a", "it serves");
            tracing::debug!(codes = r#"["A","B"]"#, batches = r#"[{"keys":2}]"#, cost = 12_u64, is = true, "it ran");
        });
        let expected = [
            json!({"log.level": "warn", "message": "it was slow", "log.logger": LOGGER, "http.request.id": "r",
                "error.code": "C", "error.message": "why: and why", "event.duration": 1_500_000}),
            json!({"log.level": "info", "message": "it serves", "log.logger": LOGGER, "server.address": "127.0.0.1",
                "server.port": 8080, "organization.id": "a"}),
            json!({"log.level": "debug", "message": "it ran", "log.logger": LOGGER, "error.code": ["A", "B"],
                "dermaga": {"batches": [{"keys": 2}], "cost": 12, "is": true}}),
        ];
        assert_eq!(lines, expected);
    }

    /// What an operation's span knows stands in each line of the operation, unless the line knows better.
    #[test]
    fn fields_of_spans_are_in_their_lines() {
        let lines = lines(|| {
            let outer =
                tracing::info_span!("operation", request_id = "r", stage = "outer", late = tracing::field::Empty);
            let _outer = outer.enter();
            let _inner = tracing::info_span!("assistant", stage = "inner").entered();
            outer.record("late", 7);
            tracing::info!("inside");
            tracing::info!(stage = "own", "inside");
        });
        let inside = |stage| {
            json!({"log.level": "info", "message": "inside", "log.logger": LOGGER, "http.request.id": "r",
                "dermaga": {"stage": stage, "late": 7}})
        };
        assert_eq!(lines, [inside("inner"), inside("own")]);
    }

    /// A store refuses a line whose field has another type than before, so that those of libraries stand apart.
    #[test]
    fn fields_of_libraries_are_labels() {
        let lines = lines(|| tracing::error!(target: "library", code = 5, a.b = ?[1], "of a library"));
        let expected = json!({"log.level": "error", "message": "of a library", "log.logger": "library",
            "labels": {"code": 5, "a_b": "[1]"}});
        assert_eq!(lines, [expected]);
    }

    /// Whatever a field holds, a line is one line, is JSON, and is not much longer than its longest field may be.
    #[test]
    fn no_field_breaks_a_line() {
        let nasty = "\"}\n{\"log.level\":\"off\"\u{0}\u{1b}[31m\u{2028}\\";
        let long = "ü".repeat(100_000);
        let lines = lines(|| {
            tracing::info!(cause = nasty, name = ?nasty, "{nasty}");
            tracing::info!(cause = long, name = ?Some(&long), "{long}");
            tracing::info!(batches = format!("[{long}"), codes = "no JSON", "not JSON");
            tracing::info!(number = f64::NAN, large = u128::MAX, wait = ?Duration::from_millis(5), took = -1, "numbers");
        });
        assert_eq!(lines.len(), 4);
        assert_eq!((&lines[0]["error.message"], &lines[0]["message"]), (&json!(nasty), &json!(nasty)));
        for text in [&lines[1]["message"], &lines[1]["error.message"], &lines[1]["dermaga"]["name"]] {
            let text = text.as_str().unwrap();
            assert!(text.len() <= MAX_TEXT + CUT.len() && text.ends_with("üü…"), "{} bytes", text.len());
        }
        assert_eq!(lines[2]["error.code"], "no JSON");
        assert!(lines[2]["dermaga"]["batches"].as_str().unwrap().len() <= MAX_TEXT + 2 * CUT.len());
        let numbers = json!({"number": null, "large": u128::MAX.to_string(), "wait": "5ms"});
        assert_eq!((&lines[3]["dermaga"], &lines[3]["event.duration"]), (&numbers, &Value::Null));
    }
}
