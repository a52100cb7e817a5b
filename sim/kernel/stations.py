"""What stands behind the pools, as in sim.stations: connection slots and processor cores."""

from sim.kernel.agenda import RING, USE_ENDS, push
from sim.kernel.compiled import compiled
from sim.kernel.heap import sift_down, sift_up
from sim.kernel.state import NEVER, NONE, State
from sim.kernel.tables import entry_at, hold_of, number_at

# Added to the number of a connection: the job is its connect.
CONNECTS = 1 << 31


@compiled
def take_slot(s: State) -> bool:
    """Take one of the server's slots if there is one (Slots.take)."""
    if s.slots_free < 1:
        return False
    s.slots_free -= 1.0
    return True


@compiled
def enter(s: State, job: int, demand_s: float, now: float) -> None:
    """Start computing for a request, or a connect, see CONNECTS (Cores.enter)."""
    if s.jobs == s.jobs_max:
        s.is_full = s.is_over = 1
        return
    _advance(s, now)
    s.jobs_ever += 1
    key = (s.jobs_ever << 32) | job
    sift_up(s.jobs_at, s.jobs, s.virtual_s + demand_s, key)
    s.jobs += 1
    if s.jobs == s.speeds:
        number_at(s.speeds_at, s.jobs).value = _speed(s)
        s.speeds += 1
    if entry_at(s.jobs_at, 0).key == key:
        _arm(s, now)


@compiled
def ring(s: State, now: float) -> int:
    """Return the job whose computing is over, or -1 (Cores._ring, up to who is told)."""
    s.due_s = NEVER
    _advance(s, now)
    return _leave(s, now)


@compiled
def ring_again(s: State, now: float) -> None:
    """Set when the next job's computing is over (Cores._ring, after who was told)."""
    if s.jobs:
        _arm(s, now)


@compiled
def _speed(s: State) -> float:
    """Return the speed of each computing job (Capacity.speed)."""
    share = min(1.0, s.cores / s.jobs)
    others = s.jobs - 1.0
    crowd = 1.0 - share
    slowed = 1.0 + s.serial * others + s.crosstalk * s.jobs * others
    return share / ((1.0 + s.contention * crowd * crowd) * slowed)


@compiled
def _advance(s: State, now: float) -> None:
    s.virtual_s += (now - s.last_s) * number_at(s.speeds_at, s.jobs).value
    s.last_s = now


@compiled
def _arm(s: State, now: float) -> None:
    left_s = entry_at(s.jobs_at, 0).at_s - s.virtual_s
    due_s = now + left_s / number_at(s.speeds_at, s.jobs).value if left_s > 0.0 else now
    if due_s < s.due_s:
        s.due_s = due_s
        push(s, RING, 0, due_s)


@compiled
def _leave(s: State, now: float) -> int:
    first = entry_at(s.jobs_at, 0)
    due = first.at_s
    early = due - s.virtual_s
    if early > 1e-12 * max(1.0, now):
        return NONE
    if early > 0.0:
        s.last_s += early / number_at(s.speeds_at, s.jobs).value
        s.virtual_s = due
    job = first.key & 0xFFFFFFFF
    s.jobs -= 1
    sift_down(s.jobs_at, s.jobs)
    return job


@compiled
def computed(s: State, row: int, now: float) -> None:
    """Go on after the server has computed (PoolWorld.computed)."""
    rest_s = (1.0 - s.cpu) * hold_of(s, row) + s.use_s
    push(s, USE_ENDS, row, now + rest_s)
