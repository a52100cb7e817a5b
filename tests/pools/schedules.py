"""Strategies for small pools and the loads put to them.

Small pools, because what goes wrong goes wrong at the limits. Times are whole milliseconds, so
that many things fall on the same instant; a jitter of microseconds takes the ties away again.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from pools.kinds import KINDS, Pool
from pools.setting import InvalidSettings, Setting, Value, settings_of
from tests.pools.rig import Rig
from tests.strategies import values

MS = 1e-3
JITTER_S = 1e-7
REQUESTS_MAX = 40
HIGH = {"connections": 5, "queries": 8, "s": 2}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a schedule, in ms."""

    gap: int
    hold: int
    host: int
    give_up_after: int | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A load and a server for one pool; times in ms."""

    asks: tuple[Ask, ...]
    kills: tuple[tuple[int, int], ...]
    refused: frozenset[int]
    slots: int | None
    connect: int
    rtt: int
    warm: int
    jitter: bool

    def drive(
        self, pool: Pool, quiet: Callable[[Rig], None] = lambda rig: None, make: type[Rig] = Rig
    ) -> Rig:
        """Put the load to a pool; return what came of it."""
        rig = make(
            pool,
            connect_s=self.connect * MS + self.jitter * JITTER_S / 3.0,
            rtt_s=self.rtt * MS,
            slots=float("inf") if self.slots is None else self.slots,
            refuses=self.refused.__contains__,
            quiet=quiet,
        )
        rig.start(self.warm)
        at_s = 0.0
        for number, ask in enumerate(self.asks):
            at_s += ask.gap * MS
            dust_s = self.jitter * number * JITTER_S
            give_up_s = None if ask.give_up_after is None else ask.give_up_after * MS + dust_s
            rig.ask(
                at_s + dust_s,
                ask.hold * MS + 7.0 * dust_s,
                host=ask.host if pool.serves == "http" else 0,
                give_up_after_s=give_up_s,
                idempotent=pool.serves == "http" and ask.hold % 2 == 1,
            )
        for at_ms, pick in self.kills:
            rig.kill(at_ms * MS + self.jitter * JITTER_S / 5.0, pick)
        rig.run()
        return rig


@st.composite
def small_pools(draw: st.DrawFn, kind: str) -> Pool:
    """Draw a valid pool of a few connections and short times."""
    cls = KINDS[kind]
    known = settings_of(cls)
    shown = {name: draw(values(_narrowed(made))) for name, made in known.items()}
    while True:
        try:
            return cls(**{name: known[name].to_field(value) for name, value in shown.items()})
        except InvalidSettings as wrong:
            for mistake in wrong.mistakes:
                shown[mistake.field] = _retreat(known[mistake.field], shown[mistake.field])


@st.composite
def schedules(
    draw: st.DrawFn, *, kills: bool = True, gives_up: bool = True, refuses: bool = True
) -> Schedule:
    """Draw a load of up to 40 requests, with a server that may fail and callers that give up.

    Requests are drawn as bytes: a draw for each of their numbers takes ten times as long.
    """
    count = draw(st.integers(1, REQUESTS_MAX))
    asks = draw(st.binary(min_size=4 * count, max_size=4 * count))
    connect, rtt, warm, refused, slots = draw(st.binary(min_size=5, max_size=5))
    killed = draw(st.binary(max_size=6)) if kills else b""
    return Schedule(
        asks=tuple(_ask(*asks[at : at + 4], gives_up) for at in range(0, len(asks), 4)),
        kills=tuple((when, pick) for when, pick in zip(killed[::2], killed[1::2], strict=False)),
        refused=frozenset({refused % 8, refused // 8} if refuses and refused > 63 else ()),
        slots=slots % 8 if refuses and slots > 127 else None,
        connect=connect % 26,
        rtt=(0, 0, 1, 3)[rtt % 4],
        warm=warm % 5,
        jitter=draw(st.booleans()),
    )


def _ask(gap: int, hold: int, host: int, give_up_after: int, gives_up: bool) -> Ask:
    """Make a request from four bytes; a fifth of the callers give up."""
    patience = give_up_after - 200 if gives_up and give_up_after >= 200 else None
    return Ask(gap % 13, hold % 41, host % 3, patience)


def _narrowed(made: Setting) -> Setting:
    if made.high is None or made.low is None or made.unit not in HIGH:
        return made
    high = min(made.high, max(made.low, HIGH[made.unit]))
    default = made.default if _within(made, high) else made.kind(high)
    return dataclasses.replace(made, high=high, default=default)


def _within(made: Setting, high: float) -> bool:
    return isinstance(made.default, int | float) and made.default <= high


def _retreat(made: Setting, value: Value) -> Value:
    """Step back towards the low end, or to the default from there."""
    assert made.low is not None
    return made.default if value == made.low or value in made.special else made.kind(made.low)
