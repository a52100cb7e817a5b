"""What every pool kind says about itself."""

import random
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pools.protocol import PoolLogic, World
from pools.setting import Settings, Value, setting

# TCP handshake, SSLRequest, startup message, two legs of SCRAM: counted on the wire with
# asyncpg 0.32.0 and its default sslmode=prefer against a server without TLS.
POSTGRES_CONNECT_ROUND_TRIPS = 5
# A CancelRequest travels on a connection of its own: TCP handshake, SSLRequest, the message.
CANCEL_ROUND_TRIPS = 3
# Terminate, and the server hanging up.
CLOSE_ROUND_TRIPS = 1


def connections(
    default: int,
    meaning: str,
    source: str,
    low: int = 0,
    special: Mapping[Value, str] | None = None,
    query: str = "",
) -> Any:  # noqa: ANN401  as `setting`
    """Declare a setting that counts connections."""
    return setting(
        default,
        meaning,
        source=source,
        query=query,
        unit="connections",
        low=low,
        high=500,
        step=1,
        special=special,
    )


def seconds(
    default: float,
    meaning: str,
    source: str,
    low: float = 0.0,
    high: float = 300.0,
    step: float = 0.05,
    special: Mapping[Value, str] | None = None,
) -> Any:  # noqa: ANN401  as `setting`
    """Declare a setting that is a time."""
    return setting(
        default,
        meaning,
        source=source,
        unit="s",
        low=low,
        high=high,
        step=step,
        special=special,
    )


class Pool(Settings):
    """A pool's configuration: frozen, checked when made, able to make its own logic.

    `name` is its name in addresses, `versions` what its logic models, `serves` what stands
    behind it (database or http), `watches_idle` whether an idle connection that the server
    drops is closed at once, `prepares` whether its driver prepares a statement at first use.
    """

    __slots__ = ()
    name: ClassVar[str]
    title: ClassVar[str]
    versions: ClassVar[str]
    serves: ClassVar[str] = "database"
    use_round_trips: ClassVar[int] = 0
    watches_idle: ClassVar[bool] = True
    prepares: ClassVar[bool] = True

    @property
    @abstractmethod
    def capacity(self) -> int | None:
        """The most connections in use at once, or None if there is no limit."""

    @property
    def wait_s_max(self) -> float | None:
        """How long a request waits for this pool before it fails, or None for ever."""
        return None

    @property
    def hold_round_trips(self) -> int:
        """Round trips that one checkout of an idle connection adds to the caller's hold.

        `use_round_trips` of them (BEGIN, COMMIT) pass while the caller uses the connection,
        the others at checkout (pre-ping) or after its release (reset).
        """
        return self.use_round_trips

    def release_hops(self, explicit: bool) -> int:
        """Return the turns of the event loop between a return and its caller's next step.

        0: the caller goes on in the same instant and before a waiter that the return woke.
        """
        return 1

    @abstractmethod
    def logic(self, world: World, rng: random.Random) -> PoolLogic:
        """Make the decisions of one such pool, speaking to `world`."""
