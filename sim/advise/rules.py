"""Settings whose value is no question of queueing: each a rule, with its number and source."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pools.kinds import (
    AiohttpConnector,
    AsyncpgPool,
    HttpxPool,
    Pool,
    PsycopgPool,
    SqlalchemyQueue,
)
from pools.kinds.psycopg import CHECK_ROUND_TRIPS
from pools.kinds.sqlalchemy_record import PING_ROUND_TRIPS
from pools.setting import settings_of
from sim.advise.recommendation import Reason
from sim.advise.words import spoken_time
from sim.scenario import Scenario

PING_RATIO_MAX = 0.1
AGE_S_MAX = 1800
IDLE_CUT_S = 350
UNTESTED_AGE_S_MAX = 240
TIMEOUT_S_MIN = 2.0
PATIENCE_TIMES = 10.0
_TIMEOUT_SOURCE = "a wait longer than the caller's own timeout is work for nobody"
_CUT_SOURCE = "AWS Network Load Balancer: an idle connection is cut after 350 s"
_PING_SOURCE = "SQLAlchemy, Dealing with Disconnects; optuna issue 806: at most 10 %"
_AGE_SOURCE = "sizes commonly given for a medium service: recycle after 1800 s"
Ruled = tuple[Pool, tuple[Reason, ...]]


def ruled(scenario: Scenario) -> Ruled:
    """Return the pool with these settings chosen, and why each is what it is."""
    pool, reasons = scenario.pool, []
    for rule in _RULES.get(type(pool), ()):
        for name, value, why, source in rule(replace(scenario, pool=pool)):
            pool = replace(pool, **{name: value})
            made = settings_of(type(pool))[name]
            shown = made.spell(made.to_shown(value))
            reasons.append(Reason(made.query, shown, why, source))
    return pool, tuple(reasons)


Chosen = Iterator[tuple[str, "bool | int | float", str, str]]


def _timeout(name: str) -> Callable[[Scenario], Chosen]:
    """Return the rule for the setting that bounds the wait for a connection."""

    def rule(scenario: Scenario) -> Chosen:
        goal = scenario.goal
        patient = max(PATIENCE_TIMES * goal.wait_s_p99_max, TIMEOUT_S_MIN)
        if goal.burst_requests:
            patient = max(patient, goal.burst_wait_s_max)
        seconds = round(max(0.05, min(patient, goal.caller_s / 2.0)), 2)
        limit = f"half of the {goal.caller_s:g} s after which callers give up"
        why = f"{seconds:g} s is {limit}" if seconds < patient else f"{seconds:g} s, below {limit}"
        if goal.wait_s_p99_max:
            times = seconds / goal.wait_s_p99_max
            why += f"; a wait of {times:.3g} times the goal is a fault, not a queue"
        yield name, seconds, why + ".", _TIMEOUT_SOURCE

    return rule


def _test(name: str, trips: int) -> Callable[[Scenario], Chosen]:
    """Return the rule for testing a connection at each checkout."""

    def rule(scenario: Scenario) -> Chosen:
        bare = replace(scenario, pool=replace(scenario.pool, **{name: False}))
        cost_s = trips * scenario.server.rtt_s
        ratio = cost_s / bare.hold_s_mean
        why = (
            f"{trips} round trip{'s' * (trips > 1)} = {spoken_time(cost_s)} here ="
            f" {100.0 * ratio:.2g} % of the hold, "
        )
        if ratio <= PING_RATIO_MAX:
            why += "a small price for no request on a dead connection."
        else:
            why += f"above {100.0 * PING_RATIO_MAX:g} %: recycle early and retry instead."
        yield name, ratio <= PING_RATIO_MAX, why, _PING_SOURCE

    return rule


def _age(name: str, is_tested: Callable[[Pool], bool]) -> Callable[[Scenario], Chosen]:
    """Return the rule for the age at which a connection is replaced."""

    def rule(scenario: Scenario) -> Chosen:
        tested = is_tested(scenario.pool)
        age_s = AGE_S_MAX if tested else UNTESTED_AGE_S_MAX
        source = _AGE_SOURCE if tested else _CUT_SOURCE
        connect_s = scenario.server.connect_s
        why = (
            f"each connection is opened anew every {age_s:g} s, at {spoken_time(connect_s)} or more"
        )
        if not tested:
            why += (
                f"; connections are not tested, so none may outlive an idle cut of {IDLE_CUT_S} s"
            )
        yield name, age_s, why + ".", source

    return rule


def _idle(name: str) -> Callable[[Scenario], Chosen]:
    """Return the rule for the idle time after which a connection is closed."""

    def rule(scenario: Scenario) -> Chosen:
        now_s = getattr(scenario.pool, name)
        idle_s = now_s if 0 < now_s < IDLE_CUT_S else 300.0
        why = f"idle for {idle_s:g} s at most, below the {IDLE_CUT_S} s after which networks cut."
        yield name, idle_s, why, _CUT_SOURCE

    return rule


_RULES: Mapping[type[Pool], tuple[Callable[[Scenario], Chosen], ...]] = {
    SqlalchemyQueue: (
        _test("pool_pre_ping", PING_ROUND_TRIPS),
        _age("pool_recycle", lambda pool: bool(getattr(pool, "pool_pre_ping", False))),
        _timeout("pool_timeout"),
    ),
    AsyncpgPool: (_timeout("acquire_timeout"), _idle("max_inactive_connection_lifetime")),
    PsycopgPool: (
        _test("check", CHECK_ROUND_TRIPS),
        _age("max_lifetime", lambda pool: bool(getattr(pool, "check", False))),
        _timeout("timeout"),
    ),
    AiohttpConnector: (_timeout("connect_timeout"),),
    HttpxPool: (_timeout("pool_timeout"),),
}
