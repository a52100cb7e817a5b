"""What goes wrong, and when: switches of a scenario, all off unless given.

Each failure that has a time also has a length; a length of 0 means that it does not happen.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pools.setting import Mistake, Settings, setting
from sim.demand import OUR_CHOICE

# Of a kill, which connection: any number, taken modulo how many are live.
_WHICH = 2**31


@dataclass(frozen=True, slots=True)
class Mark:
    """A failure on the timeline: from, until (seconds from the start), and its name."""

    start_s: float
    end_s: float
    label: str


def _at(meaning: str) -> Any:  # noqa: ANN401  as `setting`
    return setting(5.0, meaning, source=OUR_CHOICE, unit="s", low=0.0, high=3600.0, step=0.5)


def _length(meaning: str) -> Any:  # noqa: ANN401  as `setting`
    return setting(
        0.0,
        meaning,
        source=OUR_CHOICE,
        unit="s",
        low=0.0,
        high=600.0,
        step=0.5,
        special={0.0: "does not happen"},
    )


@dataclass(frozen=True, slots=True)
class Failures(Settings):
    """Failures of the server and of the network between it and the workers."""

    restart_at_s: float = _at("When the server restarts or fails over: all connections die.")
    restart_s: float = _length("How long it then refuses to connect.")
    pgbouncer_restart_at_s: float = _at("When PgBouncer restarts: all its clients are cut off.")
    pgbouncer_restart_s: float = _length("How long it then refuses to connect.")
    deploy_at_s: float = _at(
        "When a new version starts: as many workers again, with pools of their own, that take the"
        " requests over once their pool is made."
    )
    deploy_s: float = _length("How long the old workers keep their connections from then on.")
    slow_at_s: float = _at("When the server's work begins to take longer.")
    slow_s: float = _length("How long it does.")
    slow_factor: float = setting(
        5.0,
        "How many times as long it takes: the whole hold, computing included.",
        source=OUR_CHOICE,
        low=1.0,
        high=1000.0,
        step=1.0,
    )
    delay_at_s: float = _at("When the network becomes slow.")
    delay_s: float = _length("How long it is.")
    delay_extra_s: float = setting(
        50.0,
        "What each round trip then takes longer.",
        source=OUR_CHOICE,
        query="delay_ms",
        unit="ms",
        low=0.0,
        high=10_000.0,
        step=10.0,
    )
    kills_per_s: float = setting(
        0.0,
        "Connections that die at random, over the whole fleet, as if an operator or a proxy"
        " dropped them.",
        source="0: none",
        query="kills",
        unit="/s",
        low=0.0,
        high=100.0,
        step=0.1,
    )
    idle_cut_s: float = setting(
        0.0,
        "Silence after which a firewall forgets a connection, without a word to either end.",
        source="350 s on AWS, 240 s on Azure",
        unit="s",
        low=0.0,
        high=86_400.0,
        step=10.0,
        special={0.0: "never"},
    )
    unanswered_s: float = setting(
        924.6,
        "How long who uses a forgotten connection waits until it is known to be dead: the"
        " client's command timeout, or what the kernel allows.",
        source="Linux, tcp_retries2 = 15",
        unit="s",
        low=0.0,
        high=3600.0,
        step=1.0,
    )

    @property
    def any(self) -> bool:
        """Whether anything goes wrong."""
        return bool(
            self.restart_s
            or self.slow_s
            or self.delay_s
            or self.kills_per_s
            or self.idle_cut_s
            or self.pgbouncer_restart_s
            or self.deploy_s
        )

    def marks(self, duration_s: float) -> Iterator[Mark]:
        """Yield what has a beginning and an end within a run."""
        spans = (
            (self.restart_at_s, self.restart_s, "restart"),
            (self.pgbouncer_restart_at_s, self.pgbouncer_restart_s, "PgBouncer restart"),
            (self.deploy_at_s, self.deploy_s, "deploy"),
            (self.slow_at_s, self.slow_s, f"{self.slow_factor:g} times slower"),
            (self.delay_at_s, self.delay_s, "slow network"),
        )
        for at_s, length_s, label in spans:
            if length_s:
                yield Mark(at_s, min(at_s + length_s, duration_s), label)

    def begins(self) -> Iterator[tuple[str, float]]:
        """Yield when each failure that happens begins, with the name of that setting."""
        for name in ("restart", "pgbouncer_restart", "deploy", "slow", "delay"):
            if getattr(self, f"{name}_s"):
                yield f"{name}_at_s", getattr(self, f"{name}_at_s")

    def kills(self, duration_s: float, rng: random.Random) -> Iterator[tuple[float, int]]:
        """Draw when connections die, and which: the n-th oldest, modulo how many there are."""
        at_s = rng.expovariate(self.kills_per_s) if self.kills_per_s else duration_s
        while at_s < duration_s:
            yield at_s, rng.randrange(_WHICH)
            at_s += rng.expovariate(self.kills_per_s)


def starts_in_time(failures: Failures, duration_s: float) -> Iterator[Mistake]:
    """Yield each failure that would begin after the run."""
    for name, at_s in failures.begins():
        if at_s >= duration_s:
            yield Mistake(name, f"must be below duration_s ({duration_s:g} s)", f"{at_s:g}")
