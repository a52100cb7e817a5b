"""Ways to look at a Trace that several tests need."""

from array import array
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from pools.trace import Trace


def to_the_last_bit(trace: Trace) -> dict[str, object]:
    """Return all columns as bytes: equal exactly if the traces are, nan included."""
    parts = [trace] if trace.calls is None else [trace, trace.calls]
    columns = {
        f"{type(part).__name__}.{field.name}": getattr(part, field.name)
        for part in parts
        for field in fields(part)
    }
    return {
        name: one.tobytes() if isinstance(one, array) else one
        for name, one in columns.items()
        if name != "Trace.calls"
    }


def waits_of(trace: Trace) -> NDArray[np.float64]:
    """Return each request's wait in seconds: to its grant, or to its end without one."""
    granted, released = np.asarray(trace.granted_s), np.asarray(trace.released_s)
    return np.where(np.isnan(granted), released, granted) - np.asarray(trace.asked_s)
