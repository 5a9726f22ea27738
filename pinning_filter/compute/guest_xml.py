"""The domain XML that Nova's driver made, told where the guest is placed.

Between Nova's driver and ``libvirt.domain``: takes a whole document as text,
and changes what pins a guest where it says something else. All that says the
same is left to the letter, as is everything that pins nothing.
"""

from __future__ import annotations

from lxml import etree

from pinning_filter.core.placement import Placement
from pinning_filter.libvirt import domain as domain_xml

#: The elements that pin a guest. How many threads it has is Nova's to say.
_PINNING = frozenset({"memoryBacking", "cputune", "numatune", "cpu"})
#: What tells an element from its siblings of the same name.
_IDENTITY = ("vcpu", "iothread", "cellid")
#: What libvirt takes for said where it is not.
_UNSAID = {"cell": {"unit": "KiB"}}


def rewritten(
    xml: str, placement: Placement, settings: domain_xml.Settings
) -> str:
    """The document with every pinning element as ``libvirt.domain`` has it.

    An element that Nova left out is not added: on a host without NUMA
    support, say, there is nothing to be pinned to.

    :raises InvalidSettings: if the settings are not for this guest.
    """
    document = etree.fromstring(xml)
    changed = False
    for ours in domain_xml.elements(placement, settings):
        nova_s = document.find(str(ours.tag))
        if ours.tag in _PINNING and nova_s is not None:
            changed |= _merge(nova_s, ours)
    if not changed:
        return xml
    return etree.tostring(document, encoding="unicode") + _end(xml)


def _end(xml: str) -> str:
    """Whitespace after the document, which lxml forgets."""
    return xml[len(xml.rstrip()) :]


def _merge(nova_s: etree._Element, ours: etree._Element) -> bool:
    """Put our children in the place of Nova's; whether any was changed."""
    changed = False
    for child in list(ours):
        old = _same(nova_s, child)
        if old is None:
            _append(nova_s, child)
        elif _said(old) != _said(child):
            child.tail = old.tail
            nova_s.replace(old, child)
            _indent(child)
        else:
            continue
        changed = True
    return changed


def _same(
    parent: etree._Element, wanted: etree._Element
) -> etree._Element | None:
    names = [name for name in _IDENTITY if name in wanted.attrib]
    for child in parent.iterchildren(str(wanted.tag)):
        if all(child.get(name) == wanted.get(name) for name in names):
            return child
    return None


def _append(parent: etree._Element, child: etree._Element) -> None:
    parent.append(child)
    _indent(parent)


def _indent(element: etree._Element) -> None:
    """Space an element as Nova does, its tail left alone."""
    tail = element.tail
    etree.indent(element, "  ", level=len(list(element.iterancestors())))
    element.tail = tail


def _said(element: etree._Element) -> tuple[object, ...]:
    """An element by its meaning: spacing and spelling do not matter."""
    attributes = dict(_UNSAID.get(str(element.tag), {}))
    attributes |= {str(key): str(text) for key, text in element.items()}
    return (
        element.tag,
        sorted(attributes.items()),
        (element.text or "").strip(),
        [_said(child) for child in element],
    )
