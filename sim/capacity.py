"""How much work a server does, by the number of queries that compute at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capacity:
    """How fast n computing queries each advance, when one alone advances at speed 1.

    Shared cores: min(1, m/n) on m cores, divided by 1 + contention (1 - m/n)^2 beyond them
    (switching, caches). Queries in each other's way, with cores or without: divided by
    1 + serial (n - 1) + crosstalk n (n - 1), N. Gunther's Universal Scalability Law.
    """

    cores: float
    contention: float = 0.0
    serial: float = 0.0
    crosstalk: float = 0.0

    def speed(self, count: int) -> float:
        """Return the speed of each of `count` queries."""
        share = min(1.0, self.cores / count)
        others, crowd = count - 1.0, 1.0 - share
        slowed = 1.0 + self.serial * others + self.crosstalk * count * others
        return share / ((1.0 + self.contention * crowd * crowd) * slowed)
