"""Ends a run that exceeds a limit, as sim.limits does; of the machine's time it takes little."""

from sim.kernel.agenda import LOOKS, push, take_id
from sim.kernel.compiled import compiled
from sim.kernel.state import NEVER, State
from sim.limits import LATER


@compiled
def start_looking(s: State) -> None:
    """Look for the first time after a while (Limits.start)."""
    push(s, LOOKS, 0, s.look_s)


@compiled
def look(s: State) -> None:
    """End the run, or look again later (Limits._look)."""
    if s.now >= s.ends_s:
        s.is_over = 1
        return
    if s.outstanding > s.in_progress_most:
        _stop_asking(s)
    if take_id(s) >> 32 > s.events_most:
        s.cut_s = s.now
        s.is_over = 1
    elif s.near or s.next_arrival_s < NEVER:
        pause_s = max(s.look_s, (s.now - s.until_s) * LATER)
        push(s, LOOKS, 0, min(s.now + pause_s, s.ends_s))


@compiled
def _stop_asking(s: State) -> None:
    """Let who is on the way come, and nobody after that (Run.stop_asking)."""
    s.asks_left = 0
    s.requests_max = s.asked + (s.next_arrival_s < NEVER)
    if s.stopped_asking_s != s.stopped_asking_s:
        s.stopped_asking_s = s.now
        s.is_crowded = 1
