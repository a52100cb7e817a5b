"""The first answer comes early and is a part of the whole one."""

from hypothesis import given

from sim.result import SimulationResult
from sim.run import answers, run
from sim.scenario import Scenario
from tests.sim.small import small_scenarios


def shown(result: SimulationResult) -> str:
    return str(result.as_json())


@given(small_scenarios())
def test_the_last_answer_is_that_of_a_run(scenario: Scenario) -> None:
    *_, last = answers(scenario)
    assert shown(last) == shown(run(scenario))


def test_the_first_answer_is_the_first_replication_alone_and_without_intervals() -> None:
    first, whole = answers(Scenario(duration_s=3.0, warm_up_s=0.5, replications=4))
    alone = run(Scenario(duration_s=3.0, warm_up_s=0.5, replications=1))
    assert (first.replications, whole.replications) == (1, 4)
    assert shown(first) == shown(alone)
    assert first.wait_s.mean.low is None
    assert whole.wait_s.mean.low is not None
    assert first.timeline == whole.timeline


def test_one_replication_is_answered_once() -> None:
    assert len(list(answers(Scenario(duration_s=1.0, warm_up_s=0.0, replications=1)))) == 1


def test_nothing_is_simulated_that_nobody_waits_for() -> None:
    asked: list[int] = []
    coming = answers(
        Scenario(duration_s=12.0, replications=200, warm_up_s=0.0), lambda: asked.append(1)
    )
    next(coming)
    early = len(asked)
    next(coming)
    assert 100 * early < len(asked) <= 200 * early
