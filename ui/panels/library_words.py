"""Asking the real library in words and numbers: what it does, how far it is, what it found."""

from pools.kinds import KINDS
from pools.twin.worker import Answer, Asking
from sim.query import to_query
from sim.scenario import Scenario
from ui.words import NOTHING, count, duration

ROWS = ("p50", "p95", "p99", "max")


def before(scenario: Scenario) -> str:
    """Say what asking does, before it starts."""
    return (
        f"Plays the same arrivals and holds through the installed"
        f" {KINDS[scenario.pool.name].title}: its own code, unmodified, in virtual time and"
        " against a server in memory. Compares connection and times of each request with the"
        f" simulation; {_which(scenario)}."
    )


def no_twin(scenario: Scenario) -> str:
    """Say that the library of this kind cannot be asked."""
    title = KINDS[scenario.pool.name].title
    return f"The {title} is simulated, but its library cannot be asked yet."


def _which(scenario: Scenario) -> str:
    if scenario.replications == 1:
        return "one replication"
    return f"the first of {scenario.replications} replications"


def progress_line(asking: Asking) -> str:
    """Say how far it is."""
    if not asking.expected:
        return "The simulation plays the same requests first."
    return f"{asking.done:,} of {count(asking.expected, 'request')} asked"


def agreement(answer: Answer) -> str:
    """Say of how many requests both decided alike."""
    if not answer.requests:
        return "No request was asked: there was no pool to ask."
    same = f"{answer.identical_requests:,} of {count(answer.requests, 'request')}"
    return f"{same}: same connection, same time."


def compared(answer: Answer) -> dict[str, list[str]]:
    """Return the columns of the table of waits."""
    runs = {"simulation": answer.simulated, "library": answer.library}
    cells = {name: [_time(run.waits_s[row]) for row in ROWS] for name, run in runs.items()}
    return {"wait": list(ROWS), **cells}


def counted(answer: Answer) -> str:
    """Say how many requests the numbers rest on."""
    one, other = answer.simulated.requests, answer.library.requests
    both = f"{one:,}" if one == other else f"{one:,} and {other:,}"
    return f"{both} of them counted, after the warm-up."


def asked(answer: Answer, scenario: Scenario) -> str:
    """Say which libraries were asked, and about which settings."""
    libraries = ", ".join(f"{name} {version}" for name, version in answer.versions.items())
    query = to_query(scenario) or "the defaults"
    return f"Asked {libraries}\nabout {query}, {_which(scenario)}"


def _time(seconds: float | None) -> str:
    return NOTHING if seconds is None else duration(seconds)
