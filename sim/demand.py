"""What is asked of the pools: who comes, how often, and how long each keeps a connection."""

from collections.abc import Iterator
from dataclasses import dataclass

from pools.setting import Mistake, Settings, setting

OUR_CHOICE = "Poolwise's choice"
PATTERNS = ("steady", "spike", "closed")


@dataclass(frozen=True, slots=True)
class Workload(Settings):
    """Who asks for connections, how often, and how long each is held.

    The hold is the caller's own time with the connection: queries, and the application code
    between them. Round trips that the library adds (BEGIN, COMMIT, reset, pre-ping) come on
    top, from the server's round-trip time. Offered load is rate times hold, in erlangs.
    """

    pattern: str = setting(
        "steady",
        "Poisson arrivals (steady), the same with a burst on top (spike), or a fixed number"
        " of users who each wait for their answer before asking again (closed).",
        source=OUR_CHOICE,
        choices=PATTERNS,
    )
    rate_per_s: float = setting(
        200.0,
        "Mean arrival rate of requests, over the whole fleet.",
        source=OUR_CHOICE,
        query="rate",
        unit="/s",
        low=0.0,
        high=10_000.0,
        step=10.0,
    )
    users: int = setting(
        50,
        "Users in a closed loop, over the whole fleet.",
        source=OUR_CHOICE,
        unit="users",
        low=1,
        high=10_000,
        step=1,
    )
    think_s_mean: float = setting(
        100.0,
        "Mean pause between an answer and the user's next request; exponential, 0 for none.",
        source=OUR_CHOICE,
        query="think_ms",
        unit="ms",
        low=0.0,
        high=60_000.0,
        step=10.0,
    )
    spike_at_s: float = setting(
        5.0,
        "When the burst arrives, after the start of the run.",
        source=OUR_CHOICE,
        unit="s",
        low=0.0,
        high=3600.0,
        step=0.5,
    )
    spike_requests: int = setting(
        50,
        "Requests that arrive at once in the burst.",
        source="HikariCP, Welcome To The Jungle",
        unit="requests",
        low=1,
        high=100_000,
        step=1,
    )
    hold_s_mean: float = setting(
        20.0,
        "Mean time one checkout keeps a connection: its queries and the code between them.",
        source=OUR_CHOICE,
        query="hold_ms",
        unit="ms",
        low=0.1,
        high=60_000.0,
        step=1.0,
    )
    hold_cv: float = setting(
        1.0,
        "Spread of the hold, standard deviation over mean: 0 is constant, 1 exponential,"
        " any other value lognormal.",
        source=OUR_CHOICE,
        low=0.0,
        high=5.0,
        step=0.1,
    )
    hosts: int = setting(
        1,
        "Hosts that HTTP requests are spread over, evenly at random.",
        source=OUR_CHOICE,
        unit="hosts",
        low=1,
        high=100,
        step=1,
    )

    @property
    def is_closed(self) -> bool:
        """Whether users wait for their answer before asking again."""
        return self.pattern == "closed"

    def rules(self) -> Iterator[Mistake]:
        """Require arrivals."""
        if self.pattern == "steady" and self.rate_per_s == 0:
            yield Mistake("rate", "must be above 0 /s when pattern is steady", "0")
