"""``PinningLibvirtDriver``: Nova's libvirt driver, pinning by our engine.

A thin layer: Nova's driver does everything, and this one

* installs our fit, so that the claims on this compute node are its,
* tells the schedulers so (``pinning_filter.nova.stats``),
* keeps the pCPUs of running guests that Nova does not know (``orphans``),
* looks at its own host, and tells what is wrong there (``watch``),
* hands every guest XML that Nova makes to ``guest_xml``, with the placement
  that was claimed, and the pinning for a live migration likewise.

Guests without a NUMA topology are Nova's alone.
"""

from __future__ import annotations

import functools
from typing import Any

import nova.conf
from nova import objects
from nova.virt.libvirt import driver
from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging

from pinning_filter import opts
from pinning_filter.compute import claims, guest_xml, orphans, watch
from pinning_filter.core.errors import Invalid
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.libvirt import capabilities
from pinning_filter.libvirt import domain as domain_xml
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import guest_topology, releases
from pinning_filter.nova import host as nova_host
from pinning_filter.nova import settings as nova_settings
from pinning_filter.nova import stats as nova_stats

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

opts.register(CONF)

#: Whether Nova asks for the machine type before it locks memory.
_BY_MACHINE = releases.locks_memory_by_machine_type()


class PinningLibvirtDriver(driver.LibvirtDriver):
    """Nova's libvirt driver with our claims and our pinning XML."""

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        nova_fit.install()
        claims.install()
        orphans.install()
        #: Guests that Nova does not know; None: they are not looked for.
        self.orphans = (
            orphans.Orphans(self._host)
            if CONF.pinning_filter.hold_orphaned_pcpus
            else None
        )
        watch.install()
        #: What this compute node finds of itself.
        self.watch = watch.Watch(lambda: self._host.get_connection())

    def init_host(self, host: str) -> None:
        super().init_host(host)
        ours = CONF.pinning_filter
        LOG.info(
            "PinningLibvirtDriver %(version)s is on: guest_cpu_topology is "
            "%(topology)s, align_last_level_cache is %(align)s, "
            "guest_numa_distances is %(distances)s, "
            "emulator_threads_on_first_cell is %(emulator)s, "
            "nearest_numa_cells is %(near)s.",
            {
                "version": nova_stats.version(),
                "topology": ours.guest_cpu_topology,
                "align": ours.align_last_level_cache,
                "distances": ours.guest_numa_distances,
                "emulator": ours.emulator_threads_on_first_cell,
                "near": ours.nearest_numa_cells,
            },
        )
        if ours.align_last_level_cache and not self._aligned_caches():
            LOG.warning(
                "align_last_level_cache has no effect: libvirt reports no "
                "last-level caches of this host."
            )
        if ours.nearest_numa_cells and not self._near_distances():
            LOG.warning(
                "nearest_numa_cells has no effect: libvirt reports no "
                "distances between NUMA cells of this host."
            )

    def _init_host_topology(self) -> None:
        """Read the host while all its dedicated pCPUs are powered up."""
        super()._init_host_topology()
        ours = CONF.pinning_filter
        if (
            ours.align_last_level_cache
            or ours.guest_numa_distances
            or ours.nearest_numa_cells
        ):
            _ = self._layout

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        """Nova's report, with what the schedulers are to know of us."""
        # First, since Nova's own report fails for some of what is found.
        found = self.watch.look(nodename)
        resources = super().get_available_resource(nodename)
        stats = nova_stats.write(
            nova_stats.version(),
            self._aligned_caches(),
            self._near_distances(),
            nova_fit.strategy(),
        )
        resources["stats"] = {
            **(resources.get("stats") or {}), **stats, **found
        }
        return resources

    def _get_guest_xml(
        self,
        context: Any,
        instance: objects.Instance,
        network_info: Any,
        disk_info: Any,
        image_meta: objects.ImageMeta,
        *args: Any,
        **kwargs: Any,
    ) -> str:
        """Nova's document for a guest that is made or made anew."""
        xml = super()._get_guest_xml(
            context,
            instance,
            network_info,
            disk_info,
            image_meta,
            *args,
            **kwargs,
        )
        topology = instance.numa_topology
        placement = self._placement(topology, instance)
        if placement is None:
            return xml
        try:
            settings = self._settings(instance.flavor, image_meta)
            return guest_xml.rewritten(xml, placement, settings)
        except Invalid as error:
            LOG.warning(
                "The guest's XML stays as Nova wrote it: %s",
                error,
                instance=instance,
            )
            return xml

    def _get_live_migrate_numa_info(
        self,
        instance_numa_topology: objects.InstanceNUMATopology | None,
        flavor: objects.Flavor,
        image_meta: objects.ImageMeta,
    ) -> objects.LibvirtLiveMigrateNUMAInfo:
        """The pinning here, for the XML that the source updates.

        A guest that runs keeps the CPUs and cells that it sees.
        """
        info = super()._get_live_migrate_numa_info(
            instance_numa_topology, flavor, image_meta
        )
        placement = self._placement(instance_numa_topology)
        if placement is None or "emulator_pins" not in info:
            return info
        settings = self._settings(flavor, image_meta)
        info.emulator_pins = set(
            domain_xml.emulator_pcpus(placement, settings)
        )
        return info

    def _placement(
        self,
        topology: objects.InstanceNUMATopology | None,
        instance: objects.Instance | None = None,
    ) -> Placement | None:
        """Where the guest was placed; None if that is Nova's business."""
        reported = self._get_host_numa_topology() if topology else None
        if not (topology and reported):
            return None
        try:
            host = nova_host.host_from_nova(reported, networks=False)
            return guest_topology.placement_from_nova(
                self._with_distances(host), topology
            )
        except Invalid as error:
            LOG.warning(
                "The guest's placement cannot be read, and its XML stays as "
                "Nova wrote it: %s",
                error,
                instance=instance,
            )
            return None

    def _settings(
        self, flavor: objects.Flavor, image_meta: objects.ImageMeta
    ) -> domain_xml.Settings:
        ours = CONF.pinning_filter
        return nova_settings.settings(
            flavor,
            image_meta,
            mirror=ours.guest_cpu_topology == "mirror",
            emulator_near_first_cell=ours.emulator_threads_on_first_cell,
            distances=ours.guest_numa_distances,
            online=self._host.get_online_cpus(),
            machine_type=(
                libvirt_utils.get_machine_type(image_meta)
                if _BY_MACHINE
                else None
            ),
        )

    def _with_distances(self, host: Host) -> Host:
        if not CONF.pinning_filter.guest_numa_distances:
            return host
        known = {cell.id: cell.distances for cell in self._layout.cells}
        return host._replace(
            cells=[
                cell._replace(distances=known.get(cell.id, {}))
                for cell in host.cells
            ]
        )

    def _aligned_caches(self) -> nova_stats.Caches:
        """The last-level caches, where guests are to be aligned to them."""
        if not CONF.pinning_filter.align_last_level_cache:
            return {}
        return {
            cell.id: cell.caches for cell in self._layout.cells if cell.caches
        }

    def _near_distances(self) -> nova_stats.Distances:
        """How far cells are, where guests are to sit on near ones."""
        if not CONF.pinning_filter.nearest_numa_cells:
            return {}
        return {
            cell.id: cell.distances
            for cell in self._layout.cells
            if cell.distances
        }

    @functools.cached_property
    def _layout(self) -> Host:
        """Caches and distances, which Nova does not read from libvirt."""
        try:
            return capabilities.read(
                self._host.get_connection().getCapabilities()
            )
        except Invalid as error:
            LOG.warning(
                "Last-level caches and NUMA distances are not known: %s", error
            )
            return Host(())
