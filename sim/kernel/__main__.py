"""`python -m sim.kernel`: compile the kernel, so that nobody waits for it later."""

import sys
import time

from sim.kernel.demand import draw_demand
from sim.kernel.keep import mark_compiled, told
from sim.kernel.simulate import summed_up
from sim.query import parse


def main() -> int:
    """Compile, or load what is compiled already, and say which."""
    began_s = time.perf_counter()
    scenario = parse("duration_s=1&warm_up_s=0&rate=10&replications=1")
    summed_up(scenario, 0, draw_demand(scenario, 0))
    mark_compiled()
    print(f"The kernel is ready after {time.perf_counter() - began_s:.1f} s; {told()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
