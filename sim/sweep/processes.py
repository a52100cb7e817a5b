"""Processes of this machine as an executor that outlives any of them.

Each is `python -m sim.sweep.worker` at low priority, fed through its standard input, so it ends
with its owner, however that ends. `concurrent.futures.ProcessPoolExecutor` is not used: its
processes first run the main module of their owner again, which for Streamlit is the page; it
cannot be used any more once one process was killed; and its processes outlive a killed owner.
"""

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any, TypeVar

from sim.sweep.messages import receive, send

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
Work = tuple["Future[Any]", bytes]


class Processes(Executor):
    """As many processes as asked for, each started when there is work for it.

    Work whose process dies fails with BrokenExecutor; other work is not touched, and the next
    piece finds a new process.
    """

    def __init__(self, count: int | None = None) -> None:
        """Hold `count` processes, one for each core unless told otherwise."""
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._is_shut = False
        self._threads = [
            threading.Thread(target=self._serve, daemon=True, name="sweep process")
            for _ in range(count or os.cpu_count() or 1)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,  # noqa: ANN401  as the method it overrides
        **kwargs: Any,  # noqa: ANN401
    ) -> "Future[T]":
        """Have a function called in one of the processes; it and its arguments are pickled."""
        if self._is_shut:
            raise RuntimeError("these processes were shut down")
        future: Future[T] = Future()
        self._work.put((future, pickle.dumps((fn, args, kwargs))))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes once the work is done, or what was begun if `cancel_futures`."""
        self._is_shut = True
        while cancel_futures and not self._work.empty():
            item = self._work.get()
            if item is not None:
                item[0].cancel()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _serve(self) -> None:
        process = None
        while (item := self._work.get()) is not None:
            future, payload = item
            if not future.set_running_or_notify_cancel():
                continue
            if process is None or process.poll() is not None:
                process = _started()
            if not _done(process, future, payload):
                _ended(process)
                process = None
        if process is not None:
            _ended(process)


def _started() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "sim.sweep.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C is for the owner, who then closes the pipe
    )


def _done(process: "subprocess.Popen[bytes]", future: "Future[Any]", payload: bytes) -> bool:
    """Have one piece of work done; return whether the process is still good."""
    try:
        send(process.stdin, payload)
        answer = receive(process.stdout)
    except OSError:
        answer = None
    if answer is None:
        future.set_exception(BrokenExecutor(f"a process ended with status {process.wait()}"))
        return False
    ok, value = pickle.loads(answer)  # noqa: S301  from our own process
    if ok:
        future.set_result(value)
    else:
        future.set_exception(value)
    return True


def _ended(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()
