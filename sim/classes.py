"""Classes of requests: what part of them takes which connections for how long.

One text names up to five: `70:20,25:2x50,5:2n30+20000`. Of these requests 70 % take one
connection for 20 ms; 25 % take two, one after the other, for 50 ms each; 5 % take two nested
(the second is asked for while the first is held) for 30 ms each, and keep each for another
20 s while the application awaits something else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pools.setting import Form

CLASSES_MAX = 5
CHECKOUTS_MAX = 10
HOLD_S_MIN, HOLD_S_MAX = 1e-4, 60.0
_MS = 1e-3
_NUMBER = r"\d{1,6}(?:\.\d{1,9})?"
_ONE = re.compile(
    rf"(?P<share>{_NUMBER}):(?:(?P<checkouts>\d{{1,2}})(?P<how>[xn]))?(?P<hold>{_NUMBER})"
    rf"(?:[+ ](?P<awaits>{_NUMBER}))?",  # an address may say a blank where a plus was typed
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class RequestClass:
    """Requests of one kind: `share` of all (0 to 1), and what each takes.

    A request takes `checkouts` connections, nested or one after the other; each for `hold_s`
    of work and `await_s` more, in which the application awaits something else.
    """

    share: float
    checkouts: int
    nested: bool
    hold_s: float
    await_s: float

    @property
    def held_s(self) -> float:
        """Time of connections that one request takes, added up over its checkouts.

        Of n nested ones the outermost is kept n times as long as the innermost.
        """
        times = (self.checkouts + 1) / 2 if self.nested else 1.0
        return self.checkouts * times * (self.hold_s + self.await_s)

    @property
    def await_ratio(self) -> float:
        """Part of the time kept in which the application awaits something else."""
        return self.await_s / (self.hold_s + self.await_s)

    @property
    def lasts_s(self) -> float:
        """Time that one request takes if it never waits."""
        return self.checkouts * (self.hold_s + self.await_s)


@lru_cache(maxsize=256)
def read_classes(text: str) -> tuple[RequestClass, ...]:
    """Read classes, shares normalised. Raises ValueError for any other text.

    >>> [one.checkouts for one in read_classes("3:20,1:2x50")]
    [1, 2]
    """
    if not text:
        return ()
    found = [_ONE.fullmatch(part.strip()) for part in text.split(",")]
    if len(found) > CLASSES_MAX:
        raise ValueError(text)
    made = [_read(match) for match in found if match]
    total = sum(one.share for one in made)
    if len(made) < len(found) or total <= 0.0 or not all(map(_is_in_bounds, made)):
        raise ValueError(text)
    return tuple(
        RequestClass(one.share / total, one.checkouts, one.nested, one.hold_s, one.await_s)
        for one in made
    )


def deadlock_free_capacity(classes: Sequence[RequestClass], concurrent: int) -> int:
    """Return how many connections let `concurrent` requests never wait for each other.

    Tn x (Cm - 1) + 1: each but one may hold all it needs but one.
    Source: HikariCP wiki, About Pool Sizing, "pool-locking".
    """
    most = max((one.checkouts for one in classes if one.nested), default=1)
    return concurrent * (most - 1) + 1


def _read(match: re.Match[str]) -> RequestClass:
    return RequestClass(
        share=float(match["share"]),
        checkouts=int(match["checkouts"] or 1),
        nested=match["how"] == "n",
        hold_s=float(match["hold"]) * _MS,
        await_s=float(match["awaits"] or 0.0) * _MS,
    )


def _is_in_bounds(one: RequestClass) -> bool:
    return 1 <= one.checkouts <= CHECKOUTS_MAX and HOLD_S_MIN <= one.hold_s <= HOLD_S_MAX


CLASSES_FORM = Form(
    f"up to {CLASSES_MAX} of SHARE:HOLD, SHARE:NxHOLD (N connections, one after the other) or"
    " SHARE:NnHOLD (N nested), each with +AWAIT if wanted, in ms, separated by commas",
    read_classes,
    ("", "1:2n5", "80:5,20:3x20+1.5", "70:20,25:2x50,5:2n30+200"),
)
