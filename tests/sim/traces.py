"""Ways to look at a Trace that several tests need."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from pools.trace import Trace


def to_the_last_bit(trace: Trace) -> dict[str, object]:
    """Return all columns as bytes: equal exactly if the traces are, nan included."""
    columns = {field.name: getattr(trace, field.name) for field in fields(trace)}
    return {name: one if isinstance(one, str) else one.tobytes() for name, one in columns.items()}


def waits_of(trace: Trace) -> NDArray[np.float64]:
    """Return each request's wait in seconds: to its grant, or to its end without one."""
    granted, released = np.asarray(trace.granted_s), np.asarray(trace.released_s)
    return np.where(np.isnan(granted), released, granted) - np.asarray(trace.asked_s)
