"""A check holds back: also from replacing at once what the server still believes in."""

import asyncio

import pytest

from pools.live.restraint import LINGERS_S, NoSlot, Restraint


async def test_a_lost_connection_keeps_its_slot_until_the_server_has_noticed() -> None:
    held, loop = Restraint(2), asyncio.get_running_loop()
    held.connecting()
    held.connecting()
    began_s = loop.time()
    held.closed()
    held.lost()
    await held.settled()
    held.connecting()
    assert loop.time() - began_s >= LINGERS_S
    assert held.open_now == 2


async def test_one_that_was_closed_in_order_is_replaced_at_once() -> None:
    held = Restraint(2)
    held.connecting()
    held.connecting()
    held.closed()
    await asyncio.wait_for(held.settled(), LINGERS_S / 2)
    held.connecting()
    with pytest.raises(NoSlot):
        held.connecting()


async def test_where_nothing_is_held_back_nothing_waits() -> None:
    free = Restraint()
    for _ in range(100):
        free.lost()
    await asyncio.wait_for(free.settled(), LINGERS_S / 2)


async def test_several_that_wait_get_one_slot_each() -> None:
    held = Restraint(3)
    for _ in range(3):
        held.connecting()
    for _ in range(3):
        held.closed()
        held.lost()

    async def replace() -> None:
        await held.settled()
        held.connecting()

    await asyncio.wait_for(asyncio.gather(*(replace() for _ in range(3))), 10 * LINGERS_S)
    assert held.open_now == 3
