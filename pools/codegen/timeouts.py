"""Timeouts that no pool setting gives: plain defaults, longer where the scenario needs it.

A generated timeout must not cut work that the simulation let finish, so each is the larger of
a default in common use and a multiple of what the scenario says the step takes. The order
matters: the server ends a statement (`statement_timeout`) before the client gives up on it
(`command_timeout`), because only then does the connection survive.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pools.codegen.reason import Value, by_rule
from pools.kinds.base import POSTGRES_CONNECT_ROUND_TRIPS
from sim.scenario import Scenario, Server, Workload

HOLDS = 10.0
CONNECTS = 3.0
CLIENT_MARGIN_S = 5.0
CONNECT_S_MIN = 10.0
STATEMENT_S_MIN = 30.0
LOCK_S = 5.0
CLOSE_S = 10.0
DRAIN_S_MIN = 30.0
READY_S = 1.0
HTTP_TOTAL_S_MIN = 300.0
HTTP_SOCK_CONNECT_S = 30.0
POSTGRES = "PostgreSQL, Client Connection Defaults: a setting's unit is ms"
CHOICE = "Poolwise's choice, docs/code-targets.md"
HOLD_RULE = f"{HOLDS:g} x the mean hold, at least {{low:g}} s: work that succeeds is not cut."

SERVER_SENTENCES = {
    "statement_timeout": HOLD_RULE.format(low=STATEMENT_S_MIN),
    "lock_timeout": "Below statement_timeout, so that the error names the lock.",
    "idle_in_transaction_session_timeout": "2 x statement_timeout: above any one statement.",
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, as asyncpg and aiohttp take them."""

    connect_s: float
    statement_s: float
    http_total_s: float
    drain_s: float
    http_sock_connect_s: float = HTTP_SOCK_CONNECT_S
    close_s: float = CLOSE_S
    ready_s: float = READY_S

    @property
    def command_s(self) -> float:
        """How long the client waits for a statement: a little longer than the server does."""
        return self.statement_s + CLIENT_MARGIN_S

    @property
    def server_settings(self) -> Mapping[str, str]:
        """PostgreSQL's own timeouts: text, in ms."""
        return {
            "statement_timeout": _ms(self.statement_s),
            "lock_timeout": _ms(LOCK_S),
            "idle_in_transaction_session_timeout": _ms(2 * self.statement_s),
        }


def timeouts(scenario: Scenario) -> Timeouts:
    """Return the timeouts for a scenario; its load and server count for what its pool serves."""
    plain = Workload(), Server()
    given = scenario.workload, scenario.server
    load, server = given if scenario.pool.serves == "database" else plain
    http_load, _ = given if scenario.pool.serves == "http" else plain
    connect_s = server.connect_s + POSTGRES_CONNECT_ROUND_TRIPS * server.rtt_s
    return Timeouts(
        connect_s=_at_least(CONNECT_S_MIN, CONNECTS * connect_s),
        statement_s=_at_least(STATEMENT_S_MIN, HOLDS * load.held_s_mean),
        http_total_s=_at_least(HTTP_TOTAL_S_MIN, HOLDS * http_load.held_s_mean),
        drain_s=_at_least(DRAIN_S_MIN, HOLDS * scenario.workload.held_s_mean),
    )


def timeout_values(made: Timeouts) -> Mapping[str, Value]:
    """Return each timeout with the rule it follows, by the name of its field."""
    connects = f"{CONNECTS:g} x the time to connect, at least {CONNECT_S_MIN:g} s."
    outlasts = f"statement_timeout and {CLIENT_MARGIN_S:g} s: the server gives up first."
    said = {
        "connect_s": ("connect_timeout", connects),
        "statement_s": ("statement_timeout", HOLD_RULE.format(low=STATEMENT_S_MIN)),
        "command_s": ("command_timeout", outlasts),
        "http_total_s": ("total_timeout", HOLD_RULE.format(low=HTTP_TOTAL_S_MIN)),
        "http_sock_connect_s": ("sock_connect_timeout", "aiohttp's own for one attempt."),
        "drain_s": ("drain", HOLD_RULE.format(low=DRAIN_S_MIN)),
        "close_s": ("close", "Long enough for a reset; what is still lent then is cut."),
        "ready_s": ("ready_timeout", "Far below the pool's own: a probe must answer in time."),
    }
    return {
        field: by_rule(name, getattr(made, field), sentence, CHOICE)
        for field, (name, sentence) in said.items()
    }


def server_settings(made: Timeouts) -> Mapping[str, Value]:
    """Return PostgreSQL's own timeouts as text in ms, with the rule each follows."""
    return {
        name: by_rule(name, made.server_settings[name], sentence, POSTGRES)
        for name, sentence in SERVER_SENTENCES.items()
    }


def server_settings_ms(made: Timeouts) -> Mapping[str, Value]:
    """Return the same as numbers, by the names that `Settings` has for them."""
    return {
        f"{name.removesuffix('_session_timeout')}_ms": by_rule(
            name, int(made.server_settings[name]), sentence, POSTGRES
        )
        for name, sentence in SERVER_SENTENCES.items()
    }


def _at_least(low_s: float, wanted_s: float) -> float:
    return max(low_s, float(math.ceil(wanted_s)))


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))
