"""What is asked for a server that Nova knows, or for a new one."""

from __future__ import annotations

from nova import exception, objects
from nova.scheduler import request_filter

from pinning_filter.cloud.live import guests
from pinning_filter.cloud.live.session import UUID, Session
from pinning_filter.core.errors import InputError
from pinning_filter.explain import request_spec
from pinning_filter.explain.question import Question
from pinning_filter.nova import guest as nova_guest


def question(session: Session, server: str) -> Question:
    """What a server asks for, by its UUID or its name.

    :raises InputError: if there is none, or several of that name.
    """
    uuid, fault = _find(session, server)
    try:
        spec = session.api(objects.RequestSpec.get_by_instance_uuid, uuid)
    except exception.RequestSpecNotFound as error:
        raise InputError(
            f"SERVER: Nova keeps no request of {server}"
        ) from error
    if spec.image is None:
        spec.image = nova_guest.image({})
    return of_spec(session, spec, fault)


def of_spec(
    session: Session, spec: objects.RequestSpec, fault: str = ""
) -> Question:
    """What a request asks for, once Nova's request filters have seen it.

    They turn images, tenants and zones into traits and aggregates.

    :raises InputError: in Nova's words, if they refuse it.
    """
    forced = [*(spec.force_hosts or ()), *(spec.force_nodes or ())]
    # Every compute node is asked, so that all can be compared.
    spec.force_hosts = spec.force_nodes = None
    try:
        session.api(request_filter.process_reqspec, spec)
    except exception.RequestFilterFailed as error:
        raise InputError(
            f"Nova refuses the request: {error.format_message()}"
        ) from error
    guest = nova_guest.read(spec.flavor, spec.image)
    with nova_guest.complaints("the server"):
        return request_spec.of_spec(spec, guest, fault, tuple(forced))


def _find(session: Session, server: str) -> tuple[str, str]:
    """UUID and fault of a server, wherever it is."""
    by_uuid = bool(UUID.fullmatch(server))
    answers, silent = session.each_cell(
        lambda targeted, cell: guests.servers(targeted, server, by_uuid),
        cell0=True,
    )
    found = {uuid: fault for each in answers for uuid, fault in each.items()}
    if by_uuid and not found:
        # Its cell may not answer; its request is in the API database.
        return server.lower(), ""
    if len(found) != 1:
        raise InputError(
            f"SERVER: {len(found) or 'no'} servers have the name {server!r}"
            + (f", say which: {', '.join(sorted(found))}" if found else "")
            + (f"; no answer from cells {', '.join(silent)}" if silent else "")
        )
    return next(iter(found.items()))
