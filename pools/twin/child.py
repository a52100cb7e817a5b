"""The process that asks the library: `python -m pools.twin.child`, order on standard input.

The first line of standard input is the order (JSON); the pipe then stays open, and when it
closes the parent is gone and this process ends at once. Answers are JSON lines on standard
output. The process limits itself before it imports any library and yields to all others:
virtual time does not mind how long it takes. It starts no process and opens no socket.
"""

import json
import os
import resource
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.result import SimulationResult

MEMORY_BYTES = 1024**3
NICE = 5
WAITS = ("p50", "p95", "p99", "max")


def main() -> None:
    """Read the order, limit this process, watch the parent, ask."""
    order = json.loads(sys.stdin.readline())
    answers = _take_over_stdout()
    limit(cpu_s=int(order["deadline_s"]) + 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def write(message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(answers, data) :]

    write(_answer(order["query"], lambda done, of: write({"done": done, "of": of})))


def limit(*, cpu_s: int) -> None:
    """Limit memory, processor time and core dumps of this process; let others go first."""
    os.nice(NICE)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        if sys.platform != "darwin" or what != resource.RLIMIT_AS:  # macOS refuses that one
            resource.setrlimit(what, (value, value))


def _answer(query: str, tick: Any) -> dict[str, Any]:  # noqa: ANN401  its type needs an import
    from pools.twin.__main__ import result_of  # noqa: PLC0415  after the limits
    from pools.twin.ask import ask  # noqa: PLC0415
    from pools.twin.play import NoTwin  # noqa: PLC0415
    from sim.query import parse  # noqa: PLC0415

    scenario = parse(query)
    try:
        report = ask(scenario, tick)
    except NoTwin as missing:
        return {"problem": str(missing)}
    except ImportError as missing:
        return {"problem": f"{missing.name or 'The library'} is not installed here."}
    except MemoryError:
        return {"problem": f"It needs more than {MEMORY_BYTES // 1024**2} MiB of memory."}
    except Exception as error:  # noqa: BLE001  whatever a library raises; its text is not ours
        return {"problem": f"It failed unexpectedly ({type(error).__name__})."}
    return {
        "answer": {
            "requests": report.requests,
            "identical_requests": report.identical_requests,
            "difference": None if report.difference is None else str(report.difference),
            "versions": dict(report.versions),
            "notes": list(report.notes),
            "simulated": _run(result_of(scenario, report, report.simulated)),
            "library": _run(result_of(scenario, report, report.trace)),
        }
    }


def _run(result: "SimulationResult") -> dict[str, Any]:
    return {
        "requests": result.requests,
        "waits_s": {name: getattr(result.wait_s, name).value for name in WAITS},
        "survival": asdict(result.survival),
        "timeline": asdict(result.timeline),
    }


def _take_over_stdout() -> int:
    """Keep standard output for answers; whatever a library prints goes nowhere."""
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    return answers


def _end_with_parent() -> None:
    while sys.stdin.readline():
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
