"""`python -m tests.sim.kernels --count 5000`: the kernel against the SimPy engine, bit for bit.

Draws random scenarios of each kind that the kernel plays, simulates the first replication of
each with both, and compares every column of the two traces: all waits, outcomes, connections.
`--kind` picks some, `--seed` repeats a draw. Prints the address of each scenario that differs.
"""

import argparse
import secrets
import sys
from dataclasses import replace
from unittest import mock

from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.setting import InvalidSettings
from sim.kernel.coverage import kinds_covered, uncovered
from sim.kernel.simulate import simulate_arrays
from sim.query import to_query
from sim.scenario import PARTS, Scenario
from tests.sim.small import REQUESTS_MAX, simulate_small, small_scenarios
from tests.sim.traces import to_the_last_bit


def covered_scenarios(kind: str) -> st.SearchStrategy[Scenario]:
    """Draw a small scenario that the kernel plays."""
    return small_scenarios(kind).map(_plain).filter(lambda scenario: not uncovered(scenario))


def _plain(scenario: Scenario) -> Scenario:
    """Leave out the parts that the kernel knows nothing of."""
    known = ("workload", "server", "fleet", "worker")
    others = {name: part() for name, part in PARTS.items() if name not in known}
    try:
        return replace(scenario, **others)
    except InvalidSettings:
        return reject()


def differing(scenario: Scenario) -> tuple[int, list[str]]:
    """Return how many requests there were, and the columns in which kernel and engine differ."""
    most = REQUESTS_MAX * scenario.replications
    with (
        mock.patch("sim.kernel.setup.REQUESTS_MAX", most),
        mock.patch("sim.kernel.demand.REQUESTS_MAX", most),
    ):
        ours = simulate_arrays(scenario)
    theirs = simulate_small(scenario)
    first, second = to_the_last_bit(ours), to_the_last_bit(theirs)
    return len(theirs.asked_s), [name for name in first if first[name] != second[name]]


def compare(kind: str, count: int, start: int) -> tuple[int, int, int]:
    """Compare that many scenarios. Return how many were played, requests in them, and differ."""
    played = requests = differ = 0

    @seed(start)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(scenario=covered_scenarios(kind))
    def each(scenario: Scenario) -> None:
        nonlocal played, requests, differ
        played += 1
        count, columns = differing(scenario)
        requests += count
        if columns:
            differ += 1
            print(f"{', '.join(columns)}: {to_query(scenario)}", flush=True)

    each()
    return played, requests, differ


def main() -> int:
    """Return 0 if all scenarios agree, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.kernels", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="scenarios of each kind")
    parser.add_argument("--kind", choices=[one for one in KINDS if one in kinds_covered()])
    parser.add_argument("--seed", type=int, help="of the draw; fresh if not given")
    given_ = parser.parse_args()
    start = secrets.randbelow(2**31) if given_.seed is None else given_.seed
    wrong = 0
    for kind in [given_.kind] if given_.kind else kinds_covered():
        played, requests, differ = compare(kind, given_.count, start)
        same = played - differ
        print(
            f"{kind}: {same} of {played} scenarios identical, {requests} requests, seed {start}",
            flush=True,
        )
        wrong += differ
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
