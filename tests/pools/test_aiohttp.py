"""aiohttp's TCPConnector, decision by decision."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.kinds import AiohttpConnector
from pools.protocol import Stage
from pools.trace import Cause, Outcome
from tests.pools.rig import Rig, Story
from tests.pools.schedules import Schedule, schedules, small_pools

CONNECT_S = 0.05


def rig_of(warm: int = 0, connect_s: float = CONNECT_S, seed: int = 1, **settings: object) -> Rig:
    rig = Rig(AiohttpConnector(**settings), connect_s=connect_s, seed=seed)  # type: ignore[arg-type]
    rig.start(warm)
    return rig


# ---- limits --------------------------------------------------------------------------------------


@given(pool=small_pools("aiohttp"), schedule=schedules())
def test_no_host_has_more_than_limit_per_host(pool: AiohttpConnector, schedule: Schedule) -> None:
    def within(rig: Rig) -> None:
        taken = Counter(
            story.request.host
            for story in rig.stories.values()
            if story.request.stage in (Stage.OPENING, Stage.HOLDING)
        )
        assert not pool.limit_per_host or max(taken.values(), default=0) <= pool.limit_per_host

    schedule.drive(pool, within)


@pytest.mark.parametrize("limits", [{"limit": 2}, {"limit_per_host": 2}])
def test_no_more_are_warm_than_the_connector_could_have_opened(limits: dict[str, int]) -> None:
    assert rig_of(warm=5, **limits).idle == 2


def test_a_waiter_for_a_full_host_does_not_hold_up_another_host() -> None:
    rig = rig_of(limit=10, limit_per_host=1)
    rig.ask(0.0, 1.0, host=0)
    waits = rig.ask(0.1, 0.1, host=0)
    goes = rig.ask(0.2, 0.1, host=1)
    rig.run()
    assert waits.wait_s == pytest.approx(0.9 + CONNECT_S)
    assert goes.wait_s == pytest.approx(CONNECT_S)


def test_an_idle_connection_is_lent_without_a_look_at_the_limit() -> None:
    """With limit=1 and two hosts two connections are in use at once (connector.py, 634)."""
    rig = rig_of(limit=1)
    rig.ask(0.0, 0.1, host=0)
    other = rig.ask(0.5, 5.0, host=1)
    beyond = rig.ask(1.0, 0.1, host=0)
    rig.run()
    assert other.wait_s == pytest.approx(CONNECT_S)
    assert beyond.wait_s == 0.0


def test_no_limit_means_nobody_waits() -> None:
    rig = rig_of(limit=0)
    stories = [rig.ask(0.0, 1.0) for _ in range(150)]
    rig.run()
    assert all(story.wait_s == pytest.approx(CONNECT_S) for story in stories)


def test_among_hosts_that_have_room_a_release_picks_at_random() -> None:
    """Of 200 releases, seeds 1 to 200, each of two hosts gets 70 to 130 (binomial, 4 sigma)."""
    first = Counter[int]()
    for seed in range(1, 201):
        rig = rig_of(limit=1, seed=seed)
        rig.ask(0.0, 0.1, host=2)
        waiting = [rig.ask(0.1, 0.1, host=host) for host in (0, 1)]
        rig.run()
        first[min(waiting, key=lambda story: story.wait_s).request.host] += 1
    assert 70 <= first[0] <= 130
    assert first[0] + first[1] == 200


# ---- timeouts ------------------------------------------------------------------------------------


@given(timeout_s=st.floats(0.06, 1.0), hold_s=st.floats(0.001, 1.0))
def test_connect_timeout_covers_queue_and_connect_together(timeout_s: float, hold_s: float) -> None:
    """force_close: whoever gets the place has to connect within what is left."""
    rig = rig_of(limit=1, force_close=True, connect_timeout=timeout_s)
    rig.ask(0.0, hold_s)
    second = rig.ask(0.0, 0.1)
    rig.run()
    needs_s = 2 * CONNECT_S + hold_s
    if needs_s > timeout_s + 1e-9:
        assert second.outcome is Outcome.ACQUIRE_TIMEOUT
        assert second.rejected_s == timeout_s
    elif needs_s < timeout_s - 1e-9:
        assert second.wait_s == pytest.approx(needs_s)


@pytest.mark.parametrize(("timeout", "fires_s"), [(5.0, 5.25), (5.5, 6.0), (7.0, 8.0)])
def test_a_timeout_above_five_seconds_fires_at_a_whole_second(
    timeout: float, fires_s: float
) -> None:
    """Source: aiohttp/helpers.py, ceil_timeout: above ceil_threshold, at the next whole second."""
    rig = rig_of(limit=1, connect_timeout=timeout, connect_s=0.0)
    rig.ask(0.0, 100.0)
    waiter = rig.ask(0.25, 0.1)
    rig.run()
    assert waiter.outcome is Outcome.ACQUIRE_TIMEOUT
    assert waiter.rejected_s == fires_s


def test_an_idle_connection_is_lent_at_once_whatever_the_timeout() -> None:
    rig = rig_of(warm=1, limit=1, connect_timeout=0.001, connect_s=10.0)
    story = rig.ask(1.0, 0.1)
    rig.run()
    assert story.wait_s == 0.0


# ---- wake-ups ------------------------------------------------------------------------------------


def test_a_wake_up_is_lost_if_the_woken_waiter_ends_at_that_instant() -> None:
    """The place stays free although somebody waits, until the next release wakes somebody.

    Observed in an overload with connect timeouts: 54 of 5902 wake-ups were lost.
    """
    rig = rig_of(limit=1, connect_timeout=1.0, connect_s=0.0)
    rig.ask(0.25, 1.25)
    woken_and_late = rig.ask(0.5, 0.1)
    forgotten = rig.ask(0.75, 0.1)
    rig.run()
    assert woken_and_late.rejected_s == 1.5
    assert forgotten.outcome is Outcome.ACQUIRE_TIMEOUT
    assert forgotten.rejected_s == 1.75
    assert rig.lost_wakes == 1


def test_a_newcomer_takes_the_place_of_a_woken_waiter_who_then_is_first_again() -> None:
    """It asks at the instant of the release, after it and before the waiter's turn."""
    rig = rig_of(warm=1, limit=1)
    rig.ask(0.0, 1.0)
    robbed, behind = rig.ask(0.25, 0.1), rig.ask(0.5, 0.1)
    thief: list[Story] = []
    rig.at(0.75, lambda: thief.append(rig.ask(1.0, 0.5)))
    rig.run()
    assert thief[0].granted_s == 1.0
    assert robbed.granted_s == 1.5
    assert behind.granted_s == pytest.approx(1.6)


def test_the_old_version_never_lets_a_newcomer_overtake() -> None:
    """Until 3.10.10 a newcomer queued behind whoever had just been woken."""
    waits = {}
    for version in ("3.10", "3.11"):
        rig = rig_of(warm=1, limit=1, version=version, connect_s=0.0)
        rig.ask(0.0, 1.0)
        waiter = rig.ask(0.5, 0.1)
        rig.at(0.75, lambda rig=rig: rig.ask(1.0, 3.0))  # type: ignore[misc]
        rig.run()
        waits[version] = waiter.wait_s
    assert waits == {"3.10": 0.5, "3.11": 3.5}


# ---- keep-alive ----------------------------------------------------------------------------------


@given(gap_s=st.floats(0.01, 10.0), keepalive_s=st.floats(0.1, 10.0))
def test_an_idle_connection_is_lent_again_within_keepalive_timeout(
    gap_s: float, keepalive_s: float
) -> None:
    rig = rig_of(keepalive_timeout=keepalive_s)
    first = rig.ask(0.0, 0.1)
    rig.run(until_s=0.2)
    assert first.released_s is not None
    again = rig.ask(first.released_s + gap_s, 0.1)
    rig.run()
    if abs(gap_s - keepalive_s) > 1e-9:
        assert (again.link == first.link) == (gap_s < keepalive_s)
        assert again.wait_s == pytest.approx(0.0 if gap_s < keepalive_s else CONNECT_S)


def test_an_idle_connection_is_closed_after_one_to_two_keepalive_timeouts() -> None:
    """The cleanup runs every T; it leaves what is not yet older than T. Within T..2T (+ 1 s)."""
    rig = rig_of(keepalive_timeout=10.0)
    for at_s in (0.0, 3.0, 9.0):
        rig.ask(at_s, 0.5)
    rig.run()
    released_s = 9.5
    wire = rig.wires[0]
    assert wire.cause is Cause.IDLE
    assert wire.closed_s is not None
    assert released_s + 10.0 <= wire.closed_s <= released_s + 21.0


def test_the_connection_idle_longest_is_lent_first() -> None:
    """Since 3.11: load spreads over all connections, and none ages out under light load."""
    rig = rig_of(warm=3, limit=3)
    stories = [rig.ask(float(turn), 0.1) for turn in range(6)]
    rig.run()
    assert [story.link for story in stories] == [0, 1, 2, 0, 1, 2]


def test_force_close_connects_for_every_request() -> None:
    rig = rig_of(force_close=True)
    stories = [rig.ask(float(turn), 0.1) for turn in range(4)]
    rig.run()
    assert [story.wait_s for story in stories] == pytest.approx([CONNECT_S] * 4)
    assert [wire.cause for wire in rig.wires] == [Cause.NOT_POOLED] * 4


def test_a_dead_idle_connection_is_skipped() -> None:
    rig = rig_of(warm=2, limit=2)
    rig.kill(0.5, 0)
    story = rig.ask(1.0, 0.1)
    rig.run()
    assert (story.link, story.wait_s) == (1, 0.0)


def test_an_idempotent_request_on_a_dead_connection_is_sent_again_once() -> None:
    rig = rig_of(warm=2, limit=2)
    repeated = rig.ask(0.0, 1.0, idempotent=True)
    other = rig.ask(0.0, 1.0)
    rig.kill(0.5, 0)
    rig.kill(0.6, 0)
    rig.run()
    assert (repeated.grants, repeated.outcome) == (2, Outcome.CONNECTION_LOST)
    assert (other.grants, other.outcome) == (1, Outcome.CONNECTION_LOST)


def test_a_refused_connect_frees_its_place_for_the_next_waiter() -> None:
    rig = Rig(AiohttpConnector(limit=1), connect_s=CONNECT_S, refuses=lambda number: number == 0)
    rig.start()
    refused, waiter = rig.ask(0.0, 0.1), rig.ask(0.01, 0.1)
    rig.run()
    assert refused.outcome is Outcome.CONNECT_REFUSED
    assert waiter.granted_s == pytest.approx(2 * CONNECT_S)
