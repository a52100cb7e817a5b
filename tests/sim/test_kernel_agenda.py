"""The compiled agenda brings what is due in the order of heapq: by time, then by pushing."""

from heapq import heappop, heappush

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.kernel.agenda import NEAR_MAX, pop, push, push_last, whom_of
from sim.kernel.compiled import entry
from sim.kernel.state import EVENT, RUN, State

ROWS = 200
POP, PUSH, PUSH_LAST = range(3)
Steps = list[tuple[int, float]]
# Few times, so that many events are due at one; far more pushes than pops, so that many wait.
STEPS = st.lists(
    st.tuples(st.sampled_from((POP, PUSH, PUSH, PUSH, PUSH_LAST)), st.integers(0, 8).map(float)),
    min_size=3 * NEAR_MAX,
    max_size=ROWS,
)


@entry
def follow(
    state: State, steps: NDArray[np.int64], pauses_s: NDArray[np.float64], came: NDArray[np.int64]
) -> None:
    """Push and pop as told, then pop the rest; note who came."""
    s = state[0]
    count = 0
    for number in range(len(steps)):
        if steps[number] == PUSH:
            push(s, 0, number, s.now + pauses_s[number])
        elif steps[number] == PUSH_LAST:
            push_last(s, 0, number, s.now + pauses_s[number])
        elif s.near:
            came[count] = whom_of(pop(s))
            count += 1
    while s.near:
        came[count] = whom_of(pop(s))
        count += 1


def came_compiled(steps: Steps, rows: int = ROWS) -> tuple[list[int], bool]:
    """Return who came in which order, and whether the heap was too small."""
    near, far = np.zeros(NEAR_MAX, EVENT), np.zeros(rows, EVENT)
    state = np.zeros(1, RUN)
    state["near_at"], state["far_at"] = near.ctypes.data, far.ctypes.data
    state["far_max"], state["next_arrival_s"] = rows, np.inf
    came = np.full(len(steps), -1)
    whats, pauses_s = zip(*steps, strict=True)
    follow(state, np.asarray(whats), np.asarray(pauses_s), came)
    return came[came >= 0].tolist(), bool(state[0]["is_full"])


def came_from_heapq(steps: Steps) -> list[int]:
    """Return the same from Python's heap; of equal times, those pushed last come last."""
    heap: list[tuple[float, int, int]] = []
    came, now = [], 0.0
    for number, (what, pause_s) in enumerate(steps):
        if what != POP:
            heappush(heap, (now + pause_s, what, number))
        elif heap:
            now, _, first = heappop(heap)
            came.append(first)
    return came + [heappop(heap)[2] for _ in range(len(heap))]


@given(STEPS)
def test_events_come_by_time_and_then_by_pushing(steps: Steps) -> None:
    assert came_compiled(steps) == (came_from_heapq(steps), False)


def test_more_events_than_there_is_room_for_are_noted() -> None:
    assert came_compiled([(PUSH, 1.0)] * (NEAR_MAX + 4), rows=3)[1]
    assert not came_compiled([(PUSH, 1.0)] * (NEAR_MAX + 3), rows=3)[1]
