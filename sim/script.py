"""A Script: a workload drawn to the last detail, so that every witness can play the same one.

The simulation (`sim.play`) and the real library on a virtual clock (`pools.twin`) are given
the same Script; what they then do may be compared request by request. Nothing in a Script is
random any more, except the choices that a library itself leaves to chance (`seed`). Times are
seconds from the start of the arrivals; the pool is made `lead_s` before.
"""

import math
from dataclasses import dataclass

from pools.kinds import Pool

# Times that are multiples of this add up exactly, in whatever order.
GRAIN_S = 2.0**-40


def exact(seconds: float) -> float:
    """Return the nearest time that adds up exactly."""
    return round(seconds / GRAIN_S) * GRAIN_S


@dataclass(frozen=True, slots=True)
class Use:
    """What a caller does with one connection.

    It sends one query (an HTTP request) that takes the server `compute_s` on its shared cores
    and then `work_s` more, unless `work_s` is None; then it keeps the connection for `hold_s`
    without talking; then it commits (SQLAlchemy, if it sent a query and `commits`; else the
    close rolls back) and returns the connection: by leaving an `async with` block, or, where
    the library distinguishes, by an `explicit` close.

    `timeout_s` is the acquire timeout of this request alone (None: that of the pool).
    `closes` makes an HTTP server answer with `Connection: close`; `idempotent` says whether
    an HTTP client may repeat the request.
    """

    hold_s: float
    work_s: float | None = None
    compute_s: float = 0.0
    host: int = 0
    timeout_s: float | None = None
    explicit: bool = False
    commits: bool = True
    closes: bool = False
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of an open workload; at `cancel_s`, if given, its task is cancelled.

    A task that is done with its request cancels its `rival` at once, if that has begun: the
    number of another ask. So does who races requests against each other.
    """

    at_s: float
    use: Use
    cancel_s: float | None = None
    pool: int = 0
    rival: int | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """One task that asks, uses, returns, thinks and asks again.

    Turn n takes `uses[n]` and then `thinks_s[n]`, both cycled. The task asks for the last time
    before `until_s`, or after `turns` turns.
    """

    at_s: float
    uses: tuple[Use, ...]
    thinks_s: tuple[float, ...]
    until_s: float = math.inf
    turns: int | None = None
    pool: int = 0


@dataclass(frozen=True, slots=True)
class Kill:
    """The server drops its `which`-th oldest live connection (modulo how many there are)."""

    at_s: float
    which: int


@dataclass(frozen=True, slots=True)
class Outage:
    """A connect that reaches the server in this window fails.

    It is refused at once, or fails `after_s` after it was started (at least a round trip).
    """

    from_s: float
    until_s: float
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """What time and room the network and the server take.

    `latency_s` is one way. `connect_s` is the server's own time to open a connection, plus
    `connect_jitter_s[n]` (cycled) for the n-th that reaches this point. `slots` connections
    are taken, further ones are refused. `cores` cores are shared by computing queries. An HTTP
    server hangs up on a connection that asks nothing for `keep_alive_s` after an answer.
    """

    latency_s: float
    connect_s: float
    connect_jitter_s: tuple[float, ...] = (0.0,)
    slots: float = math.inf
    cores: int = 4
    keep_alive_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Script:
    """One run, fully drawn.

    `clock_s` is what the clock shows at the start: away from 0, since libraries read 0 as
    "never", and with a phase, since some round to whole seconds of it. The pool is made at that
    moment, `lead_s` before time 0, and has to be ready when the first request asks (requests
    may ask before time 0). The run ends `drain_s` after the last caller is done, or at
    `limit_s` with callers unfinished.
    """

    pool: Pool
    costs: Costs
    asks: tuple[Ask, ...] = ()
    loops: tuple[Loop, ...] = ()
    kills: tuple[Kill, ...] = ()
    outages: tuple[Outage, ...] = ()
    pools: int = 1
    clock_s: float = 1000.0
    lead_s: float = 1.0
    drain_s: float = 1.0
    limit_s: float = 100_000.0
    seed: int = 0

    @property
    def zero_s(self) -> float:
        """What the clock shows at time 0."""
        return self.clock_s + self.lead_s

    @property
    def first_ask_s(self) -> float:
        """When the first request asks; 0 if there is none."""
        times = [ask.at_s for ask in self.asks] + [loop.at_s for loop in self.loops]
        return min(times, default=0.0)
