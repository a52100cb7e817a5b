"""What the user wants of the pool: each goal may be asked or not, and none is by default."""

from dataclasses import dataclass

from pools.setting import Settings, Value, setting

_NONE = "none is asked by default"
_NOT_ASKED: dict[Value, str] = {0: "not asked"}


@dataclass(frozen=True, slots=True)
class Goal(Settings):
    """What a recommendation must keep, and what it must survive.

    A request that fails counts as one that waits too long, unless the share that may fail has
    a goal of its own.
    """

    wait_s_p99_max: float = setting(
        0.0,
        "99 in 100 requests wait at most this long for a connection.",
        source=_NONE,
        query="goal_wait_ms",
        unit="ms",
        low=0.0,
        high=60_000.0,
        step=1.0,
        special=_NOT_ASKED,
    )
    failed_ratio_max: float = setting(
        0.0,
        "Most requests that may fail in the pool: time out, or be refused.",
        source=_NONE,
        query="goal_timeouts",
        unit="%",
        low=0.0,
        high=50.0,
        step=0.1,
        special=_NOT_ASKED,
    )
    burst_requests: int = setting(
        0,
        "Requests at once, on top of the load, that the pools must survive.",
        source=_NONE,
        query="goal_burst",
        unit="requests",
        low=0,
        high=10_000,
        step=10,
        special=_NOT_ASKED,
    )
    burst_wait_s_max: float = setting(
        1000.0,
        "A burst is survived if 99 in 100 of it get a connection within this time.",
        source="wait of 1 s: the line above which alerts are common",
        query="goal_burst_ms",
        unit="ms",
        low=1.0,
        high=60_000.0,
        step=10.0,
    )
    within_budget: bool = setting(
        True,
        "All pools together stay within max_connections - reserved - other_connections.",
        source="connections beyond it are refused",
        query="goal_budget",
    )
    survives_replica_loss: bool = setting(
        False,
        "The goals hold with one replica fewer under the same load.",
        source=_NONE,
        query="goal_replica_loss",
    )
    survives_deploy: bool = setting(
        False,
        "The goals and the budget hold during a rolling deploy: a quarter more replicas hold"
        " connections, a quarter fewer serve.",
        source="Kubernetes, Deployment: maxSurge and maxUnavailable are 25 %",
        query="goal_deploy",
    )
    caller_s: float = setting(
        30.0,
        "How long callers wait for an answer before they give up; the pool's own timeout stays"
        " below it.",
        source="Heroku's router gives up after 30 s",
        query="goal_caller_s",
        unit="s",
        low=0.1,
        high=3600.0,
        step=1.0,
    )

    @property
    def is_asked(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.wait_s_p99_max or self.failed_ratio_max or self.burst_requests)
