"""Which world the pools of a scenario need: what a scenario leaves out costs nothing."""

from collections.abc import Sequence
from dataclasses import replace

from sim.client_world import ClientWorld
from sim.faults import Faults
from sim.loop_world import LaggedWorld, LoopWorld
from sim.lossy_world import LossyWorld
from sim.stations import Slots
from sim.workload import Streams
from sim.world import PoolWorld, Shared


def worlds_of(shared: Shared, replication: int, streams: Streams) -> Sequence[PoolWorld]:
    """Make the world of each pool of a run."""
    scenario = shared.scenario
    numbers = range(scenario.fleet.pools)
    if scenario.loses_connections or not scenario.is_plain:
        faults = Faults(shared, replication)
        if scenario.has_pooler:  # the server's slots are the pooler's, the clients have its own
            shared = replace(shared, slots=Slots(scenario.pooler.max_client_conn))
        lossy = LossyWorld if scenario.is_plain else ClientWorld

        def another(number: int) -> LossyWorld:
            return lossy(shared, number, streams.logic(), faults)

        faults.another = another
        faults.pools = [another(number) for number in numbers]
        return faults.pools
    worker, made = scenario.worker, PoolWorld
    if worker.loop_cpu_s:
        made = LoopWorld
    elif worker.entry_s or worker.handover_s:
        made = LaggedWorld
    return [made(shared, number, streams.logic()) for number in numbers]
