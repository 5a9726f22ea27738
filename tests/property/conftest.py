"""How many examples: ``HYPOTHESIS_PROFILE=thorough`` for a long look."""

import os

from hypothesis import HealthCheck, settings

_COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile(
    "quick", max_examples=400, derandomize=True, database=None, **_COMMON
)
settings.register_profile("thorough", max_examples=20000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
