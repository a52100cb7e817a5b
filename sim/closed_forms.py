"""Queues whose answer is known exactly: the witnesses that runs are held against.

Erlang's own formulas are in sim.theory. Times in seconds, rates per second; a wait is that of
everybody who asks, of those who get nothing as well (they wait until they leave).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sim.theory import erlang_c, offered_load, wait_s_mean

_TAIL_MIN = 1e-17


@dataclass(frozen=True, slots=True)
class Steady:
    """What a queue settles to: mean wait, share of requests lost (0..1), served per second."""

    wait_s_mean: float
    lost_ratio: float
    throughput_per_s: float


def wait_s_survival(rate_per_s: float, hold_s_mean: float, capacity: int, wait_s: float) -> float:
    """Return the share of requests that wait longer than `wait_s` in M/M/c; 1 from saturation on.

    Source: Kleinrock, Queueing Systems vol. 1 (1975), sec. 3.5: exponential beyond 0.

    >>> round(wait_s_survival(70.0, 0.1, 8, 0.1), 4)
    0.2337
    """
    load = offered_load(rate_per_s, hold_s_mean)
    if load >= capacity:
        return 1.0
    return erlang_c(load, capacity) * math.exp(-(capacity - load) * wait_s / hold_s_mean)


def m_g_1(rate_per_s: float, hold_s_mean: float, hold_cv: float) -> Steady:
    """Solve one server with any hold (M/D/1 with cv 0), by Pollaczek and Khinchine.

    Source: Kleinrock, Queueing Systems vol. 1 (1975), sec. 5.6.

    >>> round(m_g_1(8.0, 0.1, 0.0).wait_s_mean, 4), round(m_g_1(8.0, 0.1, 1.0).wait_s_mean, 4)
    (0.2, 0.4)
    """
    rho = offered_load(rate_per_s, hold_s_mean)
    if rho >= 1.0:
        return Steady(math.inf, 0.0, 1.0 / hold_s_mean)
    wait_s = rho * hold_s_mean * (1.0 + hold_cv**2) / (2.0 * (1.0 - rho))
    return Steady(wait_s, 0.0, rate_per_s)


def m_g_c_ps_latency_s(rate_per_s: float, hold_s_mean: float, cores: int) -> float:
    """Return the mean time of a query that shares cores: M/G/1-PS, and M/M/c-PS for more.

    One core needs no law for the demand; with more, it is exact for exponential demands and
    close for others. Source: Kleinrock, Queueing Systems vol. 2 (1976), sec. 4.4.

    >>> round(m_g_c_ps_latency_s(8.0, 0.1, 1), 4)
    0.5
    """
    return wait_s_mean(rate_per_s, hold_s_mean, cores) + hold_s_mean


def m_m_c_k(rate_per_s: float, hold_s_mean: float, capacity: int, places: int) -> Steady:
    """Solve M/M/c/K: who finds `places` (in use and waiting) taken is refused at once.

    Source: Gross et al., Fundamentals of Queueing Theory (2008), sec. 2.5.

    >>> round(m_m_c_k(30.0, 0.1, 2, 6).lost_ratio, 4)
    0.3596
    """
    births = [rate_per_s] * places
    present = _birth_and_death(births, _served_per_s(hold_s_mean, capacity, places))
    waiting = math.fsum(share * max(0, n - capacity) for n, share in enumerate(present))
    lost = present[-1]
    return Steady(waiting / rate_per_s, lost, rate_per_s * (1.0 - lost))


def m_m_c_with_patience(
    rate_per_s: float, hold_s_mean: float, capacity: int, patience_s: float
) -> Steady:
    """Solve M/M/c+D: who has not been served within `patience_s` leaves (a pool's timeout).

    Source: Zeltyn and Mandelbaum, Call centers with impatient customers, Queueing Systems 51
    (2005), sec. 5, with H(x) = min(x, patience); first solved by Barrer (1957).

    >>> round(m_m_c_with_patience(110.0, 0.1, 10, 0.05).lost_ratio, 4)
    0.15
    """
    served_per_s = capacity / hold_s_mean
    drift = rate_per_s - served_per_s
    at_end = math.exp(drift * patience_s)
    beyond = at_end / served_per_s
    waits = _integral(drift, patience_s) + beyond
    waits_times = _integral_of_times(drift, patience_s) + patience_s * beyond
    whole = _before_a_queue(rate_per_s * hold_s_mean, capacity) + rate_per_s * waits
    lost = (1.0 + drift * waits) / whole
    return Steady(rate_per_s * waits_times / whole, lost, rate_per_s * (1.0 - lost))


def erlang_a(
    rate_per_s: float, hold_s_mean: float, capacity: int, patience_s_mean: float
) -> Steady:
    """Solve M/M/c+M: patience is exponential (Erlang A).

    Source: Palm (1946); Garnett, Mandelbaum and Reiman, MSOM 4 (2002).

    >>> round(erlang_a(110.0, 0.1, 10, 0.05).lost_ratio, 4)
    0.1893
    """
    most = capacity
    while not _is_negligible(rate_per_s, hold_s_mean, capacity, patience_s_mean, most):
        most += 16
    deaths = [
        min(n, capacity) / hold_s_mean + max(0, n - capacity) / patience_s_mean
        for n in range(1, most + 1)
    ]
    present = _birth_and_death([rate_per_s] * most, deaths)
    waiting = math.fsum(share * max(0, n - capacity) for n, share in enumerate(present))
    lost = waiting / patience_s_mean / rate_per_s
    return Steady(waiting / rate_per_s, lost, rate_per_s * (1.0 - lost))


def engset(users: int, think_s_mean: float, hold_s_mean: float, capacity: int) -> Steady:
    """Solve a closed loop without a queue: who finds all taken thinks again.

    The share lost is that of the requests, who see the system of one user less. Insensitive to
    the law of the hold. Source: Engset (1918); Kleinrock vol. 1 (1975), sec. 3.9.

    >>> round(engset(10, 0.3, 0.1, 3).lost_ratio, 4)
    0.28
    """
    if users <= capacity:
        return Steady(0.0, 0.0, users / (think_s_mean + hold_s_mean))
    seen, present = (
        _birth_and_death(
            [(count - n) / think_s_mean for n in range(capacity)],
            _served_per_s(hold_s_mean, capacity, capacity),
        )
        for count in (users - 1, users)
    )
    in_use = math.fsum(n * share for n, share in enumerate(present))
    return Steady(0.0, seen[-1], in_use / hold_s_mean)


def machine_repair(users: int, think_s_mean: float, hold_s_mean: float, capacity: int) -> Steady:
    """Solve a closed loop with a queue: users think, wait for a connection, hold, think again.

    Exponential holds and thinking. Source: Kleinrock vol. 1 (1975), sec. 3.8; Palm (1947).

    >>> round(machine_repair(10, 0.3, 0.1, 3).wait_s_mean, 4)
    0.0307
    """
    births = [(users - n) / think_s_mean for n in range(users)]
    deaths = _served_per_s(hold_s_mean, capacity, users)
    present = _birth_and_death(births, deaths)
    waiting = math.fsum(share * max(0, n - capacity) for n, share in enumerate(present))
    in_use = math.fsum(share * min(n, capacity) for n, share in enumerate(present))
    throughput_per_s = in_use / hold_s_mean
    return Steady(waiting / throughput_per_s, 0.0, throughput_per_s)


def _served_per_s(hold_s_mean: float, capacity: int, most: int) -> list[float]:
    return [min(n, capacity) / hold_s_mean for n in range(1, most + 1)]


def _birth_and_death(births: Sequence[float], deaths: Sequence[float]) -> list[float]:
    """Return the shares of time with 0, 1, 2, ... present. Kleinrock vol. 1, sec. 3.2."""
    logs = [0.0, *_cumulated(births, deaths)]
    highest = max(logs)
    weights = [math.exp(one - highest) for one in logs]
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]


def _cumulated(births: Sequence[float], deaths: Sequence[float]) -> Iterator[float]:
    log = 0.0
    for birth, death in zip(births, deaths, strict=True):
        log += math.log(birth / death)
        yield log


def _is_negligible(
    rate_per_s: float, hold_s_mean: float, capacity: int, patience_s_mean: float, most: int
) -> bool:
    """Whether the states beyond `most` weigh nothing: a bound by their geometric series."""
    log = 0.0
    for n in range(capacity + 1, most + 1):
        left_per_s = capacity / hold_s_mean + (n - capacity) / patience_s_mean
        log += math.log(rate_per_s / left_per_s)
    ratio = rate_per_s / (capacity / hold_s_mean + (most + 1 - capacity) / patience_s_mean)
    return ratio < 0.5 and log < math.log(_TAIL_MIN)


def _before_a_queue(load: float, capacity: int) -> float:
    """Return the weight of all states with a free server, that of c - 1 in use being 1."""
    weight, whole = 1.0, 1.0
    for n in range(capacity - 1, 0, -1):
        weight *= n / load
        whole += weight
    return whole


def _integral(drift: float, end: float) -> float:
    """Return the integral of exp(drift x) from 0 to `end`."""
    return end if drift == 0.0 else math.expm1(drift * end) / drift


def _integral_of_times(drift: float, end: float) -> float:
    """Return the integral of x exp(drift x) from 0 to `end`."""
    if abs(drift * end) < 1e-4:
        return end * end * (0.5 + drift * end / 3.0)
    return (end * math.exp(drift * end) - _integral(drift, end)) / drift
