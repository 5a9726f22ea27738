"""What the filter found out, kept for the weigher of the same request.

Between ``PinningFilter`` and ``PinningWeigher``. Answers are kept with the
request and go when it goes, so two requests at a time never see each other's.
An answer counts only while the host's topology is the very object that it was
given for: Nova replaces it whenever usage changes. Decides nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nova import objects

from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement

_KEPT = "_pinning_filter_answers"


class Answer(NamedTuple):
    """Where the guest would sit on one host."""

    topology: objects.NUMATopology  #: of the host, when it was asked
    host: Host  #: what was read of it
    placement: Placement


#: By the identity of the host state, which outlives the request.
Answers = dict[int, Answer]


_enabled = False


def enable() -> None:
    """From now on somebody in this process reads the answers."""
    global _enabled
    _enabled = True


def enabled() -> bool:
    """Whether anybody reads the answers: else they need not be kept."""
    return _enabled


def of_request(spec_obj: objects.RequestSpec) -> Answers:
    """The answers of a request, to read and to add to."""
    return vars(spec_obj).setdefault(_KEPT, {})


def lookup(answers: Answers, host_state: Any) -> Answer | None:
    """The answer for a host, if its usage is still the same."""
    answer = answers.get(id(host_state))
    if answer is None or answer.topology is not host_state.numa_topology:
        return None
    return answer
