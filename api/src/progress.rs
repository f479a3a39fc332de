//! How long work shows that it is getting on.
//!
//! A terminal gets a bar. Anything else, such as a container's log, gets a line at the start, one now and
//! then, and one at the end; they are entries of the log where that is JSON. All of it goes to standard error: standard
//! output belongs to the results.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::telemetry::microseconds;

/// Two lines are never closer to each other than this.
const QUIET: Duration = Duration::from_secs(3);
/// A line comes after this time even when little was done.
const PATIENCE: Duration = Duration::from_secs(30);
/// A line comes when one part in so many is done.
const PARTS: u64 = 10;

/// Where progress is shown.
#[derive(Clone)]
pub struct Progress(Target);

#[derive(Clone)]
enum Target {
    Hidden,
    Bar,
    Log,
    Lines(Lines),
}

type Lines = Arc<Mutex<dyn Write + Send>>;

impl Progress {
    /// On standard error: a bar if that is a terminal, else lines.
    pub fn stderr() -> Self {
        if io::stderr().is_terminal() { Self(Target::Bar) } else { Self::lines(io::stderr()) }
    }

    /// In the log.
    pub fn logged() -> Self {
        Self(Target::Log)
    }

    /// Nowhere.
    pub fn hidden() -> Self {
        Self(Target::Hidden)
    }

    /// As lines to `writer`.
    fn lines(writer: impl Write + Send + 'static) -> Self {
        Self(Target::Lines(Arc::new(Mutex::new(writer))))
    }

    /// Begins to show work of `total` steps; `what` names the work and its steps, such as
    /// `Importing ECB reference rates (days)`.
    pub fn start(&self, what: &str, total: u64) -> Task {
        let shown = match &self.0 {
            Target::Hidden => Shown::Nothing,
            Target::Bar => Shown::Bar(bar(what, total)),
            Target::Log => Shown::Entries,
            Target::Lines(lines) => Shown::Lines(lines.clone()),
        };
        let started = Instant::now();
        let task = Task { what: what.to_owned(), total, done: 0, started, told: (started, 0), shown, ended: false };
        task.tell(format_args!("{what}: 0 of {total}"));
        task
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Target::Hidden => "Progress(hidden)",
            Target::Bar => "Progress(bar)",
            Target::Log => "Progress(log)",
            Target::Lines(_) => "Progress(lines)",
        })
    }
}

/// One piece of work under way. Dropped before [`Task::finish`], it says that the work stopped.
pub struct Task {
    what: String,
    total: u64,
    done: u64,
    started: Instant,
    /// When the last line was written, and how much was done then.
    told: (Instant, u64),
    shown: Shown,
    ended: bool,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Entries,
    Lines(Lines),
}

impl Task {
    /// Says that `steps` more are done.
    pub fn advance(&mut self, steps: u64) {
        self.done = self.done.saturating_add(steps);
        if let Shown::Bar(bar) = &self.shown {
            bar.set_position(self.done);
        }
        let (told_at, told_done) = self.told;
        let now = Instant::now();
        if is_line_due(now - told_at, self.done - told_done, self.total) && self.done < self.total {
            self.told = (now, self.done);
            self.tell(format_args!("{}: {} of {}", self.what, self.done, self.total));
        }
    }

    /// Runs `write`, which writes lines of its own, without a bar in their way.
    pub fn aside(&self, write: impl FnOnce()) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(write),
            Shown::Nothing | Shown::Entries | Shown::Lines(_) => write(),
        }
    }

    /// Ends the work and says how long it took.
    pub fn finish(mut self) {
        self.end("done in");
    }

    fn end(&mut self, how: &str) {
        self.ended = true;
        let elapsed = Elapsed(self.started.elapsed());
        let line = format!("{}: {} of {}, {how} {elapsed}", self.what, self.done, self.total);
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
            let _ = writeln!(io::stderr(), "{line}");
        }
        self.tell(format_args!("{line}"));
    }

    /// Writes a line if lines are shown. Progress that cannot be written is no reason to fail.
    fn tell(&self, line: fmt::Arguments<'_>) {
        match &self.shown {
            Shown::Lines(lines) => {
                let mut writer = lines.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = writeln!(writer, "{line}").and_then(|()| writer.flush());
            }
            Shown::Entries => {
                let Self { what, total, done, ended, .. } = self;
                let took = microseconds(self.started.elapsed());
                tracing::info!(work = what, done, total, ended, took, "work is getting on");
            }
            Shown::Nothing | Shown::Bar(_) => {}
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.ended {
            self.end("stopped after");
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({}: {} of {})", self.what, self.done, self.total)
    }
}

fn bar(what: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:32}] {human_pos} of {human_len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style);
    bar.set_message(what.to_owned());
    bar
}

/// Whether a line is due `since` the last one, with `done` of `total` steps since then.
fn is_line_due(since: Duration, done: u64, total: u64) -> bool {
    since >= PATIENCE || (since >= QUIET && done.saturating_mul(PARTS) >= total)
}

/// A duration as people say it: `0.4 s`, `12.0 s`, `2 min 5 s`.
struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{seconds}.{} s", self.0.subsec_millis() / 100),
            _ => write!(f, "{} min {} s", seconds / 60, seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().unwrap();
            str::from_utf8(&bytes).unwrap().lines().map(str::to_owned).collect()
        }
    }

    /// A thousand quick steps are two lines in a log, not a thousand.
    #[test]
    fn quick_work_is_a_line_at_the_start_and_one_at_the_end() {
        let page = Page::default();
        let mut task = Progress::lines(page.clone()).start("Counting (sheep)", 1000);
        for _ in 0..1000 {
            task.advance(1);
        }
        task.finish();

        let lines = page.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0], "Counting (sheep): 0 of 1000");
        assert!(lines[1].starts_with("Counting (sheep): 1000 of 1000, done in 0."), "{lines:?}");
    }

    #[test]
    fn work_that_is_given_up_says_so() {
        let page = Page::default();
        let mut task = Progress::lines(page.clone()).start("Counting", 10);
        task.advance(3);
        drop(task);

        assert!(page.lines()[1].starts_with("Counting: 3 of 10, stopped after 0."), "{:?}", page.lines());
    }

    #[test]
    fn lines_keep_their_distance() {
        for (seconds, done, due) in
            [(0, 1000, false), (2, 1000, false), (3, 99, false), (3, 100, true), (29, 1, false), (30, 1, true)]
        {
            assert_eq!(is_line_due(Duration::from_secs(seconds), done, 1000), due, "{seconds} s, {done} done");
        }
        assert!(is_line_due(QUIET, u64::MAX, 1), "no overflow");
    }

    #[test]
    fn durations_read_well() {
        let words = |millis| Elapsed(Duration::from_millis(millis)).to_string();
        assert_eq!(
            [49, 12_000, 59_999, 60_000, 125_900].map(words),
            ["0.0 s", "12.0 s", "59.9 s", "1 min 0 s", "2 min 5 s"]
        );
    }

    #[test]
    fn a_slow_task_writes_in_between_and_never_after_its_end() {
        let page = Page::default();
        let mut task = Progress::lines(page.clone()).start("Counting", 10);
        let Some(earlier) = task.told.0.checked_sub(QUIET) else { return };
        task.told.0 = earlier;
        task.advance(4);
        task.advance(6);
        task.finish();

        assert_eq!(page.lines()[1], "Counting: 4 of 10");
        assert_eq!(page.lines().len(), 3, "{:?}", page.lines());
    }
}
