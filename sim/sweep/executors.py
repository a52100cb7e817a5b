"""Where cells are simulated: processes of this machine, or a Dask cluster.

Anything with the `submit` of concurrent.futures serves. POOLWISE_DASK holds the address of a
Dask scheduler (`tcp://host:8786`), whose workers have this code; without it, as many processes
as there are cores, at low priority, so that a page stays quick beside them.
"""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

ADDRESS = "POOLWISE_DASK"
NICENESS = 10


class NoCluster(RuntimeError):
    """The Dask cluster that was asked for cannot be used; the text says what to do."""


def local_processes(count: int | None = None) -> ProcessPoolExecutor:
    """Return processes of this machine, one for each core unless told otherwise."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count or os.cpu_count() or 1, context, initializer=_step_back)


def _step_back() -> None:
    os.nice(NICENESS)


@contextmanager
def chosen_executor(workers: int | None = None) -> Iterator[Executor]:
    """Yield Dask's executor if POOLWISE_DASK names a scheduler, else local processes.

    Raises NoCluster if there is an address but no such cluster.
    """
    address = os.environ.get(ADDRESS, "").strip()
    if address:
        with dask_executor(address) as executor:
            yield executor
    else:
        with local_processes(workers) as executor:
            yield executor


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
