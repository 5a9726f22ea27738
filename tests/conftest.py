"""For every test, before any of them imports Nova."""

import pinning_filter.demo  # noqa: F401 - Nova runs on threads from here on
