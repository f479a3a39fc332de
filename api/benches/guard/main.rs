//! What a request costs beside the engine: reading it, judging its document, and writing the answer's body; and how
//! long the engine validates the worst documents that the guard lets through.

#![allow(missing_docs, reason = "a benchmark's name says what it measures")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may fail loudly, and reports")]

mod documents;

use std::hint::black_box;
use std::time::Instant;

use async_graphql::{Request, Variables};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dermaga_api::error::code;
use dermaga_api::graphql::{schema, sdl};
use dermaga_api::guard::{Guard, Limits};
use dermaga_api::pipeline::{Executed, GraphqlRequest, Refusal};
use serde_json::{Value, json};

const README: &str = include_str!("../../../README.md");
const INTROSPECTION: &str = include_str!("../../src/guard/introspection.graphql");

/// What stands in the first block of the README in this language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

fn guard() -> Guard {
    Guard::new(Limits::default(), &sdl(false), 100, true).unwrap()
}

/// The first query of the README, and the one that explorers send.
fn documents_that_people_send(criterion: &mut Criterion) {
    let (guard, variables) = (guard(), Variables::default());
    let mut group = criterion.benchmark_group("guard");
    group.bench_function("readme", |bench| bench.iter(|| guard.admit(black_box(block("graphql")), None, &variables)));
    group.bench_function("introspection", |bench| {
        bench.iter(|| guard.admit(black_box(INTROSPECTION), None, &variables));
    });
    // What of it is the parser's, which somebody has to run.
    group.bench_function("readme, parser alone", |bench| {
        bench.iter(|| async_graphql::parser::parse_query(black_box(block("graphql"))));
    });
    group.finish();
}

/// The body of a request, and the body of an answer.
fn bodies(criterion: &mut Criterion) {
    let body = json!({"query": block("graphql"), "variables": {}}).to_string();
    let refusal = Refusal::document(code::TOO_COMPLEX, "there are 3 aliases; at most 2 may be asked for");
    let answer: Value = serde_json::from_str(block("json")).unwrap();
    let data = async_graphql::Value::from_json(answer["data"].clone()).unwrap();
    let mut group = criterion.benchmark_group("bodies");
    group.bench_function("request", |bench| bench.iter(|| GraphqlRequest::from_json(black_box(body.as_bytes()))));
    group.bench_function("refusal", |bench| bench.iter(|| Executed::refused(black_box(&refusal)).body()));
    group.bench_function("answer", |bench| {
        // As `Executed` is made and written; its parts are private.
        bench.iter(|| format!("{{\"data\":{}}}", serde_json::to_string(black_box(&data)).unwrap()));
    });
    group.finish();
}

/// The worst documents, through the guard and through validation. None of them runs.
fn worst_documents(criterion: &mut Criterion) {
    let (guard, schema) = (guard(), schema(false));
    let mut group = criterion.benchmark_group("worst");
    group.sample_size(10);
    for worst in documents::worst() {
        let variables = Variables::from_json(worst.variables);
        let name = worst.text.starts_with("query o0").then_some("o0");
        let admit = || guard.admit(&worst.text, name, &variables).unwrap();
        let request = || {
            let mut request = Request::new(worst.text.as_str()).variables(variables.clone());
            request.operation_name = name.map(str::to_owned);
            request.set_parsed_query(admit().document);
            request
        };
        let before = peak_memory();
        let (prepared, started) = (request(), Instant::now());
        let errors = futures_util::FutureExt::now_or_never(schema.execute(prepared)).unwrap().errors.len();
        let (took, grown) = (started.elapsed(), peak_memory().saturating_sub(before));
        println!("{}: {errors} errors in {took:?}, {grown} kB more at the peak", worst.name);
        group.bench_function(format!("guard: {}", worst.name), |bench| bench.iter(admit));
        group.bench_function(format!("engine: {}", worst.name), |bench| {
            bench.iter_batched(
                request,
                |request| futures_util::FutureExt::now_or_never(schema.execute(request)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// The most memory that the process had at any time, in kB; 0 where that is not known.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

criterion_group!(benches, documents_that_people_send, bodies, worst_documents);
criterion_main!(benches);
