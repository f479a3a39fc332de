"""What the checks in Python have in common."""

import contextlib
import socket
import sys
import time


def fail(words):
    """Ends the check."""
    raise SystemExit(f"{sys.argv[0]}: {words}")


def free_ports(count):
    """Ports of the loopback address that nobody uses, each another one."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def wait_for(what, condition, seconds=60):
    """Asks until the condition is something, which it returns."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            fail(f"waited {seconds} s in vain until {what}")
        time.sleep(0.05)
    return value
