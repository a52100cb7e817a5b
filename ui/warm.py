"""What the first visitor would wait for, done before there is one."""

import gc

from pools.codegen import generate, targets
from pools.review import read
from sim.kernel.ready import prepare
from sim.run import run
from sim.scenario import Scenario
from sim.verdict import verdict
from ui import charts
from ui.panels import advice, library, live, results
from ui.plot.script import plotly_script

FIRST_PAGE_S = 10.0
LOADED = (advice, library, live, results)


def warm_up() -> None:
    """Import everything, run each part once, and keep what is there out of later collections.

    The kernel is compiled when the first page, opened at once, is likely to stand: even at low
    priority a compiler makes it a fifth slower.
    """
    prepare(FIRST_PAGE_S)
    scenario = Scenario(duration_s=2.5, replications=2)
    result = run(scenario)
    verdict(scenario, result)
    charts.over_time(scenario, result)
    charts.waits(result)
    generate(scenario, targets(scenario.pool.name)[0].name)
    read("import asyncpg\npool = asyncpg.create_pool()\n")
    plotly_script()
    gc.collect()
    gc.freeze()
