"""The loop of one replication: the next event to the next, as sim.engine's Run.

Everything below is compiled once, for every scenario.
"""

from sim.kernel import aiohttp, asyncpg
from sim.kernel.agenda import (
    ACQUIRES,
    ANSWERED,
    ASKS,
    CLEANUP,
    CONNECTED,
    ENDS,
    EXCHANGED,
    EXPIRE_DUE,
    IDLE_TIMER,
    LOOKS,
    REPAIR,
    RING,
    SENDS,
    USE_ENDS,
    WOKEN_NOW,
    arrival_is_first,
    pop,
    push,
    take_id,
    what_of,
    whom_of,
)
from sim.kernel.compiled import compiled, entry, inlined
from sim.kernel.limits import look, start_looking
from sim.kernel.logic import (
    acquire,
    exchanged,
    expired,
    open_failed,
    opened,
    release,
    start,
    woken,
)
from sim.kernel.state import NAN, NEVER, NEW, NONE, UNFINISHED, UNLISTED, State
from sim.kernel.stations import CONNECTS, computed, ring, ring_again
from sim.kernel.tables import count_at, link_at, number_at, request_at, slot_at, traced_at
from sim.kernel.users import may_ask, start_users
from sim.kernel.world import (
    comes_later,
    connect_computes,
    is_refused,
    next_overdue,
    serve,
    use_is_over,
    visit_loop,
)


@entry
def play(state: State, warm: int) -> None:
    """Run to the end of the last request (Run.serve, Run.serve_users)."""
    s = state[0]
    for number in range(s.pools):
        start(s, number, warm)
    start_looking(s)
    if s.users:
        start_users(s)
    else:
        _expect_arrival(s)
        s.is_over = s.expects_more == 0
    while not s.is_over:
        if s.next_arrival_s < NEVER and arrival_is_first(s):
            _arrive(s)
        elif s.near:
            _happen(s, pop(s))
            while s.asks_now != NONE and not s.is_over:
                _ask(s)
        else:
            break


@compiled
def _expect_arrival(s: State) -> None:
    if s.asked < s.requests_max:
        s.next_arrival_s = number_at(s.asks_at, s.asked).value
        s.next_arrival_key = take_id(s)
    else:
        s.next_arrival_s = NEVER
        s.expects_more = 0


@inlined
def _arrive(s: State) -> None:
    """Put the next request to its pool (Run._feed)."""
    row = s.asked
    s.now = s.next_arrival_s
    s.asked = row + 1
    _expect_arrival(s)
    _come(s, row, count_at(s.owners_at, row).value, NONE)


@compiled
def _ask(s: State) -> None:
    """Let a user ask (_Users._ask)."""
    user = s.asks_now
    s.asks_now = NONE
    if not may_ask(s):
        return
    row = s.asked
    if row == s.requests_max:
        s.is_full = s.is_over = 1
        return
    s.asked = row + 1
    _come(s, row, user % s.pools, user)


@compiled
def _come(s: State, row: int, pool: int, user: int) -> None:
    """Begin a request (Visit, PoolWorld.ask)."""
    s.outstanding += 1
    traced = traced_at(s, row)
    traced.asked_s = s.now
    traced.granted_s = traced.released_s = traced.returned_s = NAN
    traced.outcome = UNFINISHED
    traced.connection = NONE
    request = request_at(s, row)
    request.pool = pool
    request.user = user
    request.slot = NONE
    request.stage = NEW
    request.previous = UNLISTED
    request.expires_s = NEVER
    if not comes_later(s, row):
        acquire(s, row)


@inlined
def _happen(s: State, key: int) -> None:
    """Do what is due, as the callbacks of the engine do."""
    what = what_of(key)
    whom = whom_of(key)
    if what <= WOKEN_NOW:
        _happen_to_request(s, what, whom)
    elif what >= EXCHANGED:
        _happen_to_link(s, what, whom)
    elif what == RING:
        _ring(s)
    elif what == EXPIRE_DUE:
        _expire_due(s, whom)
    elif what == ASKS:
        s.asks_now = whom
    elif what == LOOKS:
        look(s)
    else:
        _go_off(s, what, whom)


@inlined
def _happen_to_request(s: State, what: int, row: int) -> None:
    if what == USE_ENDS:
        if s.has_loop:
            push(s, ANSWERED, row, visit_loop(s, row))
        else:
            _use_ends(s, row)
    elif what == WOKEN_NOW:
        woken(s, row)
    elif what == ANSWERED:
        _use_ends(s, row)
    elif what == SENDS:
        serve(s, row)
    elif what == ACQUIRES:
        acquire(s, row)
    elif what == ENDS:
        aiohttp.end(s, row)


@compiled
def _go_off(s: State, what: int, whom: int) -> None:
    """Tell the pool that one of its timers went off (PoolWorld._timer)."""
    if what == IDLE_TIMER:
        asyncpg.idle_timer(s, whom, s.now)
    elif what == REPAIR:
        asyncpg.repair(s, whom)
    elif what == CLEANUP:
        aiohttp.clean_up(s, whom, s.now)


@compiled
def _happen_to_link(s: State, what: int, link: int) -> None:
    if what == CONNECTED:
        if not connect_computes(s, link):
            _answer(s, link)
        return
    slot = link_at(s, link).slot
    if slot_at(s, slot).link == link:
        exchanged(s, slot)


@compiled
def _answer(s: State, link: int) -> None:
    """Tell the pool what became of a connect, unless it was given up (PoolWorld.opened)."""
    slot = link_at(s, link).slot
    if slot_at(s, slot).link != link:
        return
    if is_refused(s, link):
        open_failed(s, slot)
    else:
        opened(s, slot)


@compiled
def _ring(s: State) -> None:
    """Let who has computed enough go on (Cores._ring)."""
    now = s.now
    if now != s.due_s:
        return
    job = ring(s, now)
    if job != NONE:
        if job & CONNECTS:
            _answer(s, job ^ CONNECTS)
        else:
            computed(s, job, now)
    ring_again(s, now)


@compiled
def _use_ends(s: State, row: int) -> None:
    """Release; a waiter woken by that may run on (PoolWorld._use_ends)."""
    use_is_over(s, row)
    s.may_run_on = s.near > 0 or s.next_arrival_s < NEVER
    release(s, row)
    if s.asks_now != NONE:
        _ask(s)
    s.may_run_on = 0
    runs_on = s.runs_on
    s.runs_on = NONE
    if runs_on != NONE and not s.is_over:
        woken(s, runs_on)


@compiled
def _expire_due(s: State, number: int) -> None:
    row = next_overdue(s, number)
    while row != NONE and not s.is_over:
        expired(s, row)
        row = next_overdue(s, number)
