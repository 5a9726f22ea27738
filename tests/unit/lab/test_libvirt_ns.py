"""Kernel CPU masks, as sysfs has them."""

import pytest

from lab.libvirt_ns import mask


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
