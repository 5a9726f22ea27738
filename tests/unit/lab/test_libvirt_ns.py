"""Kernel CPU masks, as sysfs has them."""

import pytest

from lab.libvirt_ns import mask, with_accounts


@pytest.mark.parametrize("cpus, like, expected", [
    pytest.param({0, 1}, "3", "3", id="two CPUs in one digit"),
    pytest.param({1}, "0f", "02", id="leading zeros are kept"),
    pytest.param({0, 33}, "00000000,00000001", "00000002,00000001",
                 id="a second word"),
    pytest.param({36}, "00,00000000", "10,00000000",
                 id="a first word that is short"),
])
def test_mask(cpus: set[int], like: str, expected: str) -> None:
    assert mask(cpus, like) == expected


@pytest.mark.parametrize("there, wanted, expected", [
    pytest.param("root:x:0:\n", ("kvm:x:7:",), "root:x:0:\nkvm:x:7:\n",
                 id="one that is missing"),
    pytest.param("kvm:x:108:\n", ("kvm:x:7:",), "kvm:x:108:\n",
                 id="one that is there stays as it is"),
    pytest.param("root:x:0:", ("kvm:x:7:",), "root:x:0:\nkvm:x:7:\n",
                 id="a last line without its end"),
])
def test_accounts(there: str, wanted: tuple[str, ...], expected: str) -> None:
    assert with_accounts(there, wanted) == expected
