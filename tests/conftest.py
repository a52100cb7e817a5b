"""Settings that all tests share."""

import os

from hypothesis import HealthCheck, settings

# Noisy machines make wall-clock deadlines lie. On CI the examples are the same every time.
# `pytest --hypothesis-profile thorough` looks twenty times longer.
settings.register_profile(
    "poolwise",
    deadline=None,
    print_blob=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    derandomize=bool(os.environ.get("CI")),
)
settings.register_profile("thorough", settings.get_profile("poolwise"), max_examples=1000)
settings.load_profile("poolwise")
