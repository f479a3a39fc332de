#!/usr/bin/env python3
"""Measures a large database: loading it, starting on it, memory, and what pages of it cost.

    cargo build --release && bench/large.py [--payments 1000000] [--database-url sqlite://FILE]

Without --database-url it makes a SQLite file in a temporary folder and removes it. It prints what it saw and
judges nothing: times depend on the machine, and only the ratios between pages mean much elsewhere.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request

PAGE = 50
WALK = 100
ROUNDS = 30

NODES = "nodes { reference amount { amount } nextDue { dueDate } installments(first: 3) { nodes { dueDate } } }"


class Server:
    def __init__(self, binary, url):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0", "--database-url", url, "--demo-payments", "0"],
            stderr=subprocess.PIPE,
            env={**os.environ, "DERMAGA_LOG": "info", "DERMAGA_LOG_FORMAT": "json"},
        )
        for line in self.process.stderr:
            found = re.search(rb'"server\.port":(\d+)', line)
            if found:
                self.port = int(found.group(1))
                return
        raise SystemExit("the server did not start")

    def ask(self, query):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json", "X-Dermaga-Profile": "1"},
        )
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        if "errors" in answer:
            raise SystemExit(answer["errors"])
        return answer

    def resident_megabytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def cursor_in_the_middle(server, total):
    after = ""
    for _ in range(total // 2 // WALK):
        page = server.ask(f"{{ payments(first: {WALK}{after}) {{ pageInfo {{ endCursor }} }} }}")
        after = f', after: "{page["data"]["payments"]["pageInfo"]["endCursor"]}"'
    return after


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--database-url")
    parser.add_argument("--binary", default=os.path.join(os.path.dirname(__file__), "../target/release/dermaga"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "large.db")
        url = arguments.database_url or f"sqlite://{file}"
        start = time.monotonic()
        subprocess.run(
            [arguments.binary, "demo", "--payments", str(arguments.payments), "--database-url", url], check=True
        )
        took = time.monotonic() - start
        print(f"load: {arguments.payments} payments in {took:.0f} s, {arguments.payments / took:.0f} a second")
        if not arguments.database_url:
            print(f"file: {os.path.getsize(file) / 2**20:.0f} MiB")

        server = Server(arguments.binary, url)
        server.ask("{ payments(first: 1) { nodes { reference } } }")
        print(f"start to first answer: {1000 * (time.monotonic() - server.started):.0f} ms")
        print(f"resident when idle: {server.resident_megabytes():.0f} MB")

        middle = cursor_in_the_middle(server, arguments.payments)
        pages = {"first": f"first: {PAGE}", "middle": f"first: {PAGE}{middle}", "last": f"last: {PAGE}"}
        seen = {name: [] for name in pages}
        # In turns, so that a noisy moment of the machine falls on all of them.
        for _ in range(ROUNDS):
            for name, page in pages.items():
                profile = server.ask(f"{{ payments({page}) {{ {NODES} }} }}")["extensions"]["profile"]
                seen[name].append(profile["microseconds"]["execute"])
        base = statistics.median(seen["first"])
        for name, times in seen.items():
            median = statistics.median(times)
            print(f"{name} page of {PAGE}: {median:.0f} µs, {median / base:.2f} × the first")
        print(f"resident after {ROUNDS * len(pages)} pages: {server.resident_megabytes():.0f} MB")
        server.stop()


if __name__ == "__main__":
    main()
