"""The users of a closed loop, as sim.engine's _Users: think, ask, wait for the answer."""

from sim.kernel.agenda import ASKS, push, push_last
from sim.kernel.compiled import compiled
from sim.kernel.state import State
from sim.kernel.tables import number_at, pool_at


@compiled
def start_users(s: State) -> None:
    """Let every user think once first (_Users.start)."""
    for user in range(s.users):
        push(s, ASKS, user, _next_think(s))


@compiled
def user_ended(s: State, user: int) -> None:
    """Let the user think, unless the day is over (_Users.ended)."""
    think_s = _next_think(s)
    at_s = s.now + think_s
    if at_s >= s.until_s or _is_full(s):
        leave(s)
    elif think_s != 0.0:
        push(s, ASKS, user, at_s)
    elif s.hops:
        push_last(s, ASKS, user, next_turn_s(s, user % s.pools))
    else:
        # Whoever was told last asks first: nothing else happens in between.
        s.asks_now = user


@compiled
def next_turn_s(s: State, number: int) -> float:
    """Return when a task of a pool that is ready now runs (next_turn_s of each world)."""
    if s.has_loop:
        return max(s.now, pool_at(s, number).loop_free_s) + s.handover_s
    return s.now + s.handover_s


@compiled
def may_ask(s: State) -> bool:
    """Let a user ask once more, or leave (_Users._ask)."""
    if s.now >= s.until_s or _is_full(s):
        leave(s)
        end_if_over(s)
        return False
    s.asks_left -= 1
    return True


@compiled
def _is_full(s: State) -> bool:
    """Whether a run has all requests it may have; note when one more was wanted (Run.is_full)."""
    if s.asks_left > 0:
        return False
    if s.stopped_asking_s != s.stopped_asking_s:
        s.stopped_asking_s = s.now
    return True


@compiled
def leave(s: State) -> None:
    """Go home (_Users._leave)."""
    s.users_left -= 1
    if s.users_left == 0:
        s.expects_more = 0


@compiled
def end_if_over(s: State) -> None:
    """End the run when nobody waits for an answer and nobody will ask (Run.is_over)."""
    if s.outstanding == 0 and s.expects_more == 0:
        s.is_over = 1


@compiled
def _next_think(s: State) -> float:
    if s.thinks == s.thinks_max:
        s.is_full = s.is_over = 1
        return 0.0
    s.thinks += 1
    return number_at(s.thinks_at, s.thinks - 1).value
