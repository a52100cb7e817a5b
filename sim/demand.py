"""What is asked of the pools: who comes, how often, and how long each keeps a connection."""

from collections.abc import Iterator
from dataclasses import dataclass

from pools.setting import Mistake, Settings, setting
from sim import holds
from sim.classes import CLASSES_FORM, RequestClass, read_classes
from sim.forms import DIGEST_FORM, HOLD_MS_MAX, HOLD_MS_MIN, VALUES_FORM, values_ms
from sim.holds import Holds

OUR_CHOICE = "Poolwise's choice"
PATTERNS = ("steady", "bursty", "spike", "ramp", "day", "recorded", "closed", "looping")
CLOSED = ("closed", "looping")
DISTRIBUTIONS = (
    "auto",
    "constant",
    "exponential",
    "lognormal",
    "gamma",
    "hyperexponential",
    "pareto",
    "empirical",
)
FITTED = ("auto", "lognormal", "pareto")


@dataclass(frozen=True, slots=True)
class Workload(Settings):
    """Who asks for connections, how often, and how long each is held.

    The hold is the caller's own time with the connection: queries, and the application code
    between them. Round trips that the library adds (BEGIN, COMMIT, reset, pre-ping) come on
    top, from the server's round-trip time. Offered load is rate times hold, in erlangs.
    """

    pattern: str = setting(
        "steady",
        "Poisson arrivals at one rate (steady), at two rates in turn (bursty), with many at once"
        " on top (spike), at a rate that grows or falls (ramp) or follows a day pressed into the"
        " run (day); the arrivals of a file (recorded); or a fixed number of users who each wait"
        " for their answer, think, and ask again (closed) or ask again at once (looping).",
        source=OUR_CHOICE,
        choices=PATTERNS,
    )
    rate_per_s: float = setting(
        200.0,
        "Mean arrival rate of requests, over the whole fleet; of a ramp, the rate it starts from.",
        source=OUR_CHOICE,
        query="rate",
        unit="/s",
        low=0.0,
        high=10_000.0,
        step=10.0,
    )
    ramp_rate_per_s: float = setting(
        400.0,
        "Arrival rate at the end of the run, where the ramp leads.",
        source=OUR_CHOICE,
        query="ramp_rate",
        unit="/s",
        low=0.0,
        high=10_000.0,
        step=10.0,
    )
    day_peak: float = setting(
        1.8,
        "Rate at noon over the mean rate; at night it is as far below. The run is one day,"
        " midnight to midnight, along a sine.",
        source=OUR_CHOICE,
        low=1.0,
        high=2.0,
        step=0.1,
    )
    burst_factor: float = setting(
        5.0,
        "Arrival rate within a burst over that between bursts; the mean stays the rate given.",
        source=OUR_CHOICE,
        low=1.0,
        high=50.0,
        step=0.5,
    )
    burst_s: float = setting(
        1.0,
        "Mean length of a burst; exponential, as are the times between.",
        source=OUR_CHOICE,
        unit="s",
        low=0.05,
        high=600.0,
        step=0.5,
    )
    burst_share: float = setting(
        0.1,
        "Part of the time that is within bursts.",
        source=OUR_CHOICE,
        low=0.01,
        high=0.99,
        step=0.05,
    )
    users: int = setting(
        50,
        "Users in a closed loop, over the whole fleet.",
        source=OUR_CHOICE,
        unit="users",
        low=1,
        high=10_000,
        step=1,
    )
    think_s_mean: float = setting(
        100.0,
        "Mean pause between an answer and the user's next request; exponential, 0 for none.",
        source=OUR_CHOICE,
        query="think_ms",
        unit="ms",
        low=0.0,
        high=60_000.0,
        step=10.0,
    )
    spike_at_s: float = setting(
        5.0,
        "When the burst arrives, after the start of the run.",
        source=OUR_CHOICE,
        unit="s",
        low=0.0,
        high=3600.0,
        step=0.5,
    )
    spike_requests: int = setting(
        50,
        "Requests that arrive at once in the burst.",
        source="HikariCP, Welcome To The Jungle",
        unit="requests",
        low=1,
        high=100_000,
        step=1,
    )
    hold_s_mean: float = setting(
        20.0,
        "Mean time one checkout keeps a connection: its queries and the code between them.",
        source=OUR_CHOICE,
        query="hold_ms",
        unit="ms",
        low=HOLD_MS_MIN,
        high=HOLD_MS_MAX,
        step=1.0,
    )
    hold_cv: float = setting(
        1.0,
        "Spread of the hold, standard deviation over mean. With hold_distribution auto, 0 is"
        " constant, 1 exponential, any other value lognormal.",
        source=OUR_CHOICE,
        low=0.0,
        high=5.0,
        step=0.1,
    )
    hold_distribution: str = setting(
        "auto",
        "Shape of the hold: auto goes by hold_cv, empirical draws from hold_values.",
        source=OUR_CHOICE,
        choices=DISTRIBUTIONS,
    )
    hold_given: str = setting(
        "mean",
        "What of the hold is given: its mean and cv, or its median and 99th percentile (which"
        " fit a lognormal or a pareto exactly).",
        source=OUR_CHOICE,
        choices=("mean", "percentiles"),
    )
    hold_s_p50: float = setting(
        10.0,
        "Median of the hold: half are shorter.",
        source=OUR_CHOICE,
        query="hold_p50_ms",
        unit="ms",
        low=HOLD_MS_MIN,
        high=HOLD_MS_MAX,
        step=1.0,
    )
    hold_s_p99: float = setting(
        100.0,
        "99th percentile of the hold: 1 in 100 is longer.",
        source=OUR_CHOICE,
        query="hold_p99_ms",
        unit="ms",
        low=HOLD_MS_MIN,
        high=HOLD_MS_MAX,
        step=1.0,
    )
    hold_s_max: float = setting(
        600_000.0,
        "Longest hold of a pareto distribution, as a statement timeout would cut it.",
        source=OUR_CHOICE,
        query="hold_max_ms",
        unit="ms",
        low=HOLD_MS_MIN,
        high=600_000.0,
        step=100.0,
    )
    hold_values: str = setting(
        "",
        "Holds in ms of an empirical distribution, separated by commas, each as likely.",
        source=OUR_CHOICE,
        form=VALUES_FORM,
    )
    await_s_mean: float = setting(
        0.0,
        "Time that a checkout keeps its connection beyond the hold while the application awaits"
        " something else, such as another service or a language model; spread as the hold.",
        source="0: connections are returned before anything else is awaited",
        query="await_ms",
        unit="ms",
        low=0.0,
        high=600_000.0,
        step=10.0,
    )
    classes: str = setting(
        "",
        "Classes of requests, each with its share, checkouts, hold and await time, in place of"
        " hold_ms and await_ms: 70:20,25:2x50,5:2n30+200 is 70 % with one hold of 20 ms, 25 %"
        " with two of 50 ms one after the other, 5 % with two nested ones of 30 ms, each kept"
        " 200 ms more.",
        source="empty: every request is one checkout",
        form=CLASSES_FORM,
    )
    recording: str = setting(
        "",
        "Digest of the file whose arrivals are played. The file itself is no part of an address:"
        " it is uploaded, or given to python -m sim with --arrivals.",
        source="empty: none yet",
        form=DIGEST_FORM,
    )
    hosts: int = setting(
        1,
        "Hosts that HTTP requests are spread over, evenly at random.",
        source=OUR_CHOICE,
        unit="hosts",
        low=1,
        high=100,
        step=1,
    )

    @property
    def is_closed(self) -> bool:
        """Whether users wait for their answer before asking again."""
        return self.pattern in CLOSED

    @property
    def pause_s_mean(self) -> float:
        """Mean pause of a user between an answer and the next request."""
        return 0.0 if self.pattern == "looping" else self.think_s_mean

    @property
    def rate_per_s_mean(self) -> float:
        """Arrivals per second of an open workload, averaged over the run (a spike left out)."""
        if self.pattern == "ramp":
            return (self.rate_per_s + self.ramp_rate_per_s) / 2.0
        return self.rate_per_s

    @property
    def rate_per_s_max(self) -> float:
        """The highest rate that an open workload reaches (a spike left out)."""
        highest = {
            "ramp": max(self.rate_per_s, self.ramp_rate_per_s),
            "day": self.rate_per_s * self.day_peak,
            "bursty": self.burst_factor * self.calm_rate_per_s,
        }
        return highest.get(self.pattern, self.rate_per_s)

    @property
    def calm_rate_per_s(self) -> float:
        """Arrival rate between bursts."""
        return self.rate_per_s / (1.0 + self.burst_share * (self.burst_factor - 1.0))

    def requests_max(self, duration_s: float) -> float:
        """Return the most requests of an open workload to expect, however its bursts fall.

        Of a recording none: as many as a run may have are played.
        """
        if self.pattern == "recorded":
            return 0.0
        rate = self.rate_per_s_max if self.pattern == "bursty" else self.rate_per_s_mean
        return rate * duration_s + (self.spike_requests if self.pattern == "spike" else 0)

    @property
    def holds(self) -> Holds:
        """The distribution of the hold."""
        if self.hold_distribution == "empirical":
            return holds.empirical([one / 1000.0 for one in values_ms(self.hold_values)])
        if self.hold_given == "percentiles":
            return holds.by_percentiles(
                self.hold_distribution, self.hold_s_p50, self.hold_s_p99, self.hold_s_max
            )
        return holds.by_mean(
            self.hold_distribution, self.hold_s_mean, self.hold_cv, self.hold_s_max
        )

    @property
    def is_hold_by_mean(self) -> bool:
        """Whether the hold is given by its mean and cv."""
        return self.hold_given == "mean" and self.hold_distribution != "empirical"

    @property
    def shape_s_mean(self) -> float:
        """Mean of the distribution of the hold, which each class scales to its own."""
        return self.hold_s_mean if self.is_hold_by_mean else self.holds.mean_s

    @property
    def request_classes(self) -> tuple[RequestClass, ...]:
        """The classes of requests; without any named, all are of one."""
        one = RequestClass(
            1.0, 1, nested=False, hold_s=self.shape_s_mean, await_s=self.await_s_mean
        )
        return read_classes(self.classes) or (one,)

    @property
    def awaits(self) -> bool:
        """Whether any connection is kept while the application awaits something else."""
        return any(one.await_s for one in self.request_classes)

    @property
    def is_plain(self) -> bool:
        """Whether every request is one checkout, returned as soon as its hold ends."""
        return not (self.classes or self.await_s_mean)

    @property
    def checkouts_mean(self) -> float:
        """Mean number of checkouts of a request."""
        return sum(one.share * one.checkouts for one in self.request_classes)

    @property
    def held_s_mean(self) -> float:
        """Mean time that a checkout keeps a connection, awaiting included."""
        if self.is_plain:
            return self.shape_s_mean
        return sum(one.share * one.held_s for one in self.request_classes) / self.checkouts_mean

    @property
    def work_s_mean(self) -> float:
        """Mean time that a checkout keeps a connection for its own work, nothing else awaited."""
        if self.is_plain:
            return self.shape_s_mean
        works = sum(one.share * one.checkouts * one.hold_s for one in self.request_classes)
        return works / self.checkouts_mean

    @property
    def await_ratio(self) -> float:
        """Part of the time that connections are kept, in which the application awaits others."""
        classes = self.request_classes
        return sum(one.share * one.held_s * one.await_ratio for one in classes) / sum(
            one.share * one.held_s for one in classes
        )

    def rules(self) -> Iterator[Mistake]:
        """Require arrivals, and a hold that exists."""
        if self.pattern in ("steady", "bursty", "day") and self.rate_per_s == 0:
            yield Mistake("rate", f"must be above 0 /s when pattern is {self.pattern}", "0")
        if self.pattern == "ramp" and self.rate_per_s_mean == 0:
            yield Mistake("ramp_rate", "must be above 0 /s if the ramp starts from 0", "0")
        yield from self._rules_of_given()
        if self.is_hold_by_mean:
            yield from self._rules_of_shape()

    def _rules_of_given(self) -> Iterator[Mistake]:
        name = self.hold_distribution
        if name == "empirical" and not self.hold_values:
            yield Mistake("hold_distribution", "needs hold_values", name)
        if self.is_hold_by_mean or name == "empirical":
            return
        if name not in FITTED:
            rule = f"must be one of {', '.join(FITTED)} when hold_given is percentiles"
            yield Mistake("hold_distribution", rule, name)
        if self.hold_s_p50 >= self.hold_s_p99:
            rule = f"must be below hold_p99_ms ({self.hold_s_p99 * 1000:g} ms)"
            yield Mistake("hold_p50_ms", rule, f"{self.hold_s_p50 * 1000:g}")
        if name == "pareto" and self.hold_s_max < self.hold_s_p99:
            rule = f"must be at least hold_p99_ms ({self.hold_s_p99 * 1000:g} ms)"
            yield Mistake("hold_max_ms", rule, f"{self.hold_s_max * 1000:g}")

    def _rules_of_shape(self) -> Iterator[Mistake]:
        name, cv = self.hold_distribution, self.hold_cv
        if name == "hyperexponential" and cv < 1.0:
            yield Mistake("hold_cv", "must be at least 1 for a hyperexponential hold", f"{cv:g}")
        if name != "pareto":
            return
        if self.hold_s_max <= self.hold_s_mean:
            rule = f"must be above hold_ms ({self.hold_s_mean * 1000:g} ms)"
            yield Mistake("hold_max_ms", rule, f"{self.hold_s_max * 1000:g}")
        elif cv > (most := holds.pareto_cv_max(self.hold_s_mean, self.hold_s_max)):
            rule = f"must be at most {most:.3g} with this hold_ms and hold_max_ms"
            yield Mistake("hold_cv", rule, f"{cv:g}")
