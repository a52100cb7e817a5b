"""The child process of a live check: `python -m pools.live.child`, order on standard input.

The first line of standard input is the order (JSON); the pipe then stays open, and when it
closes the parent is gone and this process ends at once. Answers are JSON lines on standard
output. The process limits itself before it imports any library; what it starts (keeper, HTTP
server) ends with it.
"""

import json
import os
import resource
import sys
import threading
from typing import Any

from pools.live.deadline import OWNER_GONE, be_killed_at

MEMORY_BYTES = 768 * 1024**2
FILES = 256
LAST = {"done", "problem"}


def main() -> None:
    """Read the order, limit this process, watch the parent, run the check."""
    order = json.loads(sys.stdin.readline())
    be_killed_at(order["kill_at_s"])
    answers = _take_over_stdout()
    limit(cpu_s=int(order["deadline_s"]))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from pools.live.own_steps import OwnSteps  # noqa: PLC0415  after the limits
    from pools.live.steps import Steps, run  # noqa: PLC0415

    order["held_open"] = (answers,)
    kind = OwnSteps if "target" in order else Steps

    def say(message: dict[str, Any]) -> None:
        _write(answers, message)
        if not message.keys().isdisjoint(LAST):
            os._exit(0)  # whatever a library still does or waits for ends here

    run(kind, order, say)


def limit(*, cpu_s: int) -> None:
    """Limit memory, processor time, open files and core dumps of this process and its own."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        if sys.platform != "darwin" or what != resource.RLIMIT_AS:  # macOS refuses that one
            resource.setrlimit(what, (value, value))


def _take_over_stdout() -> int:
    """Keep standard output for answers; whatever a library prints goes nowhere."""
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    return answers


def _write(answers: int, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(answers, data) :]


def _end_with_parent() -> None:
    while sys.stdin.readline():
        pass
    os._exit(OWNER_GONE)


if __name__ == "__main__":
    main()
