"""What Poolwise writes it reads back: the same settings, and no mistake but those chosen.

POOLWISE_EXAMPLES says how many scenarios of each kind to try.
"""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.codegen.generate import generate
from pools.codegen.target import targets
from pools.kinds import KINDS, AiohttpConnector, AsyncpgPool, Pool, SqlalchemyQueue
from pools.review import read, scenario_of
from sim.scenario import Scenario
from tests.codegen.support import examples
from tests.strategies import scenarios

COMMON_KEEP_ALIVE_S = 75.0


def chosen_mistakes(scenario: Scenario) -> set[str]:
    """Return the rules that a scenario's own settings break; code cannot mend them."""
    pool = scenario.pool
    found = set()
    if isinstance(pool, SqlalchemyQueue) and not pool.pool_pre_ping and pool.pool_recycle == -1:
        found.add("no-validation")
    if isinstance(pool, AsyncpgPool) and pool.acquire_timeout == 0:
        found.add("no-acquire-timeout")
    if isinstance(pool, AiohttpConnector) and pool.keepalive_timeout >= COMMON_KEEP_ALIVE_S:
        found.add("keepalive-too-long")
    if pool.serves == "database" and (pool.capacity is None or pool.capacity > 97):
        found.add("huge-pool")
    return found


def written(pool: Pool) -> Pool:
    """Return what code can say of a pool: aiohttp refuses a keep-alive beside force_close."""
    if isinstance(pool, AiohttpConnector) and pool.force_close:
        return dataclasses.replace(pool, keepalive_timeout=AiohttpConnector().keepalive_timeout)
    return pool


# A target for one kind may hold the other pools too, SQLAlchemy's as its library makes it.
COMPANIONS = {"no-validation"}


@pytest.mark.parametrize("kind", KINDS)
@examples(30)
@given(data=st.data())
def test_written_code_is_read_back_as_the_same_pool(kind: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(kind))
    target = data.draw(st.sampled_from([t.name for t in targets(kind)]))
    code = generate(scenario, target)
    reading = read(code.text, code.filename)
    assert reading.problem == ""
    if kind not in {pool.kind for pool in reading.pools}:
        return  # this target leaves the pool to another file
    [*_, own] = [pool for pool in reading.pools if pool.kind == kind]
    assert own.asked == ()
    assert scenario_of(reading, scenario, kind).pool == written(scenario.pool)
    found = {finding.rule for finding in reading.findings}
    assert found <= chosen_mistakes(scenario) | COMPANIONS
