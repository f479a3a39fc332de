use super::*;

const INIT: &str = r#"{"type":"connection_init"}"#;
const SUBSCRIBE: &str = r#"{"id":"1","type":"subscribe","payload":{"query":"{ a }"}}"#;

/// What came out, in a form that a table can hold.
fn show(action: &Action) -> String {
    match action {
        Action::Nothing => "nothing".to_owned(),
        Action::Send(text) => text.clone(),
        Action::SignIn(authorization) => format!("sign in {}", authorization.as_deref().unwrap_or("nobody")),
        Action::Start(id, request) => format!("start {id} {}", request.query.as_deref().unwrap_or("no query")),
        Action::Stop(id) => format!("stop {id}"),
        Action::Close(close) => format!("{} {}", close.code, close.reason()),
    }
}

/// Receives the messages one after the other; `ack` acknowledges, `end X` ends an operation.
fn play(messages: &[&str]) -> String {
    let mut protocol = Protocol::new(2);
    let mut last = String::new();
    for message in messages {
        last = match message.strip_prefix("end ") {
            Some(id) => {
                protocol.ended(id);
                String::new()
            }
            None if *message == "ack" => protocol.acknowledge().to_owned(),
            None => show(&protocol.receive(message)),
        };
    }
    last
}

/// Every rule of the protocol: the messages so far, and what the last of them leads to.
#[test]
fn messages_lead_to_actions() {
    let bad = "4400 Invalid message received";
    let table: &[(&[&str], &str)] = &[
        (&[INIT], "sign in nobody"),
        (&[r#"{"type":"connection_init","payload":null}"#], "sign in nobody"),
        (&[r#"{"type":"connection_init","payload":{"a":[{}]}}"#], "sign in nobody"),
        (&[r#"{"type":"connection_init","payload":{"Authorization":"Bearer x"}}"#], "sign in Bearer x"),
        (&[r#"{"type":"connection_init","payload":{"authorization":"Bearer y"}}"#], "sign in Bearer y"),
        (&[r#"{"type":"connection_init","payload":{"authorization":null}}"#], "sign in nobody"),
        (&[r#"{"type":"connection_init","payload":{"authorization":1}}"#], "sign in "),
        (
            &[r#"{"type":"connection_init","payload":[]}"#],
            "4400 Invalid message received: the payload must be an object",
        ),
        (&[INIT, "ack"], r#"{"type":"connection_ack"}"#),
        (&[INIT, INIT], "4429 Too many initialisation requests"),
        (&[INIT, "ack", INIT], "4429 Too many initialisation requests"),
        (&[SUBSCRIBE], "4401 Unauthorized"),
        (&[INIT, SUBSCRIBE], "4401 Unauthorized"),
        (&[INIT, "ack", SUBSCRIBE], "start 1 { a }"),
        (&[INIT, "ack", SUBSCRIBE, SUBSCRIBE], "4409 Subscriber for 1 already exists"),
        (&[INIT, "ack", SUBSCRIBE, r#"{"id":"1","type":"complete"}"#], "stop 1"),
        (&[INIT, "ack", SUBSCRIBE, r#"{"id":"1","type":"complete"}"#, SUBSCRIBE], "start 1 { a }"),
        (&[INIT, "ack", SUBSCRIBE, "end 1", SUBSCRIBE], "start 1 { a }"),
        (&[INIT, "ack", r#"{"id":"1","type":"complete"}"#], "nothing"),
        (&[r#"{"id":"1","type":"complete"}"#], "nothing"),
        (&[r#"{"type":"ping"}"#], r#"{"type":"pong"}"#),
        (&[r#"{"type":"ping","payload":{"a": [1]}}"#], r#"{"type":"pong","payload":{"a": [1]}}"#),
        (&[r#"{"type":"ping","payload":1}"#], "4400 Invalid message received: the payload must be an object"),
        (&[r#"{"type":"pong","payload":{}}"#], "nothing"),
        (&["pong"], bad),
        (&[""], bad),
        (&["null"], bad),
        (&["[\"ping\", null, null]"], bad),
        (&["\"ping\""], bad),
        (&["{}"], bad),
        (&[r#"{"type":1}"#], bad),
        (&[r#"{"type":"ping"} {}"#], bad),
        (&[r#"{"type":"ping","type":"ping"}"#], bad),
        (&[r#"{"type":"start"}"#], bad),
        (&[r#"{"type":"connection_ack"}"#], "4400 Unexpected message of type connection_ack received"),
        (&[r#"{"type":"next","id":"1","payload":{}}"#], "4400 Unexpected message of type next received"),
        (&[r#"{"type":"error","id":"1","payload":[]}"#], "4400 Unexpected message of type error received"),
        (
            &[INIT, "ack", r#"{"id":"1","type":"subscribe"}"#],
            "4400 Invalid message received: the payload must be an object",
        ),
        (
            &[INIT, "ack", r#"{"id":"1","type":"subscribe","payload":{}}"#],
            "4400 Invalid message received: query must be a string",
        ),
        (
            &[INIT, "ack", r#"{"id":"1","type":"subscribe","payload":{"extensions":{"persistedQuery":{}}}}"#],
            "start 1 no query",
        ),
        (
            &[INIT, "ack", r#"{"id":"","type":"subscribe","payload":{"query":"{ a }"}}"#],
            "4400 Invalid message received: the id must be a short text",
        ),
        (
            &[INIT, "ack", r#"{"type":"subscribe","payload":{"query":"{ a }"}}"#],
            "4400 Invalid message received: the id must be a short text",
        ),
        (
            &[INIT, "ack", r#"{"id":1,"type":"subscribe","payload":{"query":"{ a }"}}"#],
            "4400 Invalid message received: the id must be a short text",
        ),
        (
            &[INIT, "ack", r#"{"id":"1","type":"subscribe","payload":{"query":"{ a }","variables":[]}}"#],
            "4400 Invalid message received: variables must be an object of at most 50000 values",
        ),
    ];
    for (messages, expected) in table {
        assert_eq!(play(messages), *expected, "{messages:?}");
    }
}

/// One operation too many is refused, and the connection lives on.
#[test]
fn operations_are_limited() {
    let with = |id: &str| SUBSCRIBE.replace("\"1\"", &format!("\"{id}\""));
    let (second, third) = (with("2"), with("th\\\"ird"));
    let refused = play(&[INIT, "ack", SUBSCRIBE, &second, &third]);
    let refused: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(refused["id"], "th\"ird");
    assert_eq!(refused["type"], "error");
    assert_eq!(refused["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    assert_eq!(play(&[INIT, "ack", SUBSCRIBE, &second, &third, "end 1", &third]), "start th\"ird { a }");
}

/// An id is kept and repeated, so it has an end; what is said of it fits a close frame.
#[test]
fn long_ids_are_cut_or_refused() {
    for id in ["x".repeat(MAX_ID_BYTES), "é".repeat(MAX_ID_BYTES / 2)] {
        let subscribe = SUBSCRIBE.replace("\"1\"", &format!("\"{id}\""));
        let mut protocol = Protocol::new(2);
        protocol.acknowledge();
        assert!(matches!(protocol.receive(&subscribe), Action::Start(..)));
        let Action::Close(close) = protocol.receive(&subscribe) else { panic!("the id is in use") };
        assert_eq!(close.code, 4_409);
        assert!(close.reason().len() <= 123 && close.reason().starts_with("Subscriber for "));
    }
    let subscribe = SUBSCRIBE.replace("\"1\"", &format!("\"{}\"", "x".repeat(MAX_ID_BYTES + 1)));
    assert_eq!(play(&[INIT, "ack", &subscribe]), "4400 Invalid message received: the id must be a short text");
}

/// JSON nested without end is refused or passed over, and overflows nothing.
#[test]
fn deep_json_is_refused() {
    for depth in [1, 100, 1_000, 20_000, 400_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for message in [
            deep.clone(),
            format!(r#"{{"type":{deep}}}"#),
            format!(r#"{{"id":{deep},"type":"subscribe","payload":{{"query":"{{ a }}"}}}}"#),
            format!(r#"{{"id":"1","type":"subscribe","payload":{{"query":{deep}}}}}"#),
        ] {
            assert!(play(&[INIT, "ack", &message]).starts_with("4400 "), "{depth}");
        }
        let variables =
            format!(r#"{{"id":"1","type":"subscribe","payload":{{"query":"{{ a }}","variables":{{"a":{deep}}}}}}}"#);
        let expected = if depth <= 100 { "start 1 { a }" } else { "4400 Invalid message received: " };
        assert!(play(&[INIT, "ack", &variables]).starts_with(expected), "{depth}");
        let ping = format!(r#"{{"type":"ping","payload":{{"a":{deep}}}}}"#);
        assert_eq!(play(&[&ping]), format!(r#"{{"type":"pong","payload":{{"a":{deep}}}}}"#));
        let init = format!(r#"{{"type":"connection_init","payload":{{"a":{deep}}}}}"#);
        assert_eq!(play(&[&init]), "sign in nobody");
    }
}
