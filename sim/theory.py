"""Closed forms of queueing theory: the independent witness against which runs are judged.

Sources: Kleinrock, Queueing Systems vol. 1 (1975), ch. 3; Little (1961); Hill, Algorithm 396,
Communications of the ACM 13 (1970), for Student's t.
"""

import math
from statistics import NormalDist


def offered_load(rate_per_s: float, hold_s_mean: float) -> float:
    """Return the offered load in erlangs: the mean number in use that the demand implies."""
    return rate_per_s * hold_s_mean


def erlang_b(load: float, capacity: int) -> float:
    """Return the share of arrivals lost by M/M/c/c (no queue), 0..1.

    >>> round(erlang_b(2.0, 3), 4)
    0.2105
    """
    blocked = 1.0
    for servers in range(1, capacity + 1):
        blocked = load * blocked / (servers + load * blocked)
    return blocked


def erlang_c(load: float, capacity: int) -> float:
    """Return the share of requests that wait in M/M/c, 0..1; 1 from saturation on.

    >>> round(erlang_c(7.0, 8), 4)
    0.6353
    """
    if load >= capacity:
        return 1.0
    lost = erlang_b(load, capacity)
    return lost / (1.0 - (load / capacity) * (1.0 - lost))


def wait_s_mean(rate_per_s: float, hold_s_mean: float, capacity: int) -> float:
    """Return the mean wait of M/M/c in seconds; infinity from saturation on.

    >>> round(wait_s_mean(70.0, 0.1, 8), 4)
    0.0635
    """
    load = offered_load(rate_per_s, hold_s_mean)
    if load >= capacity:
        return math.inf
    return erlang_c(load, capacity) * hold_s_mean / (capacity - load)


def wait_s_percentile(
    rate_per_s: float, hold_s_mean: float, capacity: int, percentile: float
) -> float:
    """Return a percentile (0..100) of the wait of M/M/c in seconds."""
    load = offered_load(rate_per_s, hold_s_mean)
    if load >= capacity:
        return math.inf
    waits, beyond = erlang_c(load, capacity), 1.0 - percentile / 100.0
    if waits <= beyond:
        return 0.0
    return math.log(waits / beyond) * hold_s_mean / (capacity - load)


def smallest_capacity(
    rate_per_s: float, hold_s_mean: float, percentile: float, wait_s_max: float
) -> int:
    """Return the smallest c for which M/M/c keeps that percentile of the wait in bounds."""
    capacity = math.floor(offered_load(rate_per_s, hold_s_mean)) + 1
    while wait_s_percentile(rate_per_s, hold_s_mean, capacity, percentile) > wait_s_max:
        capacity += 1
    return capacity


def student_t(freedom: int, confidence: float = 0.95) -> float:
    """Return the two-sided quantile of Student's t distribution.

    >>> [round(student_t(n), 3) for n in (1, 2, 4, 29)]
    [12.706, 4.303, 2.776, 2.045]
    """
    tail = 1.0 - confidence
    if freedom == 1:
        return 1.0 / math.tan(tail * math.pi / 2.0)
    if freedom == 2:
        return math.sqrt(2.0 / (tail * (2.0 - tail)) - 2.0)
    return _hill(freedom, tail)


def _hill(freedom: int, tail: float) -> float:
    a = 1.0 / (freedom - 0.5)
    b = 48.0 / a**2
    c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36
    d = ((94.5 / (b + c) - 3.0) / b + 1.0) * math.sqrt(a * math.pi / 2.0) * freedom
    y = (d * tail) ** (2.0 / freedom)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(tail / 2.0)
        y = x * x
        if freedom < 5:
            c += 0.3 * (freedom - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x
        y = math.expm1(a * y * y)
    else:
        inner = 1.0 / (
            ((freedom + 6.0) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2.0) * 3.0
        )
        y = ((inner + 0.5 / (freedom + 4.0)) * y - 1.0) * (freedom + 1.0) / (
            freedom + 2.0
        ) + 1.0 / y
    return math.sqrt(freedom * y)
