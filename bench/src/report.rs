//! Runs as tables, JSON and one page of HTML, and what is better or worse in one than in another.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::measure::Measurement;

/// Everything that was measured of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What it is called: a mode, or what somebody named it.
    pub name: String,
    /// Seconds since 1970 at its end.
    pub at: u64,
    /// The database, and how many payments it held.
    pub setting: String,
    /// One for each scenario and load.
    pub measurements: Vec<Measurement>,
}

/// A figure of a measurement that can be better or worse.
#[derive(Clone, Copy)]
pub struct Figure {
    /// Its name in reports, with its unit.
    pub name: &'static str,
    /// Its value.
    pub of: fn(&Measurement) -> f64,
    /// Whether more of it is better.
    pub more_is_better: bool,
}

impl std::fmt::Debug for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Figure").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The figures that are compared.
pub const FIGURES: &[Figure] = &[
    Figure { name: "statements", of: |seen| seen.statements, more_is_better: false },
    Figure { name: "rows", of: |seen| seen.rows, more_is_better: false },
    Figure { name: "CPU µs", of: Measurement::cpu_us, more_is_better: false },
    Figure { name: "server CPU µs", of: |seen| seen.server_cpu_us, more_is_better: false },
    Figure { name: "p50 ms", of: |seen| seen.p50_ms, more_is_better: false },
    Figure { name: "p99 ms", of: |seen| seen.p99_ms, more_is_better: false },
    Figure { name: "requests/s", of: |seen| seen.throughput, more_is_better: true },
    Figure { name: "resident MB", of: |seen| seen.resident_mb, more_is_better: false },
    Figure { name: "KB/subscriber", of: |seen| seen.subscriber_kb, more_is_better: false },
];

impl Figure {
    /// By how much it changed from one measurement to another, as a part of the first. `None` where the first is zero.
    pub fn change(&self, from: &Measurement, to: &Measurement) -> Option<f64> {
        let (from, to) = ((self.of)(from), (self.of)(to));
        (from > 0.0).then(|| (to - from) / from)
    }

    /// Whether a change is for the worse by more than a part.
    pub fn is_worse(&self, change: f64, than: f64) -> bool {
        if self.more_is_better { change < -than } else { change > than }
    }
}

/// The tables of a run: requests, and below them the fan-outs.
pub fn table(run: &Run) -> String {
    let mut text = format!("{}: {}\n", run.name, run.setting);
    let (fanouts, requests): (Vec<&Measurement>, Vec<&Measurement>) =
        run.measurements.iter().partition(|seen| seen.subscribers > 0);
    if !requests.is_empty() {
        request_table(&mut text, &requests);
    }
    if !fanouts.is_empty() {
        fanout_table(&mut text, &fanouts);
    }
    text
}

fn request_table(text: &mut String, measurements: &[&Measurement]) {
    let _ = writeln!(
        text,
        "{:<9} {:<5} {:>7} {:>8} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7} {:>6} {:>9} {:>9} {:>7}",
        "scenario",
        "load",
        "clients",
        "requests",
        "success",
        "req/s",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "stmts",
        "rows",
        "batches",
        "hits",
        "server µs",
        "db µs",
        "MB"
    );
    for seen in measurements {
        let _ = writeln!(
            text,
            "{:<9} {:<5} {:>7} {:>8} {:>6.1}% {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>7.2} {:>7.1} {:>7.2} \
             {:>5.1}% {:>9.0} {:>9.0} {:>7.1}",
            seen.scenario,
            seen.load,
            seen.clients,
            seen.requests,
            seen.success * 100.0,
            seen.throughput,
            seen.p50_ms,
            seen.p90_ms,
            seen.p99_ms,
            seen.max_ms,
            seen.statements,
            seen.rows,
            seen.batches,
            seen.hits * 100.0,
            seen.server_cpu_us,
            seen.database_cpu_us,
            seen.resident_mb
        );
    }
    for seen in measurements.iter().filter(|seen| seen.success < 0.99) {
        let _ = writeln!(text, "{} {}: requests failed, so its figures say nothing", seen.scenario, seen.load);
    }
}

fn fanout_table(text: &mut String, measurements: &[&Measurement]) {
    let _ = writeln!(
        text,
        "{:<9} {:>11} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>9} {:>9} {:>7} {:>7}",
        "scenario",
        "subscribers",
        "events",
        "in order",
        "events/s",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "stmts",
        "rows",
        "server µs",
        "db µs",
        "MB",
        "KB each"
    );
    for seen in measurements {
        let _ = writeln!(
            text,
            "{:<9} {:>11} {:>8} {:>7.1}% {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>7.2} {:>7.2} {:>9.0} {:>9.0} \
             {:>7.1} {:>7.1}",
            seen.scenario,
            seen.subscribers,
            seen.requests,
            seen.success * 100.0,
            seen.throughput,
            seen.p50_ms,
            seen.p90_ms,
            seen.p99_ms,
            seen.max_ms,
            seen.statements,
            seen.rows,
            seen.server_cpu_us,
            seen.database_cpu_us,
            seen.resident_mb,
            seen.subscriber_kb
        );
    }
    for seen in measurements.iter().filter(|seen| seen.success < 1.0) {
        let _ = writeln!(text, "{} {}: events were lost, so its figures say nothing", seen.scenario, seen.subscribers);
    }
}

/// What changed between two runs, and what of it is worse by more than `threshold` (a part of one).
pub fn compare(from: &Run, to: &Run, threshold: f64) -> (String, Vec<String>) {
    let mut text = format!("{} → {}\n{:<9} {:<5}", from.name, to.name, "scenario", "load");
    for figure in FIGURES {
        let _ = write!(text, " {:>23}", figure.name);
    }
    text.push('\n');
    let mut worse = Vec::new();
    for before in &from.measurements {
        let same = |seen: &&Measurement| seen.scenario == before.scenario && seen.load == before.load;
        let Some(after) = to.measurements.iter().find(same) else { continue };
        let _ = write!(text, "{:<9} {:<5}", before.scenario, before.load);
        for figure in FIGURES {
            let (from, to) = ((figure.of)(before), (figure.of)(after));
            let change = figure.change(before, after);
            let percent = change.map_or(String::new(), |change| format!("{:+.0} %", change * 100.0));
            let _ = write!(text, " {:>7} →{:>7} {:>6}", short(from), short(to), percent);
            if let Some(change) = change.filter(|change| figure.is_worse(*change, threshold)) {
                worse.push(format!("{} {}: {} {:+.0} %", before.scenario, before.load, figure.name, change * 100.0));
            }
        }
        text.push('\n');
    }
    (text, worse)
}

/// Servers side by side, a table for each load, with ratios to the first of them.
pub fn beside(runs: &[Run]) -> String {
    let mut text = String::new();
    let Some(first) = runs.first() else { return text };
    let _ = writeln!(text, "{}", first.setting);
    for base in &first.measurements {
        let _ = writeln!(
            text,
            "\n{}, load {}; × is to {}\n{:<24} {:>9} {:>6} {:>9} {:>9} {:>7} {:>8} {:>8} {:>8} {:>7}",
            base.scenario,
            base.load,
            first.name,
            "server",
            "CPU µs",
            "×",
            "db µs",
            "req/s",
            "×",
            "p50 ms",
            "p99 ms",
            "MB",
            "×"
        );
        let same = |seen: &&Measurement| seen.scenario == base.scenario && seen.load == base.load;
        for (run, seen) in runs.iter().filter_map(|run| Some((run, run.measurements.iter().find(same)?))) {
            let ratio = |of: fn(&Measurement) -> f64| {
                let (figure, base) = (of(seen), of(base));
                if base > 0.0 { short(figure / base) } else { "-".to_owned() }
            };
            let _ = writeln!(
                text,
                "{:<24} {:>9.0} {:>6} {:>9.0} {:>9.0} {:>7} {:>8.2} {:>8.2} {:>8.1} {:>7}",
                run.name,
                seen.server_cpu_us,
                ratio(|seen| seen.server_cpu_us),
                seen.database_cpu_us,
                seen.throughput,
                ratio(|seen| seen.throughput),
                seen.p50_ms,
                seen.p99_ms,
                seen.resident_mb,
                ratio(|seen| seen.resident_mb)
            );
            if seen.success < 0.99 {
                let _ = writeln!(text, "{}: requests failed, so its figures say nothing", run.name);
            }
        }
    }
    text
}

/// A figure in at most six letters.
fn short(figure: f64) -> String {
    match figure {
        figure if figure >= 100_000.0 => format!("{:.0}k", figure / 1_000.0),
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure => format!("{figure:.2}"),
    }
}

/// One page with the runs side by side: a bar for each run, under each scenario, load and figure.
pub fn html(runs: &[Run]) -> String {
    let mut page = String::from(HEAD);
    for run in runs {
        let _ = write!(page, "<p><b>{}</b>: {}</p>", escape(&run.name), escape(&run.setting));
    }
    // The bars of all figures start at the same place.
    let width = runs.iter().map(|run| run.name.chars().count()).max().unwrap_or(0) + 1;
    // What nobody measured is left out.
    let measured = |figure: &&Figure| runs.iter().flat_map(|run| &run.measurements).any(|seen| (figure.of)(seen) > 0.0);
    for figure in FIGURES.iter().filter(measured) {
        let better = if figure.more_is_better { "more is better" } else { "less is better" };
        let _ = write!(
            page,
            "<h2>{} <small>{better}</small></h2><div class=grid style=--names:{width}ch>",
            escape(figure.name)
        );
        for seen in runs.first().map_or(&[][..], |run| &run.measurements) {
            let same = |other: &&Measurement| other.scenario == seen.scenario && other.load == seen.load;
            let values: Vec<(&str, f64)> = runs
                .iter()
                .filter_map(|run| Some((run.name.as_str(), (figure.of)(run.measurements.iter().find(same)?))))
                .collect();
            // As of a figure that this measurement does not have.
            if values.iter().all(|(_, value)| *value <= 0.0) {
                continue;
            }
            let most = values.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
            let _ = write!(page, "<figure><figcaption>{}, {}</figcaption>", escape(&seen.scenario), escape(&seen.load));
            for (at, (name, value)) in values.iter().enumerate() {
                let _ = write!(
                    page,
                    "<div class=row><span>{}</span><i class=c{} style=width:{:.1}%></i><b>{}</b></div>",
                    escape(name),
                    at % 4,
                    value / most * 100.0,
                    short(*value)
                );
            }
            page.push_str("</figure>");
        }
        page.push_str("</div>");
    }
    page.push_str("</body></html>\n");
    page
}

const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><title>Dermaga benchmark</title><style>\
body{font:15px system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b2733}\
h2{margin:2rem 0 .5rem;font-size:1.1rem}small{color:#667;font-weight:400}\
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(24rem,1fr));gap:.75rem}\
figure{margin:0;padding:.6rem .8rem;border:1px solid #dde3ea;border-radius:.4rem}\
figcaption{font-weight:600;margin-bottom:.3rem}.row{display:grid;grid-template-columns:var(--names) 1fr 3rem;\
align-items:center;gap:.4rem;height:1.5rem}.row i{height:.9rem;min-width:1px;border-radius:.15rem}.row b{font-weight:500}\
.c0{background:#c2573d}.c1{background:#d9a441}.c2{background:#2f7d6b}.c3{background:#3c5fa0}\
</style></head><body><h1>Dermaga benchmark</h1>";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, throughput: f64, statements: f64) -> Run {
        let seen = Measurement {
            scenario: "page".to_owned(),
            load: "one".to_owned(),
            throughput,
            statements,
            ..Measurement::default()
        };
        Run { name: name.to_owned(), at: 0, setting: "SQLite".to_owned(), measurements: vec![seen] }
    }

    fn fanout(success: f64) -> Measurement {
        Measurement {
            scenario: "fanout".to_owned(),
            load: "100".to_owned(),
            clients: 1,
            subscribers: 100,
            requests: 2_000,
            success,
            throughput: 5_000.0,
            subscriber_kb: 41.5,
            ..Measurement::default()
        }
    }

    /// A fan-out has its own headings, and of a server that does nothing else there is no other table.
    #[test]
    fn fanouts_stand_below_requests() {
        let mut both = run("a", 100.0, 4.0);
        both.measurements.insert(0, fanout(1.0));
        let text = table(&both);
        let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("scenario")).collect();
        assert!(heads.len() == 2 && heads[0].contains("req/s") && heads[1].contains("events/s"), "{text}");
        let row: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(
            (&row[..5], row.last()),
            (&["fanout", "100", "2000", "100.0%", "5000"][..], Some(&"41.5")),
            "{text}"
        );
        both.measurements.truncate(1);
        assert!(!table(&both).contains("req/s"));
    }

    /// One event in a thousand that is lost is one too many.
    #[test]
    fn lost_events_are_told() {
        let mut lost = run("a", 100.0, 4.0);
        lost.measurements = vec![fanout(0.999)];
        assert!(table(&lost).ends_with("fanout 100: events were lost, so its figures say nothing\n"));
        lost.measurements = vec![fanout(1.0)];
        assert!(!table(&lost).contains("lost"));
    }

    /// A figure of fan-outs has bars for them alone.
    #[test]
    fn the_page_leaves_out_what_has_no_such_figure() {
        let mut both = run("a", 100.0, 4.0);
        both.measurements.push(fanout(1.0));
        let page = html(&[both]);
        let (_, memory) = page.split_once("<h2>KB/subscriber").unwrap();
        assert!(memory.contains("fanout, 100") && !memory.contains("page, one"), "{memory}");
    }

    #[test]
    fn worse_is_what_is_slower_or_costs_more() {
        let (text, worse) = compare(&run("a", 100.0, 4.0), &run("b", 80.0, 2.0), 0.1);
        assert_eq!(worse, ["page one: requests/s -20 %"]);
        assert!(text.contains("-50 %"), "{text}");
        let (_, worse) = compare(&run("a", 100.0, 4.0), &run("b", 95.0, 5.0), 0.1);
        assert_eq!(worse, ["page one: statements +25 %"]);
    }

    /// What nothing is known of has no ratio, and one of failed requests is said to be of no worth.
    #[test]
    fn servers_stand_beside_the_first() {
        let (mut other, mut failed) = (run("other", 50.0, 0.0), run("failed", 900.0, 0.0));
        other.measurements[0].success = 1.0;
        failed.measurements[0].success = 0.5;
        let text = beside(&[run("first", 100.0, 0.0), other, failed]);
        let row = text.lines().find(|line| line.starts_with("other")).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["other", "0", "-", "0", "50", "0.50", "0.00", "0.00", "0.0", "-"]
        );
        assert!(text.contains("failed: requests failed"), "{text}");
        assert!(!text.contains("other: requests failed"), "{text}");
    }

    #[test]
    fn names_are_text_in_the_page() {
        let page = html(&[run("<script>", 1.0, 1.0)]);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
    }

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let run = run("a", 1.5, 2.0);
        assert_eq!(serde_json::from_str::<Run>(&serde_json::to_string(&run).unwrap()).unwrap(), run);
    }

    /// A line of a history from before rows, clients and subscribers were measured.
    #[test]
    fn an_older_run_is_read() {
        let line = r#"{"name":"cached","at":1762000000,"setting":"SQLite, 5000 payments","measurements":[{
            "scenario":"page","load":"one","requests":500,"success":1.0,"throughput":100.5,"p50_ms":9.5,"p90_ms":11.0,
            "p99_ms":14.0,"max_ms":20.0,"statements":2.0,"batches":1.0,"keys":50.0,"hits":0.0,"server_cpu_us":3000.0,
            "database_cpu_us":0.0,"resident_mb":60.5}]}"#;
        let seen = serde_json::from_str::<Run>(line).unwrap().measurements.remove(0);
        assert_eq!((seen.throughput, seen.statements, seen.resident_mb), (100.5, 2.0, 60.5));
        assert_eq!((seen.rows, seen.clients, seen.subscribers, seen.subscriber_kb), (0.0, 0, 0, 0.0));
    }
}
