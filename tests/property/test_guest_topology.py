"""The guest's CPU topology beside the one that Nova chooses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nova import exception, objects
from nova.virt import hardware

from pinning_filter.libvirt.domain import Topology
from pinning_filter.nova import settings as nova_settings

objects.register_all()

#: Without "0", which Nova's API takes from no flavor.
NUMBERS = st.integers(1, 30)
KEYS = ["sockets", "cores", "threads"]
MOST = [f"max_{key}" for key in KEYS]


def asked(prefix):
    return st.dictionaries(
        st.sampled_from([prefix + key for key in KEYS + MOST]), NUMBERS
    )


@given(st.integers(1, 24), asked("hw:cpu_"), asked("hw_cpu_"))
def test_the_topology_is_nova_s(vcpus, specs, properties):
    flavor = objects.Flavor(
        vcpus=vcpus,
        memory_mb=64,
        extra_specs={key: str(number) for key, number in specs.items()},
    )
    image = objects.ImageMeta.from_dict({"properties": properties})
    try:
        best = hardware.get_best_cpu_topology(flavor, image)
    except exception.NovaException as error:
        with pytest.raises(type(error)) as caught:
            nova_settings.settings(flavor, image)
        assert str(caught.value) == str(error)
        return
    found = nova_settings.settings(flavor, image).topology
    if specs or properties:
        assert found == Topology(best.sockets, best.cores, best.threads)
    else:
        assert found is None
