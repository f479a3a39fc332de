//! Walking through any list page by page, and values from a seed that a failure names.

use dermaga_tests::{Answer, TestApp};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

/// Makes values. `DERMAGA_TEST_SEED` repeats a run.
pub(crate) struct Seeded {
    runner: TestRunner,
}

impl Seeded {
    /// With the seed of the environment, or a new one. It is printed, which the test runner shows on failure.
    #[allow(clippy::print_stdout, reason = "the test runner shows it when the test fails")]
    pub(crate) fn new() -> Self {
        let given = std::env::var("DERMAGA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = given.unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1);
        println!("DERMAGA_TEST_SEED={seed} repeats this run");
        let bytes: Vec<u8> = seed.to_le_bytes().into_iter().cycle().take(32).collect();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Self { runner: TestRunner::new_with_rng(Config::default(), rng) }
    }

    /// The next value.
    pub(crate) fn value<S: Strategy>(&mut self, of: &S) -> S::Value {
        of.new_tree(&mut self.runner).unwrap().current()
    }
}

/// A list that is read in pages.
pub(crate) struct List<'a> {
    app: &'a TestApp,
    document: String,
    at: &'static str,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) ids: Vec<String>,
    pub(crate) cursors: Vec<String>,
    pub(crate) has_previous: bool,
    pub(crate) has_next: bool,
    pub(crate) end_cursor: Option<String>,
}

impl Page {
    /// The page at a JSON pointer; what it says of itself must agree.
    pub(crate) fn read(answer: &Answer, at: &str) -> Self {
        let texts = |list: &str, of: &str| -> Vec<String> {
            let rows = answer.at(&format!("{at}/{list}")).as_array().unwrap();
            rows.iter().map(|row| row.pointer(of).unwrap().as_str().unwrap().to_owned()).collect()
        };
        let ids = texts("edges", "/node/id");
        let cursors = texts("edges", "/cursor");
        assert_eq!(texts("nodes", "/id"), ids, "nodes are the edges' nodes");
        let info = answer.at(&format!("{at}/pageInfo"));
        let cursor = |name: &str| info[name].as_str().map(str::to_owned);
        assert_eq!(cursor("startCursor").as_ref(), cursors.first(), "startCursor");
        assert_eq!(cursor("endCursor").as_ref(), cursors.last(), "endCursor");
        Self {
            ids,
            cursors,
            has_previous: info["hasPreviousPage"].as_bool().unwrap(),
            has_next: info["hasNextPage"].as_bool().unwrap(),
            end_cursor: cursor("endCursor"),
        }
    }
}

/// What is selected of a connection.
pub(crate) const ROWS: &str =
    "edges { cursor node { id } } nodes { id } pageInfo { hasPreviousPage hasNextPage startCursor endCursor }";

impl<'a> List<'a> {
    /// The connection at the pointer `at` in the answer to `document`, in which `PAGE` stands for the page's arguments
    /// and `ROWS` for what is selected of it.
    pub(crate) fn new(app: &'a TestApp, document: impl Into<String>, at: &'static str) -> Self {
        Self { app, document: document.into().replace("ROWS", ROWS), at }
    }

    /// One page.
    pub(crate) async fn page(&self, arguments: &str) -> Page {
        let answer = self.app.graphql(&self.document.replace("PAGE", arguments)).await;
        assert!(!matches!(answer.at(self.at), Value::Null), "{}", self.document);
        Page::read(&answer, self.at)
    }

    /// The whole list comes on one page, asked for in each of these ways.
    pub(crate) async fn is_on_one_page(&self, expected: &[String], arguments: &[&str]) {
        for arguments in arguments {
            let page = self.page(arguments).await;
            assert_eq!(page.ids, expected, "{arguments} of {}", self.document);
            assert!(!page.has_previous && !page.has_next, "{page:?}");
        }
    }

    /// Page by page, in pages of these sizes, every row comes once and where it belongs.
    pub(crate) async fn walk(&self, expected: &[String], sizes: &[usize], from_end: bool) {
        let (size_name, cursor_name) = if from_end { ("last", "before") } else { ("first", "after") };
        let mut left = expected;
        let mut cursor: Option<String> = None;
        for size in sizes.iter().cycle() {
            let mut arguments = format!("{size_name}: {size}");
            if let Some(cursor) = &cursor {
                arguments += &format!(", {cursor_name}: \"{cursor}\"");
            }
            let page = self.page(&arguments).await;
            let here = (*size).min(left.len());
            let (wanted, rest) = if from_end {
                let (rest, wanted) = left.split_at(left.len() - here);
                (wanted, rest)
            } else {
                left.split_at(here)
            };
            let what = format!("{arguments} of {}", self.document);
            assert_eq!(page.ids, wanted, "{what}");
            let (behind, ahead) = (cursor.is_some(), !rest.is_empty());
            let (previous, next) = if from_end { (ahead, behind) } else { (behind, ahead) };
            assert_eq!((page.has_previous, page.has_next), (previous, next), "{what}");
            if rest.is_empty() {
                return;
            }
            left = rest;
            cursor = if from_end { page.cursors.first().cloned() } else { page.cursors.last().cloned() };
        }
    }

    /// Between two cursors lies what lies between their rows, from either end.
    pub(crate) async fn between_two_cursors(&self, expected: &[String], size: usize) {
        let cursors = self.page("first: 100").await.cursors;
        let [Some(after), Some(before)] = [cursors.get(1), cursors.get(cursors.len().saturating_sub(2))] else {
            return;
        };
        let between = expected.get(2..expected.len() - 2).unwrap_or_default();
        let bounds = format!("after: \"{after}\", before: \"{before}\"");
        let page = self.page(&format!("first: {size}, {bounds}")).await;
        assert_eq!(page.ids, between[..size.min(between.len())], "{bounds} of {}", self.document);
        assert_eq!(page.has_next, size < between.len());
        let page = self.page(&format!("last: {size}, {bounds}")).await;
        assert_eq!(page.ids, between[between.len() - size.min(between.len())..], "{bounds} of {}", self.document);
        assert_eq!(page.has_previous, size < between.len());
    }
}
