//! What the assistant searches: files that bring it in, days on which it is in force, and vectors.

use dermaga_api::assistant::evaluation;
use dermaga_tests::openai::{Fault, OpenAi};
use dermaga_tests::{Backend, Cli, TestApp, each_vector_store, say};
use serde_json::json;

use crate::assistant::{embed, spawn};

each_vector_store! {
    /// A rule that has ended is not found for a later day, nor one that has not begun for an earlier one.
    async fn only_what_is_in_force_is_found(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let cli = Cli::over(&app.database_url);
        cli.write("days.csv", "number,title,in_force_from,in_force_to,text\n\
            PMK 7/2024,Nutmeg,2024-01-01,2024-12-31,\"Article 1\nNutmeg and mace need a certificate of origin.\"\n\
            PMK 8/2025,Nutmeg,2025-01-01,,\"Article 1\nNutmeg and mace need a digital certificate of origin.\"\n");
        cli.succeed(&["import", "regulations", "days.csv"]);
        let query = "query ($on: Date!) { searchRegulations(query: \"nutmeg mace certificate of origin\", asOf: $on) { marker quote chunk { id validTo regulation { number } } } }";
        let found = async |on: &str| {
            let answer = app.graphql_with(query, json!({ "on": on })).await;
            let list = answer.at("/searchRegulations").as_array().unwrap().clone();
            list.iter().map(|one| one["chunk"]["regulation"]["number"].as_str().unwrap().to_owned()).filter(|number| number.starts_with("PMK 7/") || number.starts_with("PMK 8/")).collect::<Vec<_>>()
        };
        let start = std::time::Instant::now();
        while found("2024-06-01").await.is_empty() {
            assert!(start.elapsed().as_secs() < 20, "the change is not heard");
        }
        assert_eq!(found("2024-06-01").await, ["PMK 7/2024"]);
        assert_eq!(found("2024-12-31").await, ["PMK 7/2024"]);
        assert_eq!(found("2025-01-01").await, ["PMK 8/2025"]);
        assert_eq!(found("2023-12-31").await, Vec::<String>::new());
        let node = app.graphql("{ node(id: \"chu_PMK 7/2024#1\") { ... on RegulationChunk { article text validTo } } }").await;
        assert_eq!(node.at("/node"), &json!({
            "article": "Article 1", "text": "Article 1\nNutmeg and mace need a certificate of origin.", "validTo": "2024-12-31",
        }));
    }

    /// What was found is not searched again, until the sources change.
    async fn what_was_found_is_kept(backend: Backend) {
        let server = OpenAi::start();
        let app = spawn(backend, &server).await;
        embed(&app, &server).await;
        let search = "{ searchRegulations(query: \"export duty on nutmeg\", asOf: \"2026-02-10\") { chunk { id } }
            searchPrompts(query: \"export duty on nutmeg\") { prompt { id } } }";
        let first = app.graphql(search).await;
        let again = app.graphql(search).await;
        assert_eq!(first.body["data"], again.body["data"]);
        for cache in ["chunks", "prompts"] {
            for (outcome, wanted) in [("miss", 1), ("hit", 1)] {
                let name = format!("dermaga_assistant_cache_total{{cache=\"{cache}\",outcome=\"{outcome}\"}}");
                assert_eq!(app.metric(&name).await, wanted, "{name}");
            }
        }
        let cli = Cli::over(&app.database_url);
        cli.write("more.csv", "number,title,text\nPMK 9/2025,Nutmeg,\"Export duty on nutmeg.\"\n");
        cli.succeed(&["import", "regulations", "more.csv"]);
        let start = std::time::Instant::now();
        while !app.graphql(search).await.body.to_string().contains("PMK 9/2025") {
            assert!(start.elapsed().as_secs() < 20, "the change is not heard");
        }
    }

    /// The text of a regulation is read in its order, page by page.
    async fn a_text_is_read_in_pages(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = "query ($after: String) { regulation(number: \"PMK 68/2025\") { chunks(first: 2, after: $after) {
            nodes { article text regulation { number } } pageInfo { hasNextPage hasPreviousPage endCursor } } } }";
        let (mut articles, mut after) = (Vec::new(), json!(null));
        loop {
            let answer = app.graphql_with(query, json!({ "after": after })).await;
            let page = answer.at("/regulation/chunks").clone();
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
            for node in page["nodes"].as_array().unwrap() {
                assert_eq!(node["regulation"]["number"], "PMK 68/2025");
                articles.push(node["article"].as_str().unwrap_or("before the first").to_owned());
            }
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert!(articles.len() > 3, "{articles:?}");
        assert!(articles.windows(2).all(|pair| pair[0] <= pair[1] || pair[0].starts_with("before")), "{articles:?}");
        let none = app.graphql("{ regulation(number: \"PMK 68/2025\") { chunks(after: \"x\") { nodes { id } } } }").await;
        assert_eq!(none.codes(), ["INVALID_CURSOR"]);
    }

    /// A run that is stopped half way is gone on with, and makes nothing twice.
    async fn making_vectors_goes_on_where_it_ended(backend: Backend) {
        let server = OpenAi::start();
        let app = TestApp::spawn(backend).await;
        let cli = Cli::over(&app.database_url);
        let url = [("DERMAGA_ASSISTANT_URL", server.url.as_str())];
        server.embeddings_fail([Fault::Slow(std::time::Duration::ZERO), Fault::Slow(std::time::Duration::ZERO), Fault::Refused]);
        let stopped = cli.run_with(&["embed", "--batch", "8"], &url);
        assert_eq!(stopped.code, Some(1), "{stopped:?}");
        assert!(stopped.stderr.contains("what was made is kept") && !stopped.stderr.contains("upstream secret"), "{stopped:?}");
        let first = server.texts();
        assert_eq!(first, 24, "two batches were stored, and one was refused");
        server.recovers();
        let ended = cli.run_with(&["embed", "--batch", "8"], &url);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let made: usize = ended.stdout.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(server.texts() - first, made);
        assert!(cli.run_with(&["embed"], &url).stdout.starts_with("0 vectors made, 0 old"));
        // A text that changes gets a new vector, and the old one goes.
        cli.write("prompts.csv", "name,title,category,template\ncocoa-bean-duty,Duty on cocoa,duty,Other words\n");
        assert_eq!(cli.succeed(&["import", "prompts", "prompts.csv"]), "added 0 prompts, changed 1, left 0 as they were\n");
        assert!(cli.run_with(&["embed"], &url).stdout.starts_with("1 vectors made, 0 old"));
        let none = cli.run(&["embed"]);
        assert_eq!(none.code, Some(2), "{none:?}");
    }

    /// A file with one wrong line brings nothing in, and the line is named.
    async fn bad_files_are_refused(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        for (kind, text, words) in [
            ("prompts", "name,title,category,template\na,A,c,x\nB,B,c,x\n", "line 3: name \"B\""),
            ("prompts", "name,title\na,A\n", "the header lacks category, template"),
            ("prompts", "name,title,category,template,active\na,A,c,x,perhaps\n", "line 2: active must be true or false"),
            ("regulations", "number,title,text\nPMK 1/2026,One,ok\nPMK 2/2026,Two,\"a\u{1}b\"\n", "line 3: its text has control characters"),
            ("regulations", "number,title,text\nnothing,One,ok\n", "line 2: \"nothing\" is not the number"),
        ] {
            cli.write("bad.csv", text);
            let ended = cli.run(&["import", kind, "bad.csv"]);
            assert_eq!(ended.code, Some(1), "{kind}: {ended:?}");
            assert!(ended.stderr.contains("IMPORT_REFUSED_LINES") && ended.stderr.contains(words), "{words}: {}", ended.stderr);
        }
        cli.write("good.csv", "name,title,category,template\na,A,c,x\n");
        assert_eq!(cli.succeed(&["import", "prompts", "good.csv"]), "added 1 prompt, changed 0, left 0 as they were\n");
    }

    /// The shipped questions, with vectors that a real model was recorded to make and answers of a model that quotes
    /// honestly.
    async fn the_shipped_questions_are_answered(backend: Backend) {
        let server = OpenAi::start_recorded();
        let app = spawn(backend, &server).await;
        embed(&app, &server).await;
        let cli = Cli::over(&app.database_url);
        let ended = cli.run_with(&["evaluate"], &[("DERMAGA_ASSISTANT_URL", server.url.as_str())]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        say(&ended.stdout);
        let count = |line: &str| -> usize {
            let line = ended.stdout.lines().find_map(|found| found.strip_prefix(line));
            line.unwrap_or_else(|| panic!("no {line:?}")).split_whitespace().next().unwrap().parse().unwrap()
        };
        let questions = evaluation::parse(evaluation::SHIPPED).unwrap().len();
        assert_eq!(server.unknown(), 0, "texts were not recorded: run tests/models/minilm.py with --record");
        assert!(count("outcomes as expected") * 100 >= questions * 95, "{}", ended.stdout);
        assert!(count("expected sources found by both") >= count("expected sources found by vectors"), "{}", ended.stdout);
        assert!(count("expected sources found by both") * 100 >= 54 * 85, "{}", ended.stdout);
    }
}
