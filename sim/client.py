"""What clients do around their requests: how patient they are, and what they do if it fails."""

from collections.abc import Iterator
from dataclasses import dataclass

from pools.setting import Mistake, Settings, setting

_OFF = "0: patient clients that ask once"
BUDGET_SAVED_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Client(Settings):
    """How clients behave. By default they wait for ever, ask once, and return what they took."""

    client_timeout_s: float = setting(
        0.0,
        "How long a client waits for a whole request, from each attempt's start.",
        source=_OFF,
        query="client_timeout_ms",
        unit="ms",
        low=0.0,
        high=300_000.0,
        step=100.0,
        special={0: "for ever"},
    )
    abandoned: str = setting(
        "cancelled",
        "What becomes of a request whose client has given up: its task is cancelled, as a"
        " timeout around it does; or it is carried on for nobody, as web frameworks do whose"
        " client disconnects.",
        source="asyncio.timeout() cancels; FastAPI and aiohttp.web carry on",
        choices=("cancelled", "carried_on"),
    )
    retries: int = setting(
        0,
        "How often a client asks again after a failure: a timeout of the pool or its own, or a"
        " refused connect.",
        source=_OFF,
        unit="retries",
        low=0,
        high=10,
        step=1,
    )
    retry_backoff_s: float = setting(
        100.0,
        "Pause before the first retry; doubled for each further one.",
        source="Poolwise's choice",
        query="retry_backoff_ms",
        unit="ms",
        low=0.0,
        high=60_000.0,
        step=50.0,
    )
    retry_backoff_s_max: float = setting(
        10_000.0,
        "Longest pause before a retry.",
        source="Poolwise's choice",
        query="retry_backoff_max_ms",
        unit="ms",
        low=0.0,
        high=600_000.0,
        step=500.0,
    )
    retry_jitter: bool = setting(
        True,
        "Full jitter: the pause is drawn evenly between 0 and what the backoff says.",
        source="AWS Architecture Blog, Exponential Backoff And Jitter",
    )
    retry_budget: float = setting(
        0.0,
        "Retries that each request earns for the whole fleet, with up to 10 saved; a client"
        " whose budget is spent does not retry.",
        source="0: no budget; Finagle and the SRE Book use 0.1 to 0.2",
        low=0.0,
        high=10.0,
        step=0.05,
        special={0: "no budget: every failure may be retried"},
    )
    cancel_share: float = setting(
        0.0,
        "Part of the requests whose client cancels on its own, such as a browser that leaves.",
        source=_OFF,
        low=0.0,
        high=1.0,
        step=0.01,
    )
    cancel_after_s: float = setting(
        50.0,
        "Mean time from asking until such a client cancels; exponential.",
        source="Poolwise's choice",
        query="cancel_after_ms",
        unit="ms",
        low=0.0,
        high=60_000.0,
        step=10.0,
    )
    leak_share: float = setting(
        0.0,
        "Part of the checkouts whose connection is never returned.",
        source=_OFF,
        low=0.0,
        high=1.0,
        step=0.001,
    )

    @property
    def is_patient(self) -> bool:
        """Whether every client waits, asks once and returns what it took."""
        return not (self.client_timeout_s or self.retries or self.cancel_share or self.leak_share)

    @property
    def gives_up(self) -> bool:
        """Whether a client may stop waiting before its request has ended."""
        return bool(self.client_timeout_s or self.cancel_share)

    def pause_s(self, attempt: int) -> float:
        """Return the longest pause before retry number `attempt`, counted from 1."""
        return min(self.retry_backoff_s_max, self.retry_backoff_s * 2.0 ** (attempt - 1))

    def rules(self) -> Iterator[Mistake]:
        """Keep retries from asking without end at one instant."""
        if self.retries and self.retry_backoff_s > self.retry_backoff_s_max:
            rule = f"must be at most retry_backoff_max_ms ({self.retry_backoff_s_max * 1000:g} ms)"
            yield Mistake("retry_backoff_ms", rule, f"{self.retry_backoff_s * 1000:g}")
