"""A document of libvirt's -> its root element, whoever wrote the text.

First thing that every reader of this room does. What a document means is not
known here.
"""

from __future__ import annotations

from lxml import etree

from pinning_filter.core.errors import Invalid


def root(
    text: str | bytes, tag: str, error: type[Invalid], what: str, prints: str
) -> etree._Element:
    """Parse without entities, files or network: the text may be anybody's.

    :param tag: of the root element.
    :param error: what is raised for anything else.
    :param what: the document, as a complaint has it.
    :param prints: the command that prints such a document.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    data = text.encode() if isinstance(text, str) else text
    try:
        found = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as problem:
        raise error(what, [f"it is not XML: {problem.msg}"]) from problem
    if found.getroottree().docinfo.internalDTD is not None:
        raise error(what, ["it has a DOCTYPE, libvirt writes none"])
    if found.tag != tag:
        raise error(
            what,
            [
                f"it is a <{found.tag!s:.40}> document, wanted is <{tag}> as "
                f"{prints} prints it"
            ],
        )
    return found
