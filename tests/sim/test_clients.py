"""What clients do around their requests: several checkouts, giving up, asking again, leaking."""

import dataclasses
import math
from collections import Counter
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.trace import Calls, Cause, Outcome, Trace
from sim.classes import deadlock_free_capacity, read_classes
from sim.client import BUDGET_SAVED_MAX
from sim.engine import simulate
from sim.plans import Plan, plans
from sim.query import parse
from sim.run import run
from sim.verdict import verdict
from sim.workload import Streams, draw
from tests.sim.small import ends_in_time, simulate_small, small_scenarios
from tests.sim.traces import to_the_last_bit

EVERY_KIND = pytest.mark.parametrize("kind", sorted(KINDS))
ONCE = "duration_s=4&warm_up_s=0&replications=1"
# Kinds whose requests may wait for ever, with a capacity.
ENDLESS = {
    "asyncpg": "max_size={c}&min_size=0",
    "aiohttp": "limit={c}&connect_timeout=0",
}


def calls_of(trace: Trace) -> Calls:
    assert trace.calls is not None
    return trace.calls


def fates(trace: Trace) -> Counter[int]:
    return Counter(calls_of(trace).outcome)


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=20)
def test_one_class_of_one_checkout_is_what_no_classes_are(kind: str, data: st.DataObject) -> None:
    """To the last bit: the callers of two worlds, the same pools."""
    plain = data.draw(small_scenarios(kind, is_plain=True))
    assume(plain.workload.is_hold_by_mean)
    hold_ms = f"{plain.workload.hold_s_mean * 1000.0:.12g}"
    classed = dataclasses.replace(
        plain, workload=dataclasses.replace(plain.workload, classes=f"1:{hold_ms}")
    )
    one = simulate_small(plain)
    assume(ends_in_time(one))
    other = simulate_small(classed)
    assert to_the_last_bit(dataclasses.replace(other, calls=None)) == to_the_last_bit(one)


def test_a_plan_does_not_depend_on_the_pool_or_on_other_habits() -> None:
    """Common random numbers: the same requests cancel, leak and pause alike."""
    habits = "rate=300&classes=2:20,1:2x10&cancel_share=0.2&leak_share=0.1&retries=3"
    queries = [
        f"pool_size=5&{habits}",
        f"kind=asyncpg&max_size=3&min_size=1&{habits}",
        f"kind=aiohttp&limit=7&{habits}&client_timeout_ms=50&retry_budget=0.1",
    ]
    first, *others = (drawn(query) for query in queries)
    for other in others:
        for one, same in zip(first, other, strict=True):
            assert (one.hold_s, one.leaks, one.cancel_s) == (same.hold_s, same.leaks, same.cancel_s)
            assert (one.jitter == same.jitter).all()
    for one, same in zip(first, drawn("rate=300&classes=2:20,1:2x10"), strict=True):
        assert one.hold_s == same.hold_s


def drawn(query: str) -> list[Plan]:
    scenario = parse(query)
    streams = Streams(scenario.seed, 0)
    return list(plans(scenario, streams, draw(scenario).hold_s))


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize(("users", "checkouts"), [(2, 2), (7, 2), (4, 3), (3, 5)])
def test_nested_checkouts_deadlock_one_below_the_bound_and_not_at_it(
    kind: str, users: int, checkouts: int
) -> None:
    """All come at once and hold equally long: one below the bound, each has all but one."""
    load = (
        f"pattern=spike&rate=0&spike_requests={users}&spike_at_s=1&hold_cv=0"
        f"&classes=1:{checkouts}n20&{ONCE}"
    )
    bound = deadlock_free_capacity(read_classes(f"1:{checkouts}n20"), users)
    assert bound == users * (checkouts - 1) + 1
    below = simulate(parse(f"kind={kind}&{ENDLESS[kind].format(c=bound - 1)}&{load}"))
    assert fates(below) == {Outcome.UNFINISHED: users}
    assert below.truncated == (
        f"{users} requests could never be served:"
        " each holds a connection while it waits for another"
    )
    enough = simulate(parse(f"kind={kind}&{ENDLESS[kind].format(c=bound)}&{load}"))
    assert fates(enough) == {Outcome.OK: users}
    assert not enough.truncated


@given(
    kind=st.sampled_from(sorted(ENDLESS)),
    users=st.integers(1, 6),
    checkouts=st.integers(1, 4),
    cv=st.sampled_from([0, 1, 2]),
    think_ms=st.sampled_from([0, 5]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
def test_with_as_many_connections_as_the_bound_nobody_ever_deadlocks(
    kind: str, users: int, checkouts: int, cv: float, think_ms: int, seed: int
) -> None:
    bound = users * (checkouts - 1) + 1
    scenario = parse(
        f"kind={kind}&{ENDLESS[kind].format(c=bound)}&users={users}&think_ms={think_ms}"
        f"&classes=1:{checkouts}n5,2:3&hold_cv={cv}&seed={seed}"
        "&duration_s=0.5&warm_up_s=0&replications=1"
    )
    trace = simulate(scenario)
    assert not trace.truncated
    assert set(trace.outcome) <= {Outcome.OK}


def test_a_deadlock_is_said_with_the_answer() -> None:
    result = run(parse(f"kind=asyncpg&max_size=5&min_size=5&rate=500&classes=1:2n20&{ONCE}"))
    (note,) = [note for note in result.notes if note.startswith("Cut short")]
    assert "5 of them hold a connection while they wait for another" in note


def test_a_pool_with_a_timeout_gets_out_of_a_deadlock_by_failing() -> None:
    trace = simulate(
        parse(f"pool_size=5&max_overflow=0&pool_timeout=0.5&rate=500&classes=1:2n20&{ONCE}")
    )
    assert not trace.truncated
    assert fates(trace)[Outcome.ACQUIRE_TIMEOUT] > 0


@pytest.mark.parametrize("classes", ["1:20+30", "3:10,1:2x30", "1:3n10,1:5", "1:2n5+10"])
def test_connections_in_use_are_the_offered_load_of_the_classes(classes: str) -> None:
    """Nobody waits in so large a pool, so by Little's law in use is the offered load.

    100 s at 200 requests/s: the mean of 20 000 holds scatters by less than 1 %.
    """
    scenario = parse(
        f"kind=asyncpg&max_size=200&min_size=200&max_connections=300&rate=200&rtt_ms=0&duration_s=20"
        f"&warm_up_s=2&replications=5&cpu_fraction=0&classes={classes.replace('+', '%2B')}"
    )
    result = run(scenario)
    assert result.in_use_mean.value == pytest.approx(scenario.offered_load, rel=0.04)


def test_awaiting_something_else_keeps_the_connection_but_not_the_cores() -> None:
    """One core at 80 %: 40 ms of awaiting would be 8 times its capacity, were it computed."""
    query = f"kind=asyncpg&max_size=100&rate=160&hold_ms=5&cores=1&cpu_fraction=1&{ONCE}"
    brief, long = (simulate(parse(f"{query}{extra}")) for extra in ("", "&await_ms=40"))
    assert len(brief.asked_s) == len(long.asked_s)
    held = [
        float(np.mean(np.asarray(trace.released_s) - np.asarray(trace.granted_s)))
        for trace in (brief, long)
    ]
    assert held[1] - held[0] == pytest.approx(0.040, rel=0.15)


@EVERY_KIND
def test_no_client_waits_longer_than_its_timeout(kind: str) -> None:
    trace = simulate(parse(f"kind={kind}&rate=800&client_timeout_ms=100&max_connections=60&{ONCE}"))
    calls = calls_of(trace)
    waits = np.asarray(calls.ended_s) - np.asarray(calls.asked_s)
    gave_up = np.asarray(calls.outcome) == Outcome.CLIENT_TIMEOUT
    assert gave_up.any() or kind == "sqlalchemy-null"
    assert waits.max() <= 0.1 + 1e-9
    assert waits[gave_up] == pytest.approx(0.1)


@EVERY_KIND
@pytest.mark.parametrize("abandoned", ["cancelled", "carried_on"])
def test_retries_are_at_most_as_many_as_allowed_and_pause_as_long_as_said(
    kind: str, abandoned: str
) -> None:
    scenario = parse(
        f"kind={kind}&rate=400&client_timeout_ms=60&retries=2&retry_backoff_ms=50&cores=1"
        f"&retry_jitter=false&abandoned={abandoned}&max_connections=10000&{ONCE}"
    )
    calls = calls_of(simulate(scenario))
    attempts = np.asarray(calls.attempts)
    assert attempts.max() == 3
    lasted = np.asarray(calls.ended_s) - np.asarray(calls.asked_s)
    failed = np.asarray(calls.outcome) == Outcome.CLIENT_TIMEOUT
    # Three attempts of 60 ms, and pauses of 50 and 100 ms between them.
    assert lasted[failed & (attempts == 3)] == pytest.approx(0.33)


def test_full_jitter_pauses_evenly_up_to_the_backoff() -> None:
    query = f"rate=600&pool_size=1&max_overflow=0&client_timeout_ms=20&retries=1&{ONCE}"
    calls = calls_of(simulate(parse(f"{query}&retry_backoff_ms=1000")))
    failed = np.asarray(calls.attempts) == 2
    failed &= np.asarray(calls.outcome) == Outcome.CLIENT_TIMEOUT
    pauses = (np.asarray(calls.ended_s) - np.asarray(calls.asked_s))[failed] - 0.04
    assert 0.0 <= pauses.min() < 0.05
    assert 0.95 < pauses.max() <= 1.0
    assert pauses.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("budget", [0.05, 0.2])
def test_a_retry_budget_bounds_the_retries_of_all_clients_together(budget: float) -> None:
    query = f"rate=800&client_timeout_ms=50&retries=5&retry_backoff_ms=10&{ONCE}"
    calls = calls_of(simulate(parse(f"{query}&retry_budget={budget}")))
    retried = sum(calls.attempts) - len(calls.attempts)
    assert 0 < retried <= BUDGET_SAVED_MAX + budget * len(calls.attempts)
    unbounded = calls_of(simulate(parse(query)))
    assert sum(unbounded.attempts) > 2 * sum(calls.attempts)


def test_a_cancelled_query_costs_sqlalchemy_its_connection_and_asyncpg_nothing() -> None:
    """Source: the libraries themselves, tests/conformance; here their logic is only asked."""
    load = f"rate=100&hold_ms=50&hold_cv=0&cpu_fraction=0&cancel_share=1&cancel_after_ms=25&{ONCE}"
    engine, pool = (simulate(parse(f"kind={kind}&{load}")) for kind in ("sqlalchemy", "asyncpg"))
    assert Counter(engine.cause)[Cause.ABORTED] > 100
    assert Counter(pool.cause)[Cause.ABORTED] == 0
    for trace in (engine, pool):
        assert fates(trace)[Outcome.CANCELLED] > 100
        returned = np.asarray(trace.returned_s)[~np.isnan(np.asarray(trace.granted_s))]
        assert not np.isnan(returned).any()


def test_work_for_a_client_that_has_gone_keeps_connections_busy_if_it_is_carried_on() -> None:
    query = f"kind=asyncpg&rate=600&hold_ms=40&cpu_fraction=0&client_timeout_ms=45&{ONCE}"
    dropped, carried = (
        simulate(parse(f"{query}&abandoned={how}")) for how in ("cancelled", "carried_on")
    )
    assert fates(dropped)[Outcome.OK] > 5 * fates(carried)[Outcome.OK]
    assert Counter(carried.outcome)[Outcome.OK] > 5 * fates(carried)[Outcome.OK]


@EVERY_KIND
def test_connections_that_leak_stay_lent_for_ever(kind: str) -> None:
    trace = simulate(parse(f"kind={kind}&rate=50&leak_share=0.02&max_connections=1000&{ONCE}"))
    granted, returned = np.asarray(trace.granted_s), np.asarray(trace.returned_s)
    lent = ~np.isnan(granted) & np.isnan(returned)
    assert lent.any()
    links = np.asarray(trace.connection)[lent]
    assert np.isnan(np.asarray(trace.closed_s)[links]).all()
    assert len(set(links.tolist())) == len(links)


def test_a_pool_whose_connections_have_all_leaked_serves_nobody_and_says_so() -> None:
    trace = simulate(parse(f"kind=asyncpg&max_size=5&min_size=5&leak_share=0.1&rate=100&{ONCE}"))
    assert "5 connections were never returned" in trace.truncated


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=30)
def test_every_call_ends_once_and_in_time(kind: str, data: st.DataObject) -> None:
    trace = simulate_small(data.draw(small_scenarios(kind, is_plain=False)))
    calls = calls_of(trace)
    assert len(trace.asked_s) >= len(calls.asked_s)
    for asked, ended, outcome, attempts in zip(
        calls.asked_s, calls.ended_s, calls.outcome, calls.attempts, strict=True
    ):
        assert attempts >= 1
        if outcome == Outcome.UNFINISHED:
            assert math.isnan(ended)
            assert trace.truncated
        else:
            assert ended >= asked
    assert list(trace.asked_s) == sorted(trace.asked_s)


def test_users_of_a_closed_loop_ask_again_when_their_client_has_given_up() -> None:
    calls = calls_of(
        simulate(parse(f"pattern=looping&users=40&client_timeout_ms=30&hold_ms=50&{ONCE}"))
    )
    waits = np.asarray(calls.ended_s) - np.asarray(calls.asked_s)
    assert waits.max() <= 0.03 + 1e-9
    in_progress = sum(
        asked <= 2.0 < ended for asked, ended in zip(calls.asked_s, calls.ended_s, strict=True)
    )
    assert in_progress == 40


@pytest.mark.parametrize(
    "text", ["", "1:20", "70:20,25:2x50,5:2n30+20000", "1:0.1,1:10x60000", "3:5 7"]
)
def test_shares_of_classes_add_up_to_one(text: str) -> None:
    classes = read_classes(text)
    assert math.fsum(one.share for one in classes) == pytest.approx(1.0 if text else 0.0)


@pytest.mark.parametrize(
    "text",
    ["1", "1:", "1:0", ":20", "0:20", "1:11x20", "1:0x20", "1:20+", "1:2y20", "1:20;1:20",
     ",".join(["1:20"] * 6), "1:70000", "-1:20", "1:20+9999999", "٣:20"],
)  # fmt: skip
def test_what_is_no_class_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_classes(text)


def test_clients_that_pile_up_without_end_are_cut_short_and_that_is_said() -> None:
    scenario = parse(f"kind=asyncpg&rate=1000&await_ms=1000&{ONCE}")
    with mock.patch("sim.engine.IN_PROGRESS_MAX", 500):
        trace = simulate(scenario)
    assert trace.truncated.startswith("stopped asking at ")
    assert trace.truncated.endswith("with 500 requests in progress")
    assert set(trace.outcome) == {Outcome.OK}


def test_the_verdict_names_a_deadlock_and_a_connection_held_while_others_are_awaited() -> None:
    nested = parse(f"kind=asyncpg&rate=150&classes=1:2n20&{ONCE}")
    said = verdict(nested, run(nested))
    assert (said.title, said.bottleneck) == ("Requests wait for ever", "deadlock")
    model = parse("rate=2&hold_ms=1&await_ms=30000&pool_timeout=5&duration_s=60&replications=1")
    assert verdict(model, run(model)).bottleneck == "hold time"


def test_what_clients_wanted_is_in_the_answer() -> None:
    query = "kind=asyncpg&max_size=5&min_size=5&rate=225&hold_ms=20&acquire_timeout=0.03&retries=3"
    scenario = parse(f"{query}&replications=2&duration_s=6&warm_up_s=0")
    result = run(scenario)
    seen = result.calls
    assert seen is not None
    traces = [simulate(scenario, number) for number in range(2)]
    outcomes = [one for trace in traces if trace.calls is not None for one in trace.calls.outcome]
    asked = sum(len(trace.asked_s) for trace in traces)
    assert seen.calls == len(outcomes)
    assert seen.calls < asked
    assert seen.failed_ratio.value == pytest.approx(np.mean(np.asarray(outcomes) != 0), rel=0.05)
    assert seen.attempts_mean.value == pytest.approx(asked / seen.calls, rel=0.01)
    shown = result.as_json()["calls"]
    assert shown["calls"] == seen.calls
    assert shown["latency_s"]["mean"] > result.as_json()["latency_s"]["mean"]


def test_who_asks_once_for_one_checkout_has_no_calls_beside_requests() -> None:
    assert run(parse("rate=50&replications=2")).as_json()["calls"] is None
