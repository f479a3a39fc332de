"""Two servers over one PostgreSQL and one Redis, behind HAProxy as deploy/ configures it, under constant load.

A rolling restart must fail no request. A server that is killed may take with it what it was running, and nothing else;
the proxy sends that to the other one, which may ask for a mutation again in a moment, under its key. Whatever was
acknowledged is there afterwards, once.

    DERMAGA=… DATABASE_URL=postgres://… REDIS_URL=redis://… python3 tests/operations/replicas.py FOLDER
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))

from checking import fail, free_ports, wait_for

DERMAGA = os.environ["DERMAGA"]
WORK = Path(sys.argv[1])

CLIENTS = 8
CREATE = """mutation ($input: CreatePaymentInput!) {
  createPayment(input: $input) { payment { reference } userErrors { code message } }
}"""
READ = "{ payments(first: 10) { nodes { reference status installments { nodes { dueDate } } lines { description } } } }"


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.read().decode()
    except OSError:
        return None


class Server:
    """One of the two, on ports that it keeps."""

    def __init__(self, name, port, operations):
        self.name, self.port, self.operations, self.process = name, port, operations, None

    def start(self):
        command = [DERMAGA, "serve", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--operations-listen", f"127.0.0.1:{self.operations}", "--demo-payments", "200", "--demo-ticker", "0"]
        with open(WORK / f"{self.name}.log", "a") as log:
            self.process = subprocess.Popen(command, cwd=WORK, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(f"{self.name} is ready", self.is_ready, 120)

    def is_ready(self):
        if self.process.poll() is not None:
            fail(f"{self.name} ended with {self.process.returncode}\n{(WORK / f'{self.name}.log').read_text()[-2000:]}")
        return get(f"http://127.0.0.1:{self.operations}/health/ready") is not None

    def end(self, by):
        self.process.send_signal(by)
        return self.process.wait(40)


def haproxy_settings(servers, port, metrics):
    """The ones of deploy/, with other ports."""
    text = (ROOT / "deploy/haproxy/haproxy.cfg").read_text()
    changes = {"bind :8080": f"bind 127.0.0.1:{port}", "bind :8404": f"bind 127.0.0.1:{metrics}"}
    for server in servers:
        line = f"server {server.name} {server.name}:8080"
        changes[line] = f"server {server.name} 127.0.0.1:{server.port} port {server.operations}"
    for old, new in changes.items():
        if old not in text:
            fail(f"haproxy.cfg has no `{old}`")
        text = text.replace(old, new)
    return text


class Load:
    """Clients that send one request after the other, each on a connection that it keeps."""

    def __init__(self, port):
        self.port, self.stopping = port, threading.Event()
        self.lock, self.created = threading.Lock(), []
        self.done, self.again, self.failed, self.slowest = 0, 0, [], 0.0
        self.threads = [threading.Thread(target=self.client, args=(number,), daemon=True) for number in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def client(self, number):
        connection, turn, again = None, number, False
        while again or not self.stopping.is_set():
            if not again:
                turn += 1
                create = turn % 5 == 0
                reference = f"REPLICAS/{uuid.uuid4()}"
            started = time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                fault = self.send(connection, reference if create else None)
            except (OSError, http.client.HTTPException, ValueError) as error:
                fault = repr(error)
                connection.close()
                connection = None
            took = time.monotonic() - started
            # PostgreSQL may not have noticed yet that the server of the first attempt is dead.
            again = "IDEMPOTENCY_IN_PROGRESS" in (fault or "")
            if again:
                time.sleep(0.05)
            with self.lock:
                self.slowest = max(self.slowest, took)
                if again:
                    self.again += 1
                elif fault:
                    self.failed.append((started, reference if create else None, fault))
                else:
                    self.done += 1
                    if create:
                        self.created.append(reference)

    @staticmethod
    def send(connection, reference):
        """What is wrong with the answer, or nothing."""
        body = {"query": READ}
        if reference:
            plan = {"even": {"count": 3, "firstDueDate": "2026-11-30"}}
            amount = {"amount": "90000000", "currency": "IDR"}
            body = {"query": CREATE, "variables": {"input": {
                "idempotencyKey": reference, "reference": reference, "amount": amount,
                "payerName": "PT Samudra Raya", "plan": plan}}}  # fmt: skip
        connection.request("POST", "/graphql", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            return f"{response.status} {text[:300]!r}"
        answer = json.loads(text)
        refused = reference and answer.get("data") and answer["data"]["createPayment"]["userErrors"]
        return f"{answer.get('errors')} {refused}" if answer.get("errors") or refused else None

    def more(self, count=200):
        """Waits until so many more requests were answered."""
        wanted = self.done + count
        wait_for("more requests are answered", lambda: self.done >= wanted)

    def phase(self):
        """What has happened since the last time: requests, those to be sent again, failures, the slowest one."""
        with self.lock:
            result = self.done, self.again, self.failed, self.slowest
            self.done, self.again, self.failed, self.slowest = 0, 0, [], 0.0
        return result


def total(port):
    body = json.dumps({"query": "{ payments { totalCount } }"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["data"]["payments"]["totalCount"]


def report(what, phase):
    done, again, failed, slowest = phase
    words = f"{done} requests, {again} to be sent again, {len(failed)} failed, the slowest took {slowest:.2f} s"
    print(f"{what}: {words}", flush=True)
    return failed


def scenario(servers, port, balanced):
    before = total(port)
    lost = []
    with Load(port) as load:
        load.more()
        if failed := report("nothing happens", load.phase()):
            fail(f"requests fail by themselves: {failed[:3]}")

        for server in servers:
            status = server.end(signal.SIGTERM)
            if status != 0:
                fail(f"{server.name} ended with {status} after SIGTERM")
            load.more()
            server.start()
            wait_for("HAProxy sees both", balanced)
            load.more()
        if failed := report("rolling restart", load.phase()):
            fail(f"a rolling restart fails requests: {failed[:3]}")

        killed = servers[1]
        killed.end(signal.SIGKILL)
        dead = time.monotonic()
        load.more()
        killed.start()
        wait_for("HAProxy sees both", balanced)
        load.more()
        lost = report("one killed", load.phase())
        for _, _, fault in lost:
            print(f"  {fault}")
        late = [each for each in lost if each[0] > dead]
        if late or len(lost) > CLIENTS:
            fail(f"a killed server fails what it was not running: {lost[:3]}")
    unknown = sum(1 for _, reference, _ in lost if reference)
    made = total(port) - before
    print(f"{len(load.created)} payments were acknowledged, {unknown} perhaps lost, {made} are there")
    if not len(load.created) <= made <= len(load.created) + unknown:
        fail("payments were lost, or made twice")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ports = free_ports(6)
    servers = [Server("dermaga-1", *ports[0:2]), Server("dermaga-2", *ports[2:4])]
    port, metrics = ports[4:]
    settings = WORK / "haproxy.cfg"
    settings.write_text(haproxy_settings(servers, port, metrics))
    active = re.compile(r'^haproxy_backend_active_servers\{proxy="servers"\} 2\b', re.M)
    proxy = None
    try:
        # One after the other: the first makes the tables.
        for server in servers:
            server.start()
        with open(WORK / "haproxy.log", "w") as log:
            proxy = subprocess.Popen(["haproxy", "-db", "-f", settings], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def balanced():
            if proxy.poll() is not None:
                fail(f"HAProxy ended with {proxy.returncode}\n{(WORK / 'haproxy.log').read_text()}")
            return active.search(get(f"http://127.0.0.1:{metrics}/metrics") or "")

        wait_for("HAProxy sees both", balanced)
        scenario(servers, port, balanced)
        for server in servers:
            if server.end(signal.SIGTERM) != 0:
                fail(f"{server.name} did not end well")
        verified = subprocess.run([DERMAGA, "verify"], cwd=WORK, capture_output=True, text=True, timeout=60)
        print(verified.stdout.strip())
        if verified.returncode != 0:
            fail(f"verify ended with {verified.returncode}")
    except BaseException:
        for log in sorted(WORK.glob("*.log")):
            print(f"--- the end of {log.name}", *log.read_text().splitlines()[-30:], sep="\n", file=sys.stderr)
        raise
    finally:
        for process in [proxy, *(server.process for server in servers)]:
            if process and process.poll() is None:
                process.kill()
                process.wait()


main()
