"""What the packing benchmark runs: hosts, flavors, and who comes when.

Knows nothing of filters, weighers or the engine.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence

GIB = 1024  #: in MiB


@dataclasses.dataclass(frozen=True)
class HostShape:
    """Hosts that are alike."""

    count: int
    cells: int
    cores: int  #: of one host cell
    threads: int
    memory_gib: int  #: of one host cell
    huge_gib: int = 0  #: how much of it in pages of 1 GiB
    devices: int = 0  #: PCI devices near each host cell

    @property
    def pcpus(self) -> int:
        return self.count * self.cells * self.cores * self.threads

    @property
    def memory(self) -> int:
        return self.count * self.cells * self.memory_gib


@dataclasses.dataclass(frozen=True)
class Flavor:
    """Guests that are alike."""

    weight: float  #: how often one comes
    vcpus: int
    gib_per_vcpu: float = 2
    policy: str = "prefer"
    cells: int = 1
    huge: bool = False  #: in pages of 1 GiB
    devices: int = 0  #: PCI devices, required near one of its cells

    @property
    def memory_gib(self) -> float:
        return self.vcpus * self.gib_per_vcpu


@dataclasses.dataclass(frozen=True)
class Mix:
    """A cloud, and the guests that come to it."""

    name: str
    title: str
    hosts: Sequence[HostShape]
    flavors: Sequence[Flavor]

    @property
    def pcpus(self) -> int:
        return sum(shape.pcpus for shape in self.hosts)

    @property
    def memory(self) -> int:
        return sum(shape.memory for shape in self.hosts)

    @property
    def vcpus(self) -> float:
        """Of a guest, on average."""
        weights = sum(flavor.weight for flavor in self.flavors)
        return (
            sum(flavor.weight * flavor.vcpus for flavor in self.flavors)
            / weights
        )


@dataclasses.dataclass(frozen=True)
class Guest:
    """One guest that comes, stays if it is let in, and goes."""

    flavor: Flavor
    comes: float  #: in mean lifetimes since the beginning
    goes: float


def arrivals(mix: Mix, load: float, count: int, seed: int) -> Iterator[Guest]:
    """Guests in the order of their coming; they come and go at random.

    Poisson arrivals and exponential lifetimes, so that on average ``load``
    times the pCPUs of the cloud would be in use if everybody was let in.
    """
    rng = random.Random(f"{mix.name} {seed}")
    rate = load * mix.pcpus / mix.vcpus
    weights = [flavor.weight for flavor in mix.flavors]
    now = 0.0
    for _ in range(count):
        now += rng.expovariate(rate)
        (flavor,) = rng.choices(mix.flavors, weights)
        yield Guest(flavor, now, now + rng.expovariate(1))


def _general() -> list[Flavor]:
    flavors = []
    for vcpus, often in (
        (1, 15),
        (2, 25),
        (4, 25),
        (8, 20),
        (16, 10),
        (32, 5),
    ):
        for policy in ("prefer", "require") if vcpus > 1 else ("prefer",):
            part = often / (2 if vcpus > 1 else 1)
            if vcpus < 8:
                flavors.append(Flavor(part, vcpus, policy=policy))
            else:
                flavors.append(Flavor(part * 0.75, vcpus, policy=policy))
                flavors.append(
                    Flavor(part * 0.25, vcpus, policy=policy, cells=2)
                )
    return flavors


def _web() -> list[Flavor]:
    return [
        Flavor(often * share * part, vcpus, rate, policy)
        for vcpus, often in (
            (1, 25),
            (2, 20),
            (3, 20),
            (5, 15),
            (6, 10),
            (7, 10),
        )
        for rate, share in ((1, 0.3), (2, 0.4), (6, 0.3))
        for policy, part in (("prefer", 0.8), ("require", 0.2))
        if vcpus > 1 or policy == "prefer"
    ]


MIXES = (
    Mix(
        "general",
        "1-32 vCPUs",
        [HostShape(40, 2, 16, 2, 128)],
        _general(),
    ),
    Mix(
        "telco",
        "telco",
        [HostShape(40, 2, 20, 2, 192, huge_gib=160, devices=8)],
        [
            Flavor(35, 16, 4, "require", 2, huge=True, devices=2),
            Flavor(25, 24, 4, "require", 2, huge=True, devices=2),
            Flavor(25, 8, 4, "require", huge=True, devices=1),
            Flavor(15, 4, 1, "prefer"),
        ],
    ),
    Mix(
        "hpc",
        "HPC",
        [HostShape(40, 2, 16, 2, 128)],
        [
            Flavor(40, 32, 3.5, "require"),
            Flavor(20, 64, 3.5, "require", 2),
            Flavor(20, 8, 3),
            Flavor(20, 2, 3),
        ],
    ),
    Mix("web", "web, odd sizes", [HostShape(40, 2, 16, 2, 96)], _web()),
    Mix(
        "shapes",
        "1-32 vCPUs, unlike hosts",
        [
            HostShape(16, 2, 16, 2, 128),
            HostShape(10, 1, 24, 1, 128),
            HostShape(8, 4, 8, 2, 64),
            HostShape(6, 8, 8, 2, 64),
        ],
        _general(),
    ),
)
