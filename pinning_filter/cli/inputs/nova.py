"""What takes Nova to read: flavors, images, and the topologies it keeps.

Extra specs and image properties mean what Nova says they mean, so Nova reads
them, and its complaints become ours.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from nova import exception, objects
from nova.api.validation.extra_specs import validators
from nova.objects import image_meta
from nova.virt import hardware
from oslo_versionedobjects.exception import VersionedObjectsException

from pinning_filter import nova_guest, nova_host, nova_objects
from pinning_filter.cli.cloud.snapshot import Flavor
from pinning_filter.cli.inputs import limits
from pinning_filter.cli.output import InputError, warn
from pinning_filter.core.errors import Invalid
from pinning_filter.core.host import Host
from pinning_filter.core.request import Request
from pinning_filter.domain_xml import Settings

objects.register_all()


@dataclasses.dataclass(frozen=True, slots=True)
class Guest:
    """A flavor and an image, read by Nova."""

    flavor: objects.Flavor
    image: objects.ImageMeta
    #: What is asked of a host's NUMA cells; None where nothing is.
    request: Request | None

    def settings(self, shared: Iterable[int]) -> Settings:
        """What the guest's XML says beyond its placement.

        :param shared: the host's shared pCPUs.
        """
        with complaints("the guest"):
            return nova_guest.settings(
                self.flavor, self.image, shared_set=frozenset(shared)
            )


def host(text: bytes) -> Host:
    """A host from the ``numa_topology`` of Nova's ``compute_nodes`` table.

    :raises InputError: if it is not one that this Nova reads.
    :raises InvalidHost: if it is one of a host that cannot be.
    """
    try:
        topology = objects.NUMATopology.obj_from_db_obj(text.decode())
    except (VersionedObjectsException, ValueError) as error:
        raise InputError(
            f"a numa_topology that the installed Nova does not read: {error}"
        ) from error
    except Exception as error:
        # Python's words for whatever Nova stumbles over say nothing.
        raise InputError(
            "a numa_topology that the installed Nova does not read: a field "
            "is missing, or of another kind than Nova writes"
        ) from error
    return nova_host.host_from_nova(topology)


def guest(
    vcpus: int,
    ram_mib: int,
    extra_specs: Mapping[str, str],
    image_properties: Mapping[str, str],
) -> Guest:
    """A guest, as Nova's API would take it.

    :raises InputError: with Nova's own words for what it would refuse.
    """
    flavor = objects.Flavor(
        name="flavor",
        flavorid="flavor",
        vcpus=vcpus,
        memory_mb=ram_mib,
        root_gb=0,
        ephemeral_gb=0,
        swap=0,
        extra_specs=specs(extra_specs),
    )
    return read(flavor, image(image_properties))


def specs(given: Mapping[str, str]) -> dict[str, str]:
    """Extra specs from the command line, as Nova's API would take them.

    :raises InputError: naming the one that Nova refuses.
    """
    for key, value in given.items():
        limits.check(f"--property {key}", key, value)
        with complaints(f"--property {key}={value}"):
            validators.validate(key, value)
        meant = key.replace("_", ":", 1)
        if ":" not in key and _is_spec(meant):
            warn(
                f"--property {key}: Nova ignores this key of a flavor; "
                f"do you mean {meant}?"
            )
    return dict(given)


def _is_spec(key: str) -> bool:
    return any(
        re.fullmatch(known.name_regex, key)
        for known in validators.VALIDATORS.values()
    )


def flavor(known: Flavor) -> objects.Flavor:
    """A flavor as Nova's own object."""
    return objects.Flavor(
        name=known.name,
        flavorid=known.name,
        vcpus=known.vcpus,
        memory_mb=known.ram_mib,
        root_gb=known.disk_gib,
        ephemeral_gb=0,
        swap=0,
        extra_specs=dict(known.extra_specs),
    )


def read(
    flavor: objects.Flavor, image: objects.ImageMeta, what: str = "the guest"
) -> Guest:
    """A guest of this flavor and image.

    :param what: to name in complaints.
    :raises InputError: with Nova's own words for what it would refuse.
    """
    limits.check_flavor(what, flavor)
    with complaints(what):
        topology = hardware.numa_get_constraints(flavor, image)
        return Guest(
            flavor,
            image,
            topology and nova_objects.request_from_nova(topology),
        )


def image(properties: Mapping[str, str]) -> objects.ImageMeta:
    """An image of these properties, as Nova reads them.

    :raises InputError: naming the property that Nova refuses, or one that
        it would pass over.
    """
    known = image_meta.ImageMetaProps.fields
    for key, value in properties.items():
        limits.check(f"--image-property {key}", key, value)
        # One by one: Nova does not say which of them it dislikes.
        with complaints(f"--image-property {key}={value}"):
            objects.ImageMeta.from_dict({"properties": {key: value}})
        # Nova passes over what it does not know, typing errors included.
        if key.startswith("hw_") and key.partition(".")[0] not in known:
            close = difflib.get_close_matches(key, known, 1)
            raise InputError(
                f"--image-property {key}: Nova knows no such property"
                + (f"; do you mean {close[0]}?" if close else "")
            )
        meant = key.replace(":", "_", 1)
        if meant != key and meant.partition(".")[0] in known:
            warn(
                f"--image-property {key}: Nova ignores this property of an "
                f"image; do you mean {meant}?"
            )
    with complaints("the image"):
        return objects.ImageMeta.from_dict({"properties": dict(properties)})


@contextmanager
def complaints(what: str) -> Iterator[None]:
    """Turn what Nova raises into an error that names its cause."""
    try:
        yield
    except exception.NovaException as error:
        raise InputError(f"{what}: {error.format_message()}") from error
    except (Invalid, ValueError, TypeError) as error:
        said = str(error)
        if said.startswith("invalid literal for int()"):
            said = "it is not a whole number"
        raise InputError(f"{what}: {said}") from error
