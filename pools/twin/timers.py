"""Lets the simulation's stations run on an asyncio loop, so that both sides share them."""

import asyncio
from collections.abc import Callable
from typing import Any

from sim.agenda import Call


class Timers:
    """The part of an Agenda that a station needs, on an asyncio loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set timers on this loop."""
        self._loop = loop

    def call(self, callback: Callable[[Any], None], at_s: float, payload: object = None) -> None:
        """Call back with an event that carries the payload."""
        self._loop.call_at(at_s, callback, Call(callback, payload))
