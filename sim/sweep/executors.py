"""Where cells are simulated: processes of this machine, or a Dask cluster.

Anything with the `submit` of concurrent.futures serves. POOLWISE_DASK holds the address of a
Dask scheduler (`tcp://host:8786`), whose workers have this code; without it, as many processes
as there are cores, at low priority, so that a page stays quick beside them.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from sim.sweep.processes import Processes

ADDRESS = "POOLWISE_DASK"


class NoCluster(RuntimeError):
    """The Dask cluster that was asked for cannot be used; the text says what to do."""


@contextmanager
def chosen_executor(workers: int | None = None) -> Iterator[Executor]:
    """Yield Dask's executor if POOLWISE_DASK names a scheduler, else processes of this machine.

    Raises NoCluster if there is an address but no such cluster.
    """
    address = os.environ.get(ADDRESS, "").strip()
    if address:
        with dask_executor(address) as executor:
            yield executor
        return
    processes = Processes(workers)
    try:
        yield processes
    finally:
        processes.shutdown(cancel_futures=True)


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Yield an executor of the Dask cluster at that address."""
    try:
        from distributed import Client  # noqa: PLC0415  optional
    except ModuleNotFoundError as missing:
        raise NoCluster(f"{ADDRESS} needs Dask: pip install distributed") from missing
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as unreachable:
        raise NoCluster(f"No Dask scheduler answers at the address in {ADDRESS}.") from unreachable
    with client:
        yield client.get_executor(pure=False)
