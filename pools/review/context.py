"""What surrounds the text: the server and the fleet, from the scenario or from the text itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pools.review.finding import Shown
from sim.query import to_values
from sim.scenario import Fleet, Scenario, Server

_TIME = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?$")
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Context:
    """The fleet and the server as far as they are known; defaults are PostgreSQL's.

    `is_assumed` if nobody said what max_connections is. `noted` holds settings read from
    configuration and command lines around the code.
    """

    server: Server = field(default_factory=Server)
    fleet: Fleet = field(default_factory=Fleet)
    is_assumed: bool = True
    idle_cut_s: float | None = None
    client_timeout_s: float | None = None
    noted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, scenario: Scenario | None, found: Mapping[str, Shown], noted: Mapping[str, str]
    ) -> "Context":
        """Take the text's word first, then the scenario's."""
        said = {name: shown.value for name, shown in found.items()}
        base = to_values(scenario) if scenario is not None else {}
        server = scenario.server if scenario is not None else Server()
        fleet = scenario.fleet if scenario is not None else Fleet()
        limit, reserved = said.get("max_connections"), said.get("reserved")
        if isinstance(limit, int) and limit > server.reserved:
            server = Server(max_connections=limit, reserved=server.reserved)
        if isinstance(reserved, int) and reserved < server.max_connections:
            server = Server(max_connections=server.max_connections, reserved=reserved)
        return cls(
            server=server,
            fleet=_fleet(fleet, said),
            is_assumed=scenario is None and limit is None,
            idle_cut_s=_positive(base.get("idle_cut_s")),
            client_timeout_s=_positive(base.get("client_timeout_s")),
            noted=noted,
        )

    @property
    def limit(self) -> str:
        """The server's limit in words, with what is assumed."""
        said = f"max_connections {self.server.max_connections} less {self.server.reserved} reserved"
        return f"{said} (PostgreSQL's defaults)" if self.is_assumed else said


def seconds(text: str, unit: str = "s") -> float | None:
    """Read a time as PostgreSQL and its poolers write it; a bare number counts `unit`s."""
    found = _TIME.match(text.strip())
    if found is None:
        return None
    return float(found[1]) * _SECONDS[found[2] or unit]


def _positive(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and isinstance(value, int | float) and value > 0 else None


def _fleet(base: Fleet, said: Mapping[str, object]) -> Fleet:
    workers, replicas = said.get("workers", base.workers), said.get("replicas", base.replicas)
    if not isinstance(workers, int) or not isinstance(replicas, int) or workers * replicas > 1000:
        return base
    return Fleet(replicas=replicas, workers=workers, other_connections=base.other_connections)
