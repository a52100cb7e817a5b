"""The virtual clock: it jumps, keeps the order of equal deadlines, and never hangs."""

import asyncio
import time
from collections.abc import Coroutine
from types import ModuleType
from typing import Any

import pytest

from pools.twin.clock import Deadlock, VirtualLoop, patched_clocks, run

START_S = 1000.25
DAY_S = 86_400.0


def test_a_year_passes_at_once_and_the_clock_shows_it() -> None:
    async def main(loop: VirtualLoop) -> float:
        await asyncio.sleep(365 * DAY_S)
        return loop.time()

    assert run(main, START_S) == START_S + 365 * DAY_S


def test_a_timer_runs_at_its_very_deadline() -> None:
    """Not a clock resolution earlier, as in asyncio's own loops."""

    async def main(loop: VirtualLoop) -> list[float]:
        seen: list[float] = []
        times = [START_S + 1e-10, START_S + 2e-10, START_S + 0.1]
        for at_s in times:
            loop.call_at(at_s, lambda: seen.append(loop.time()))
        await asyncio.sleep(1.0)
        assert seen == times
        return seen

    assert len(run(main, START_S)) == 3


def test_equal_deadlines_fire_in_the_order_in_which_they_were_set() -> None:
    """A hundred of them: a bare heap mixes them up."""

    async def main(loop: VirtualLoop) -> list[int]:
        seen: list[int] = []
        for number in range(100):
            loop.call_at(START_S + 1.0 + number % 3, seen.append, number)
        await asyncio.sleep(10.0)
        return seen

    assert run(main, START_S) == sorted(range(100), key=lambda number: number % 3)


def test_a_cancelled_timer_does_not_fire() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        seen: list[int] = []
        timers = [loop.call_later(1.0, seen.append, number) for number in range(300)]
        for timer in timers[::2]:
            timer.cancel()
        await asyncio.sleep(2.0)
        return seen

    assert run(main, START_S) == list(range(1, 300, 2))


def test_a_loop_in_which_nothing_can_happen_raises_deadlock() -> None:
    async def main(loop: VirtualLoop) -> None:
        await loop.create_future()

    with pytest.raises(Deadlock):
        run(main, START_S)


def test_what_is_ready_goes_before_time_moves_on() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        seen: list[str] = []
        loop.call_later(1e-9, seen.append, "timer")
        for _ in range(50):
            await asyncio.sleep(0)
        seen.append("ready")
        await asyncio.sleep(1.0)
        return seen

    assert run(main, START_S) == ["ready", "timer"]


def test_timeouts_and_cancellation_are_those_of_asyncio() -> None:
    async def main(loop: VirtualLoop) -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 3.0)
        return loop.time()

    assert run(main, START_S) == START_S + 3.0


def test_tasks_that_are_left_are_cancelled() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            ended.append("cancelled")

    async def main(loop: VirtualLoop) -> None:
        task = loop.create_task(endless())
        await asyncio.sleep(1.0)
        assert not task.done()

    run(main, START_S)
    assert ended == ["cancelled"]


def test_patched_clocks_show_the_loop_s_time_and_are_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A module may keep the time module itself or one function of it."""
    library = ModuleType("a_library")
    library.time = time  # type: ignore[attr-defined]
    library.monotonic = time.monotonic  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "a_library", library)

    async def main(loop: VirtualLoop) -> tuple[float, ...]:
        with patched_clocks(loop, "a_library:time", "a_library:monotonic"):
            await asyncio.sleep(2.0)
            return library.time.time(), library.time.monotonic(), library.monotonic()

    assert run(main, START_S) == (START_S + 2.0,) * 3
    assert library.time is time
    assert library.monotonic is time.monotonic


def test_a_failure_of_the_main_task_comes_out() -> None:
    async def main(_: VirtualLoop) -> None:
        raise LookupError("planned")

    with pytest.raises(LookupError, match="planned"):
        run(main, START_S)


def test_two_runs_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    async def worker(loop: VirtualLoop, number: int) -> Coroutine[Any, Any, None] | None:
        for turn in range(5):
            await asyncio.sleep(0.1 * (number % 3))
            print(number, turn, loop.time())
        return None

    async def main(loop: VirtualLoop) -> None:
        await asyncio.gather(*(worker(loop, number) for number in range(9)))

    run(main, START_S)
    first = capsys.readouterr().out
    run(main, START_S)
    assert capsys.readouterr().out == first != ""
