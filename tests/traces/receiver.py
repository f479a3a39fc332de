"""Rotel, a receiver of OTLP, as a process on loopback ports, and what it was sent.

It prints every span that it decodes. Its text has no quotes, so that a value with a line end would be taken for more
lines; nothing that Dermaga sends has one, and a line that is not understood is a failure.
"""

import json
import re
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass, field

from checking import fail

LOGGED = re.compile(r"^(?:\x1b\[[\d;]*m)*\d{4}-\d\d-\d\dT")
SCOPE = "InstrumentationScope"
VALUE = re.compile(r"^(?P<type>Str|Int|Bool|Double)\((?P<value>.*)\)$", re.DOTALL)


FIELDS = {
    "Trace ID": "trace",
    "Parent ID": "parent",
    "ID": "id",
    "Name": "name",
    "Kind": "kind",
    "Status code": "status",
}


@dataclass
class Span:
    trace: str = ""
    parent: str = ""
    id: str = ""
    name: str = ""
    kind: str = ""
    status: str = ""
    service: str = ""
    attributes: dict = field(default_factory=dict)
    events: list = field(default_factory=list)
    """Of each its name and its attributes."""
    links: list = field(default_factory=list)
    """Of each the trace and the span."""


class Printed:
    """Reads what Rotel prints, line by line."""

    def __init__(self):
        self.spans, self.strange = [], []
        self.resource, self.span, self.into, self.part = {}, None, None, None

    def line(self, line):
        text = line.strip()
        if LOGGED.match(line) or not text:
            return
        head = text.split(" #")[0].removesuffix(":")
        if head == "ResourceSpans":
            self.resource, self.span, self.part = {}, None, head
        elif head == "Resource attributes":
            self.into = self.resource
        elif head in ("ScopeSpans", "Resource SchemaURL", "ScopeSpans SchemaURL") or head.startswith(SCOPE):
            self.into = None
        elif head == "Span":
            self.span, self.part = Span(service=self.resource.get("service.name", "")), "Span"
            self.spans.append(self.span)
        elif head == "SpanEvent":
            self.span.events.append(["", {}])
            self.part = head
        elif head == "SpanLink":
            self.span.links.append(["", ""])
            self.part = head
        elif text == "Attributes:":
            self.into = self.span.attributes
        elif text.endswith("Attributes::"):
            self.into = self.span.events[-1][1] if self.part == "SpanEvent" else {}
        elif text in ("Events:", "Links:"):
            pass
        elif text.startswith("-> "):
            self.entry(*self.split(text[3:]), text)
        elif self.span is not None and self.part == "Span":
            self.of_span(*self.split(text), text)
        else:
            self.strange.append(text)

    @staticmethod
    def split(text):
        name, _, value = text.partition(":")
        return name.strip(), value.strip()

    def of_span(self, name, value, text):
        if name in FIELDS:
            setattr(self.span, FIELDS[name], value)
        elif name not in ("Start time", "End time", "Status message", "TraceState"):
            self.strange.append(text)

    def entry(self, name, value, text):
        found = VALUE.match(value)
        if found:
            read = {"Int": int, "Double": float, "Bool": lambda text: text == "true", "Str": str}[found["type"]]
            self.into[name] = read(found["value"])
        elif self.part == "SpanEvent" and name == "Name":
            self.span.events[-1][0] = value
        elif self.part == "SpanLink" and name in ("Trace ID", "ID"):
            self.span.links[-1][0 if name == "Trace ID" else 1] = value
        elif name not in ("Timestamp", "DroppedAttributesCount", "TraceState"):
            self.strange.append(text)


class Receiver:
    """A receiver that runs as long as the block."""

    def __init__(self, program, http, grpc, log):
        command = [program, "start", "--exporter", "blackhole", "--disable-batching"]
        command += ["--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"]
        command += ["--debug-log", "traces", "--debug-log-verbosity", "detailed"]
        self.url, self.log, self.text = f"http://127.0.0.1:{http}", log, []
        self.printed, self.news = Printed(), threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.log.write_text("".join(self.text))

    def read(self):
        for line in self.process.stdout:
            with self.news:
                self.text.append(line)
                self.printed.line(line)
                self.news.notify_all()

    def is_ready(self):
        return self.send({"resourceSpans": []}) == 200

    def send(self, body):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/v1/traces", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return response.status
        except OSError:
            return None

    def all(self, seconds=30):
        """All spans that were received so far: it prints in order, so one more is sent and waited for."""
        mark = f"{time.monotonic_ns():032x}"
        span = {"traceId": mark, "spanId": mark[16:], "name": "mark", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
        # The second is there so that the first has been printed to its end.
        spans = [span, {**span, "name": "end of mark"}]
        if self.send({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) != 200:
            fail("the receiver takes no spans")
        with self.news:
            printed = lambda: any(span.name == "end of mark" and span.trace == mark for span in self.printed.spans)
            if not self.news.wait_for(printed, seconds):
                fail(f"the receiver printed nothing for {seconds} s")
            if self.printed.strange:
                fail(f"the receiver printed what is not understood: {self.printed.strange[:5]}")
            return [span for span in self.printed.spans if span.service]

    def output(self):
        with self.news:
            return "".join(self.text)
