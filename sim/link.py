"""A connection that may be lost, and what its caller does with it."""

from typing import TYPE_CHECKING, Any

from pools.protocol import Slot, Step
from sim.world import AnyVisit

if TYPE_CHECKING:
    from sim.lossy_world import LossyWorld


class Link:
    """One connection, as client and server each know it.

    `is_open` is the client's knowledge, `has_slot` the server's; `is_forgotten` by a firewall
    after silence since `quiet_s`. `step` is the pool's own conversation under way since
    `since_s`, `use` the caller's. `is_served` while a PgBouncer lends it a server connection.
    """

    __slots__ = (
        "has_slot",
        "is_forgotten",
        "is_open",
        "is_served",
        "quiet_s",
        "row",
        "since_s",
        "slot",
        "step",
        "use",
        "world",
    )

    def __init__(self, slot: Slot, world: "LossyWorld", now: float, *, has_slot: bool) -> None:
        """Start connecting, with a slot of the server or in vain."""
        self.row = slot.link
        self.slot = slot
        self.world = world
        self.has_slot = has_slot
        self.is_open = self.is_forgotten = self.is_served = False
        self.quiet_s = self.since_s = now
        self.step: tuple[Step] | None = None
        self.use: Use | None = None


class Use:
    """What a caller does with its connection: the event of its own next step."""

    __slots__ = ("callbacks", "is_computing", "is_over", "link", "visit")
    _ok = True

    def __init__(self, visit: AnyVisit, link: Link, callbacks: tuple[Any, ...]) -> None:
        """Begin."""
        self.visit = visit
        self.link = link
        self.callbacks: tuple[Any, ...] | None = callbacks
        self.is_over = self.is_computing = False

    def computed(self) -> None:
        """Go on after the server's cores are done with its query."""
        self.link.world.work_computed(self)
