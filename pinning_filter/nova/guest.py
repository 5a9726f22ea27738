"""A flavor and an image as they were asked for, read by Nova.

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

# All of Nova's objects, as register_all() has them, take a second more.
from nova.objects import flavor as _flavor  # noqa: F401
from nova.objects import image_meta
from nova.objects import instance_numa as _instance_numa  # noqa: F401
from nova.virt import hardware

from pinning_filter.core.errors import InputError, Invalid
from pinning_filter.core.request import Request
from pinning_filter.libvirt.domain import Settings
from pinning_filter.nova import guest_topology, limits, loading


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
        # Nova's libvirt driver, which it reads from, takes half a second.
        from pinning_filter.nova import settings as nova_settings

        with complaints("the guest"):
            return nova_settings.settings(
                self.flavor, self.image, shared_set=frozenset(shared)
            )


def guest(
    vcpus: int,
    ram_mib: int,
    extra_specs: Mapping[str, str],
    image_properties: Mapping[str, str],
) -> Guest:
    """A guest, as Nova's API would take it.

    :raises InputError: with Nova's own words for what it would refuse.
    """
    asked = flavor("flavor", vcpus, ram_mib, specs(extra_specs))
    return read(asked, image(image_properties))


def specs(
    given: Mapping[str, str], what: str = "--property"
) -> dict[str, str]:
    """Extra specs, as Nova's API would take them.

    :param what: where they come from, for complaints.
    :raises InputError: naming the one that Nova refuses.
    """
    for key, value in given.items():
        limits.check(f"{what} {key}", key, value)
        with complaints(f"{what} {key}={value}"):
            loading.extra_spec_validators().validate(key, value)
    return dict(given)


def ignored(
    extra_specs: Iterable[str], image_properties: Iterable[str]
) -> Iterator[str]:
    """A sentence for each key that is spelt as it is on the other side."""
    for key in extra_specs:
        meant = key.replace("_", ":", 1)
        if ":" not in key and _is_spec(meant):
            yield (
                f"--property {key}: Nova ignores this key of a flavor; "
                f"do you mean {meant}?"
            )
    known = image_meta.ImageMetaProps.fields
    for key in image_properties:
        meant = key.replace(":", "_", 1)
        if meant != key and meant.partition(".")[0] in known:
            yield (
                f"--image-property {key}: Nova ignores this property of an "
                f"image; do you mean {meant}?"
            )


def _is_spec(key: str) -> bool:
    return any(
        re.fullmatch(known.name_regex, key)
        for known in loading.extra_spec_validators().VALIDATORS.values()
    )


def flavor(
    name: str,
    vcpus: int,
    ram_mib: int,
    extra_specs: Mapping[str, str],
    disk_gib: int = 0,
) -> objects.Flavor:
    """A flavor as Nova's own object."""
    return objects.Flavor(
        name=name,
        flavorid=name,
        vcpus=vcpus,
        memory_mb=ram_mib,
        root_gb=disk_gib,
        ephemeral_gb=0,
        swap=0,
        extra_specs=dict(extra_specs),
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
            topology and guest_topology.request_from_nova(topology),
        )


def image(
    properties: Mapping[str, str], what: str = "--image-property"
) -> objects.ImageMeta:
    """An image of these properties, as Nova reads them.

    :param what: where they come from, for complaints.
    :raises InputError: naming the property that Nova refuses, or one that
        it would pass over.
    """
    known = image_meta.ImageMetaProps.fields
    for key, value in properties.items():
        limits.check(f"{what} {key}", key, value)
        # One by one: Nova does not say which of them it dislikes.
        with complaints(f"{what} {key}={value}"):
            objects.ImageMeta.from_dict({"properties": {key: value}})
        # Nova passes over what it does not know, typing errors included.
        if key.startswith("hw_") and key.partition(".")[0] not in known:
            close = difflib.get_close_matches(key, known, 1)
            raise InputError(
                f"{what} {key}: Nova knows no such property"
                + (f"; do you mean {close[0]}?" if close else "")
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
