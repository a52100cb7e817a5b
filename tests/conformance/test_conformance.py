"""Simulation and library go the same way: fresh random workloads, golden ones, planted errors.

The number of fresh workloads is `WORKLOADS` of each kind in CI and fewer elsewhere; the
nightly run is `python -m tests.conformance --count 20000`. Golden workloads need no library.
"""

import os

import pytest

from tests.conformance import golden
from tests.conformance.compare import differences
from tests.conformance.mutants import Mutant
from tests.conformance.suite import FAMILIES, check, draw, fresh_seed, play_many

IN_CI = bool(os.environ.get("CI"))
WORKLOADS = 1000 if IN_CI else 60
LOOPS = 200 if IN_CI else 30
SEED = fresh_seed()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", FAMILIES)
def test_simulation_and_library_decide_alike(family: str) -> None:
    """Fresh seeds each time; a workload that fails is printed with the command to replay it."""
    count = LOOPS if family.endswith("loops") else WORKLOADS
    played = play_many(family, range(SEED, SEED + count))
    unlike = [str(one) for one in played if one.differences]
    assert not unlike, f"{len(unlike)} of {count} differ:\n" + "\n".join(unlike[:3])


@pytest.mark.parametrize("family", FAMILIES)
def test_simulation_decides_as_the_golden_traces_say(family: str) -> None:
    kept = golden.load(family)
    assert len(kept) >= golden.MORE
    unlike = {one.seed: found for one in kept if (found := check(one.script, one.real))}
    assert unlike == {}


@pytest.mark.parametrize("mutant", golden.MUTANTS, ids=lambda one: f"{one.family}: {one.name}")
def test_a_planted_error_is_exposed(mutant: Mutant) -> None:
    """By the golden workloads, at least twice."""
    kept = golden.load(mutant.family)
    with mutant.planted():
        exposing = [one.seed for one in kept if check(one.script, one.real)]
    assert len(exposing) >= golden.EXPOSED


@pytest.mark.parametrize("kind", sorted({family.partition("-")[0] for family in FAMILIES}))
def test_a_kind_has_twenty_planted_errors(kind: str) -> None:
    assert sum(one.family.startswith(kind) for one in golden.MUTANTS) >= 20


@pytest.mark.parametrize("family", FAMILIES)
def test_a_workload_is_the_same_whenever_it_is_drawn(family: str) -> None:
    assert draw(family, 7) == draw(family, 7)
    assert draw(family, 7) != draw(family, 8)


def test_a_trace_differs_from_another_in_what_it_says() -> None:
    one = golden.load("asyncpg")[0].real
    other = golden.load("asyncpg")[1].real
    assert differences(one, one) == []
    assert differences(one, other) != []
