"""A server that sends traces to a real receiver of OTLP: what stands in them, what does not, and what becomes of
requests when the receiver is gone.

    DERMAGA=… ROTEL=… PSQL=… DATABASE_URL=postgres://… REDIS_URL=redis://… MODELS_URL=http://… \
        python3 tests/traces/check.py FOLDER

The database is an empty one of PostgreSQL. FOLDER takes the logs.
"""

import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))

from checking import fail, free_ports, wait_for
from receiver import Receiver

DERMAGA, ROTEL, PSQL = os.environ["DERMAGA"], os.environ["ROTEL"], os.environ["PSQL"]
DATABASE_URL, REDIS_URL, MODELS_URL = (os.environ[name] for name in ("DATABASE_URL", "REDIS_URL", "MODELS_URL"))
WORK = Path(sys.argv[1])

OURS = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
"""What servers are started with: only the first of them has that database."""

PAGE = """query Page($first: Int!) {
  payments(first: $first) { totalCount nodes { reference lines { description } installments { nodes { dueDate } } } }
}"""
REFUNDS = "{ payments(first: 3) { nodes { refunds { nodes { id } } } } }"
SEARCH = "query Search($words: String!) { commodities(first: 5, search: $words) { nodes { code } } }"
CREATE = """mutation Create($input: CreatePaymentInput!) {
  createPayment(input: $input) { payment { reference } userErrors { code message } }
}"""
ASK = "mutation Ask($input: AskInput!) { askAssistant(input: $input) { __typename } }"
TICKS = 'subscription Ticks { rateUpdated(quotes: ["IDR"]) { quote } }'

PAYER, WORDS, QUESTION = "PT Zamrud Katulistiwa", "cocoa beans", "Which date decides the tariff of the export duty?"
"""What somebody wrote, and nobody who reads a trace may see."""

MOST_SPANS = 20
"""Of a page of 50 payments with their installments and lines."""


def check(truth, words, *shown):
    if not truth:
        fail("\n".join([words, *map(str, shown)]))


class Caller:
    """A program with a trace of its own, of which a request to the server is a part."""

    def __init__(self, sampled=True):
        self.trace, self.span = secrets.token_hex(16), secrets.token_hex(8)
        self.header = f"00-{self.trace}-{self.span}-{'01' if sampled else '00'}"


class Server:
    """Dermaga, with traces on."""

    def __init__(self, name, endpoint, *options, **environment):
        (self.port,) = free_ports(1)
        self.log = WORK / f"{name}.log"
        command = [DERMAGA, "serve", "--listen", f"127.0.0.1:{self.port}", "--otlp-endpoint", endpoint]
        command += ["--log-format", "json", "--demo-payments", "200", *options]
        with open(self.log, "w") as log:
            environment = {**OURS, **environment}
            self.process = subprocess.Popen(
                command, cwd=WORK, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(f"{name} is ready", self.is_ready, 120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def is_ready(self):
        if self.process.poll() is not None:
            fail(f"the server ended with {self.process.returncode}\n{self.log.read_text()[-2000:]}")
        url = f"http://127.0.0.1:{self.port}/health/ready"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200

    def stop(self, seconds):
        """Ends it, which sends the last spans."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            fail(f"the server did not end within {seconds} s of SIGTERM")
        check(status == 0, f"the server ended with {status}", self.log.read_text()[-2000:])

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def send(self, query, variables=None, traceparent=None, **headers):
        headers = {"Content-Type": "application/json", **headers}
        if traceparent:
            headers["traceparent"] = traceparent
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def data(self, query, variables=None, traceparent=None):
        answer = self.send(query, variables, traceparent)
        check("errors" not in answer, "a request failed", answer)
        return answer["data"]

    def first_event(self, query, traceparent):
        """Follows a subscription up to its first event."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "traceparent": traceparent}
        connection.request("POST", "/graphql", json.dumps({"query": query}), headers)
        with contextlib.closing(connection), connection.getresponse() as response:
            while line := response.readline():
                if line.startswith(b"data: "):
                    return json.loads(line[6:])
        fail("a subscription ended without an event")

    def over_websocket(self, query, variables, traceparent):
        """The data of one answer by graphql-transport-ws, with a traceparent in the handshake."""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = ["GET /graphql HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Connection: Upgrade", "Upgrade: websocket"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Protocol: graphql-transport-ws", f"traceparent: {traceparent}", "", ""]
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=60))
            answers = stack.enter_context(connection.makefile("rb"))
            connection.sendall("\r\n".join(lines).encode())
            check(b" 101 " in answers.readline(), "the server does not speak WebSocket")
            while answers.readline() != b"\r\n":
                pass
            request = {"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}}
            for message in ({"type": "connection_init"}, request):
                text = json.dumps(message).encode()
                # One text frame, masked with zeros; none here is shorter than 126 bytes but the first.
                length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
                connection.sendall(b"\x81" + length + bytes(4) + text)
            while True:
                head, length = answers.read(2)
                if length == 126:
                    (length,) = struct.unpack(">H", answers.read(2))
                answer = json.loads(answers.read(length)) if head == 0x81 else answers.read(length) and {}
                check(answer.get("type") != "error", "a request over WebSocket failed", answer)
                if answer.get("type") == "next":
                    return answer["payload"]["data"]


class Between(http.server.BaseHTTPRequestHandler):
    """Stands between the server and its models, and notes what the headers say of traces."""

    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers.get("traceparent")))
        url = MODELS_URL.removesuffix("/v1") + self.path
        with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as answer:
            text = answer.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Trace:
    """The spans of one trace."""

    def __init__(self, spans, caller):
        self.caller = caller
        self.spans = [span for span in spans if span.trace == caller.trace]
        self.by_id = {span.id: span for span in self.spans}
        check(len(self.by_id) == len(self.spans), "two spans have one id")
        for span in self.spans:
            known = span.parent in self.by_id or span.parent == caller.span
            check(known, f"{span.name} is a part of nothing", self.tree())

    def tree(self, below=None, depth=0):
        below = below or self.caller.span
        lines = []
        for span in self.spans:
            if span.parent == below:
                lines += [f"{'  ' * depth}{span.name} {span.attributes}", *self.tree(span.id, depth + 1).splitlines()]
        return "\n".join(lines)

    def all(self, name):
        return [span for span in self.spans if re.fullmatch(name, span.name)]

    def one(self, name):
        found = self.all(name)
        check(len(found) == 1, f"{len(found)} spans are named {name}", self.tree())
        return found[0]

    def above(self, span):
        """The names of all that a span is a part of, the nearest first."""
        names = []
        while span := self.by_id.get(span.parent):
            names.append(span.name)
        return names

    def is_below(self, span, *names):
        above = self.above(span)
        check(above == list(names), f"{span.name} is below {above} and not below {list(names)}", self.tree())


def page_is_a_tree(trace):
    server = trace.one("POST /graphql")
    check(server.parent == trace.caller.span and server.kind == "SPAN_KIND_SERVER", "no part of its sender", server)
    check(server.service == "pier", f"the service is {server.service}")
    wanted = {"http.response.status_code": 200, "http.request.method": "POST", "url.path": "/graphql"}
    check(wanted.items() <= server.attributes.items(), "a request is not described", server)
    for stage in ("parse", "validate", "execute"):
        trace.is_below(trace.one(f"graphql {stage}"), "POST /graphql")
    execute = trace.one("graphql execute").attributes
    wanted = {
        "graphql.operation.type": "query",
        "graphql.operation.name": "Page",
        "graphql.document.hash": hashlib.sha256(PAGE.encode()).hexdigest(),
    }
    check(execute == wanted, "the operation is not named", execute)
    levels = {1: ["payment_page"], 2: ["payment_count", "payment_lines", "payment_installments"]}
    for level, loaders in levels.items():
        check(trace.one(f"level {level}").attributes == {"dermaga.batches": len(loaders)}, "a level", trace.tree())
        for loader in loaders:
            trace.is_below(trace.one(f"batch {loader}"), f"level {level}", "graphql execute", "POST /graphql")
    check(len(trace.spans) <= MOST_SPANS, f"a page made {len(trace.spans)} spans", trace.tree())


def first_page_reads(trace):
    page_is_a_tree(trace)
    lines = trace.one("batch payment_lines")
    keys = (lines.attributes["dermaga.keys"], lines.attributes["dermaga.from.database"])
    check(keys == (50, 50), "lines were not read", lines)
    check([name for name, _ in lines.events] == ["cache"], "a batch says nothing of the cache", lines)
    statements = [span for span in trace.spans if "db.query.text" in span.attributes]
    check(len(statements) == 4, f"{len(statements)} statements", trace.tree())
    for span in statements:
        check(trace.above(span)[0].startswith("batch "), "a statement is no part of a batch", trace.tree())
        check(span.kind == "SPAN_KIND_CLIENT", "a statement is no call", span)
        check(span.attributes["db.system.name"] == "postgresql", "another database", span)
        check(span.attributes["db.operation.name"] == "SELECT", "another statement", span)
        check([name for name, _ in span.events] == ["connection"], "a statement says nothing of its connection", span)
    rows = [span.attributes["db.response.returned_rows"] for span in statements]
    check(max(rows) >= 50 and all(count >= 1 for count in rows), "statements without rows", trace.tree())
    check(trace.all("redis cache"), "Redis was not asked", trace.tree())
    for span in trace.all("redis cache"):
        check(trace.above(span)[0].startswith("batch "), "Redis was asked outside of a batch", trace.tree())


def second_page_remembers(trace):
    page_is_a_tree(trace)
    for span in trace.all("batch .*"):
        check(span.attributes["dermaga.from.memory"] == span.attributes["dermaga.keys"], "forgotten", trace.tree())
    asked = [span for span in trace.spans if "db.system.name" in span.attributes]
    check(not asked, "what is in memory was asked for", trace.tree())


def search_is_without_words(trace):
    found = [span for span in trace.spans if "tsquery" in span.attributes.get("db.query.text", "")]
    check(found, "no search was traced", trace.tree())
    for span in found:
        text = span.attributes["db.query.text"]
        check("'" not in text and not re.search(r"\b\d", text), "a statement shows values", text)


def change_is_whole(trace):
    for name in ("BEGIN", "INSERT payment.*", "COMMIT"):
        found = trace.all(name)
        check(found and all("graphql execute" in trace.above(span) for span in found), f"no {name}", trace.tree())
    check(trace.one("graphql execute").attributes["graphql.operation.type"] == "mutation", "no mutation")


def answer_has_stages(trace, seen):
    assistant = trace.one("assistant")
    has_outcome = assistant.attributes.get("dermaga.outcome")
    check("graphql execute" in trace.above(assistant) and has_outcome, "a question without outcome", trace.tree())
    for stage in ("embedding", "quote", "search", "chat", "check"):
        check(trace.all(f"assistant {stage}"), f"no stage {stage}", trace.tree())
    for operation, path in {"chat": "/v1/chat/completions", "embeddings": "/v1/embeddings"}.items():
        call = trace.all(f"{operation} .*")[0]
        used = call.attributes
        check(used["gen_ai.operation.name"] == operation and used["gen_ai.usage.input_tokens"] > 0, "no tokens", call)
        check(used["gen_ai.request.model"] and call.kind == "SPAN_KIND_CLIENT", "no call of a model", call)
        sent = next(span for span in trace.all("POST") if span.parent == call.id)
        check(sent.attributes["http.response.status_code"] == 200, "no answer of a model", sent)
        check(sent.attributes["url.full"].endswith(path), "another URL", sent)
        check((path, f"00-{trace.caller.trace}-{sent.id}-01") in seen, "a model was not told of the trace", seen)
    check(trace.all("chat .*")[0].attributes["gen_ai.usage.output_tokens"] > 0, "no tokens of an answer", trace.tree())


def events_link(spans, trace):
    asked = trace.one("POST /graphql")
    trace.is_below(trace.one("graphql validate"), "POST /graphql")
    events = [span for span in spans if span.name == "graphql event" and span.links == [[asked.trace, asked.id]]]
    check(events, "no event links to its subscription", trace.tree())
    for event in events:
        check(event.trace != asked.trace and not event.parent, "an event has no trace of its own", event)
        check(event.attributes["graphql.operation.name"] == "Ticks", "another event", event)


def socket_links(spans, caller):
    """The trace of an operation on a socket."""
    (operation,) = [span for span in spans if span.name == "websocket operation"]
    check(operation.links == [[caller.trace, caller.span]], "it links to no handshake", operation)
    parts = {span.name: span for span in spans if span.trace == operation.trace}
    is_whole = parts["graphql execute"].parent == operation.id and "batch payment_page" in parts
    check(is_whole and not operation.parent, "it has no parts, or is one", parts)
    return operation.trace


def failure_is_found(server, answer, trace_id):
    (error,) = answer["errors"][:1]
    extensions = error["extensions"]
    check(extensions["code"] == "INTERNAL_SERVER_ERROR", "another error", answer)
    check(extensions.get("traceId") == trace_id, "an error that does not lead to its trace", answer)
    logged = [line for line in server.lines() if extensions["requestId"] in json.dumps(line)]
    check(len(logged) == 1, "the error was not logged once", logged)
    logged = logged[0]
    trace = logged.get("trace.id") or logged.get("trace", {}).get("id")
    check(trace == trace_id, "the log does not lead to the trace", logged)


def remembers(server):
    answer = server.send("{ commodities(first: 1) { nodes { code } } }", **{"X-Dermaga-Profile": "1"})
    batches = answer["extensions"]["profile"]["batches"]
    return all(batch["from"]["memory"] == batch["keys"] for batch in batches)


def psql(command):
    whole = [PSQL, "--quiet", "--set", "ON_ERROR_STOP=1", "--command", command, DATABASE_URL]
    subprocess.run(whole, check=True, timeout=60)


def traced(receiver, between):
    """Everything that is traced, of callers who have a trace; of others there is none, since the share is 0."""
    options = ["--trace-sample", "0", "--redis-url", REDIS_URL, "--demo-ticker", "1"]
    options += ["--assistant-url", f"{between}/v1"]
    environment = {"DATABASE_URL": DATABASE_URL, "OTEL_SERVICE_NAME": "pier"}
    names = ("first", "second", "search", "create", "failing", "ask", "follow", "socket", "late")
    callers = {name: Caller() for name in names}
    sent = {name: caller.header for name, caller in callers.items()}
    unsampled = Caller(sampled=False)
    with Server("traced", receiver.url, *options, **environment) as server:
        # From when on the database is heard.
        wait_for("answers are kept", lambda: remembers(server))
        for name in ("first", "second"):
            nodes = server.data(PAGE, {"first": 50}, sent[name])["payments"]["nodes"]
            check(len(nodes) == 50, "this is no page of 50")
        server.data(SEARCH, {"words": WORDS}, sent["search"])
        plan = {"even": {"count": 3, "firstDueDate": "2026-11-30"}}
        created = {"idempotencyKey": str(uuid.uuid4()), "reference": "TRACED/1", "payerName": PAYER, "plan": plan}
        created["amount"] = {"amount": "90000000", "currency": "IDR"}
        outcome = server.data(CREATE, {"input": created}, sent["create"])["createPayment"]
        check(not outcome["userErrors"], "a payment was refused", outcome)
        asked = {"idempotencyKey": str(uuid.uuid4()), "question": QUESTION, "locale": "en", "asOf": "2026-02-10"}
        server.data(ASK, {"input": asked}, sent["ask"])
        check(server.first_event(TICKS, sent["follow"])["data"]["rateUpdated"]["quote"] == "IDR", "no rate")
        nodes = server.over_websocket(PAGE, {"first": 1}, sent["socket"])["payments"]["nodes"]
        check(len(nodes) == 1, "this is no page of one")
        # Without a sampled trace of their own, or with half of one: answered as any other.
        server.data(PAGE, {"first": 2})
        server.data(PAGE, {"first": 2}, unsampled.header)
        for malformed in ("00-1-1-01", sent["late"] + "-more", sent["late"].upper().replace("-01", "-zz")):
            server.data(PAGE, {"first": 2}, malformed)
        psql("ALTER TABLE refund RENAME TO refund_elsewhere")
        failure_is_found(server, server.send(REFUNDS, None, sent["failing"]), callers["failing"].trace)
        failure_is_found(server, server.send(REFUNDS, None, unsampled.header), unsampled.trace)
        psql("ALTER TABLE refund_elsewhere RENAME TO refund")
        server.stop(60)
    spans = receiver.all()
    traces = {name: Trace(spans, caller) for name, caller in callers.items()}
    first_page_reads(traces["first"])
    second_page_remembers(traces["second"])
    search_is_without_words(traces["search"])
    change_is_whole(traces["create"])
    answer_has_stages(traces["ask"], Between.seen)
    events_link(spans, traces["follow"])
    of_socket = socket_links(spans, callers["socket"])
    failed = traces["failing"]
    check(failed.one("graphql execute").status == "STATUS_CODE_ERROR", "a failure is no failure", failed.tree())
    statement = next(span for span in failed.spans if span.attributes.get("error.type") == "42P01")
    check(statement.status == "STATUS_CODE_ERROR" and "refund" in statement.name, "another failure", statement)
    check(not traces["late"].spans, "a malformed traceparent was believed", traces["late"].tree())
    others = {span.trace for span in spans} - {trace.caller.trace for trace in traces.values()}
    others -= {of_socket, *(span.trace for span in spans if span.name == "graphql event")}
    check(not others, "something is traced that nobody asked for", [span for span in spans if span.trace in others])
    output = receiver.output()
    for words in (PAYER, WORDS, QUESTION, "TRACED/1", created["idempotencyKey"], "cocoa"):
        check(words.lower() not in output.lower(), f"a trace shows {words!r}")
    print(f"{len(spans)} spans of {len(traces) + 1} requests; a page of 50 payments has {len(traces['first'].spans)}")
    print(traces["first"].tree())


def unimpressed(name, endpoint, told):
    """A receiver that is gone, or never answers: requests neither fail nor wait, and the log is not full of it."""
    slowest = 0
    with Server(name, endpoint, "--trace-sample", "1", "--database-url", f"sqlite://{name}.db") as server:
        for _ in range(500):
            start = time.monotonic()
            server.data(PAGE, {"first": 5})
            slowest = max(slowest, time.monotonic() - start)
        check(slowest < 2, f"a request took {slowest:.1f} s while the receiver was {name}")
        server.stop(60)
        lines = [line for line in server.log.read_text().splitlines() if "traces cannot be sent" in line]
        check(len(lines) == told, f"a receiver that is {name} is spoken of {len(lines)} times", *lines)
        text = server.log.read_text().lower()
        check("opentelemetry" not in text, "the library writes to the log", text[-2000:])
    print(f"the receiver was {name}: 500 requests, the slowest {slowest * 1000:.0f} ms")


def main():
    web, rpc, closed = free_ports(3)
    models = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
    threading.Thread(target=models.serve_forever, daemon=True).start()
    with Receiver(ROTEL, web, rpc, WORK / "receiver.log") as receiver:
        wait_for("the receiver is ready", receiver.is_ready)
        traced(receiver, f"http://127.0.0.1:{models.server_port}")
    models.shutdown()
    unimpressed("gone", f"http://127.0.0.1:{closed}", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # Connections are taken by the system, and nobody reads what they say.
        unimpressed("silent", f"http://127.0.0.1:{silent.getsockname()[1]}", 1)


if __name__ == "__main__":
    main()
