"""What is using my connections: the sessions of a server, by application, and what is odd.

Pure: from what `pools.live.diagnose.activity` saw, the server's limits and the fleet's budget to
a table and sentences. Nothing here ends a session, and nothing asks to.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from pools.live.diagnose.activity import UNNAMED, Activity, Session
from pools.live.preflight import PostgresFacts
from sim.scenario import Scenario

HELD_S_MAX = 60.0
IDLE_S_MAX = 600.0
IDLE_SESSIONS_MIN = 5
IDLE_SHARE_MAX = 0.8
FULL_SHARE = 0.8
NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Application:
    """Connections of one application_name; `hidden` ones could be in any state."""

    name: str
    connections: int
    active: int
    idle: int
    idle_in_transaction: int
    waiting_for_lock: int
    hidden: int
    oldest_s: float | None
    longest_transaction_s: float | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The answer: applications with most connections first, and findings in sentences."""

    applications: tuple[Application, ...]
    findings: tuple[str, ...]
    in_use: int
    slots: int
    sees_all: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def budget_of(scenario: Scenario) -> int | None:
    """Return how many connections the fleet of a scenario may hold; None without a limit."""
    capacity = scenario.pool.capacity
    return None if capacity is None else capacity * scenario.fleet.pools


def diagnose(activity: Activity, facts: PostgresFacts, budget: int | None = None) -> Diagnosis:
    """Sort the sessions and say what is odd.

    `budget` is how many connections the fleet of the scenario may hold (pools x capacity).
    """
    groups = defaultdict(list)
    for session in activity.sessions:
        groups[session.application].append(session)
    applications = sorted(
        (_application(name, sessions) for name, sessions in groups.items()),
        key=lambda one: (-one.connections, one.name),
    )
    slots = facts.max_connections - facts.reserved
    findings = [
        *_held(groups),
        *_over_budget(applications, budget),
        *_idle(groups),
        *_locks(applications),
        *_full(facts.in_use, slots),
        *_unnamed(applications),
        *_hidden(activity),
    ]
    return Diagnosis(
        tuple(applications),
        tuple(findings) or ("Nothing looks odd: no long transaction, no leak, room is left.",),
        facts.in_use,
        slots,
        activity.sees_all,
    )


def _application(name: str, sessions: Sequence[Session]) -> Application:
    return Application(
        name,
        len(sessions),
        active=sum(one.state == "active" for one in sessions),
        idle=sum(one.state == "idle" for one in sessions),
        idle_in_transaction=sum(one.holds_idle for one in sessions),
        waiting_for_lock=sum(one.waits_for == "Lock" for one in sessions),
        hidden=sum(one.is_hidden for one in sessions),
        oldest_s=max((one.age_s for one in sessions if one.age_s is not None), default=None),
        longest_transaction_s=max(
            (one.transaction_s for one in sessions if one.transaction_s is not None), default=None
        ),
    )


def _held(groups: dict[str, list[Session]]) -> Iterator[str]:
    """Name who sits in a transaction without asking for anything."""
    for name, sessions in groups.items():
        held_s = [one.state_s for one in sessions if one.holds_idle and one.state_s is not None]
        long_s = [value for value in held_s if value > HELD_S_MAX]
        if long_s:
            yield (
                f"{name}: {_count(len(long_s))} idle in transaction, the longest for"
                f" {_span(max(long_s))}. Each keeps a connection from its pool, and its locks."
                " Suspect a connection that was borrowed and not given back, or a transaction"
                " left open while waiting for something else."
            )


def _over_budget(applications: Sequence[Application], budget: int | None) -> Iterator[str]:
    for one in applications if budget is not None else ():
        if budget is not None and one.connections > budget:
            yield (
                f"{one.name}: {_count(one.connections)}, and a fleet with these settings holds at"
                f" most {budget}. More workers than the settings say, engines that are made more"
                " than once, or connections that nobody closes."
            )


def _idle(groups: dict[str, list[Session]]) -> Iterator[str]:
    """Name who keeps many connections that have had nothing to do for long."""
    for name, sessions in groups.items():
        known = [one for one in sessions if not one.is_hidden]
        idle_s = [one.state_s for one in known if one.state == "idle" and one.state_s is not None]
        many = len(idle_s) >= max(IDLE_SESSIONS_MIN, IDLE_SHARE_MAX * len(known))
        if many and median(idle_s) > IDLE_S_MAX:
            yield (
                f"{name}: {len(idle_s)} of {_count(len(known))} idle, half of them for more than"
                f" {_span(median(idle_s))}. The pools are larger than this load needs, or they"
                " belong to processes that nobody uses any more."
            )


def _locks(applications: Sequence[Application]) -> Iterator[str]:
    waiting = sum(one.waiting_for_lock for one in applications)
    if waiting:
        holders = [one.name for one in applications if one.idle_in_transaction]
        named = f"; idle in transaction are {_names(holders)}" if holders else ""
        yield (f"{_count(waiting)} waiting for a lock, which no pool size helps against{named}.")


def _full(in_use: int, slots: int) -> Iterator[str]:
    if in_use >= FULL_SHARE * slots:
        yield f"{in_use} of {slots} slots are in use: the next deployment may find none."


def _unnamed(applications: Sequence[Application]) -> Iterator[str]:
    for one in applications:
        if one.name == UNNAMED:
            yield (
                f"{_count(one.connections)} without a name: set application_name in each service,"
                " so that this table can tell them apart."
            )


def _hidden(activity: Activity) -> Iterator[str]:
    hidden = sum(one.is_hidden for one in activity.sessions)
    if hidden and not activity.sees_all:
        yield (
            f"{_count(hidden)} of other roles, whose state this role may not see. To see it: GRANT"
            " pg_monitor TO this role."
        )


def _count(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def _span(seconds: float) -> str:
    """Say a span in its largest unit."""
    for unit, length_s in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
