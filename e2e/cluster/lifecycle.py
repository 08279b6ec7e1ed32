"""`up`: brings the cluster of this machine to life from any state: nothing, half, killed, rebooted, or already well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import api, binaries, cgroups, checks, commands, components, network, packages, pki, processes, teardown
from .artefacts import Artefacts
from .cluster import Cluster
from .components import NODE
from .errors import ClusterError
from .images import IMAGES, Builder, Image, import_missing
from .lock import exclusive
from .paths import ADMIN_KUBECONFIG, BIN, CONTAINERD_SOCKET, HERE, RUN, STATE, cache_folder
from .processes import Daemon
from .progress import Progress

BOOT: Final = STATE / "boot_id"
MANIFESTS: Final = HERE / "manifests"
USER_PROGRAMS: Final = ("kubectl", "helm", "prometheus", "promtool")


def up(progress: Progress | None = None) -> Cluster:
    """The embedded cluster, with node, DNS and Prometheus ready and the images loaded. Does only what is missing."""
    shown = progress or Progress()
    checks.machine()
    with exclusive(shown.say):
        started = time.monotonic()
        changed = _Up(shown, cache_folder()).run()
        seconds = time.monotonic() - started
        shown.say(
            f"The cluster is up ({seconds:.1f} s)." if changed else f"The cluster was up already ({seconds:.1f} s)."
        )
    return Cluster(ADMIN_KUBECONFIG, BIN)


def down(progress: Progress | None = None) -> None:
    """Nothing of the cluster is left on this machine but the cache."""
    shown = progress or Progress()
    checks.machine()
    with exclusive(shown.say):
        teardown.remove(shown)


def load(names: Iterable[str], progress: Progress | None = None) -> tuple[str, ...]:
    """Builds anew the images whose inputs changed, imports them into the running cluster, and returns those."""
    shown = progress or Progress()
    checks.machine()
    with exclusive(shown.say):
        if processes.running("containerd") is None:
            raise ClusterError("The embedded cluster is not running: run `python -m e2e.cluster up` first.")
        work = _Up(shown, cache_folder())
        programs = work.artefacts.path("bin", binaries.key(binaries.find_go(work.cache)))
        return import_missing(work.archives([IMAGES[name] for name in names], programs), shown)


@dataclass(slots=True)
class _Up:
    progress: Progress
    cache: Path
    changed: bool = False

    @property
    def artefacts(self) -> Artefacts:
        return Artefacts(self.cache / "artefacts")

    @property
    def builder(self) -> Builder:
        return Builder(self.artefacts, self.cache, self.progress)

    def run(self) -> bool:
        """True if anything had to be done."""
        go = binaries.find_go(self.cache)
        checks.ports_free()
        if not self._built(go):
            checks.disk(self.cache, STATE)
        self._forget_an_earlier_boot()
        teardown.discard_builds()
        pool = ThreadPoolExecutor(max_workers=3)
        try:
            # Compiling needs the processors, the rest mostly the network: together they take as long as the longest.
            programs = pool.submit(binaries.build, go, self.artefacts, self.cache, self.progress)
            packages.install(self.progress)
            root = pool.submit(self.builder.root)
            wheels = [pool.submit(self.builder.packages, image) for image in IMAGES.values() if image.requirements]
            images = pool.submit(self._python_images, [root, *wheels])
            self._all_or_none((programs, root, *wheels, images), until=programs)
            self._start(programs.result())
            self._all_or_none((images,), until=images)
            self._fill(programs.result())
        except BaseException:
            commands.stop_all()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return self.changed

    def archives(self, images: Iterable[Image], programs: Path) -> list[tuple[Image, str, Path]]:
        """Each image with its key and archive, built now if need be."""
        wanted = list(images)
        if all(self.artefacts.has(f"image-{i.name}", i.key(programs)) for i in wanted):
            return [(i, i.key(programs), self.builder.archive(i, programs)) for i in wanted]
        self.changed = True
        with self.builder.buildah.storage():
            return [(i, i.key(programs), self.builder.archive(i, programs)) for i in wanted]

    def _built(self, go: binaries.Go) -> bool:
        return self.artefacts.has("bin", binaries.key(go))

    def _python_images(self, needed: list[Future[Path] | Future[Path | None]]) -> None:
        """The images that hold no program of ours are built while the programs still compile."""
        for future in needed:
            future.result()
        self.archives((image for image in IMAGES.values() if image.requirements), Path("none"))

    def _all_or_none(self, futures: Iterable[Future[Any]], *, until: Future[Any]) -> None:
        """Returns when `until` is done; raises as soon as one of them fails."""
        pending = set(futures)
        while not until.done():
            done, pending = wait(pending, return_when=FIRST_EXCEPTION, timeout=1.0)
            for future in done:
                future.result()
        until.result()

    def _forget_an_earlier_boot(self) -> None:
        """State of before a reboot goes: its etcd ran without fsync, its mounts and addresses are gone."""
        boot = processes.BOOT.read_text()
        if STATE.exists() and (not BOOT.exists() or BOOT.read_text() != boot):
            self.progress.say(
                "Found what was left by an earlier boot, or by a `down` that was cut short; removing it first."
            )
            teardown.remove(self.progress)
        for folder in (RUN, STATE):
            folder.mkdir(mode=0o755, exist_ok=True)
        BOOT.write_text(boot)

    def _start(self, programs: Path) -> None:
        pki.ensure()
        _link(ADMIN_KUBECONFIG, pki.FOLDER / "admin.kubeconfig")
        for name in USER_PROGRAMS:
            _link(BIN / name, programs / name)
        network.ensure()
        cgroups.ensure()
        components.write_configuration()
        with self.progress.step("control plane"):
            self._daemon(components.etcd(programs))
            self._daemon(components.apiserver(programs), api.apiserver_ready, seconds=90)
            self._daemon(components.controller_manager(programs))
            self._daemon(components.scheduler(programs))
            self._daemon(components.containerd(), _containerd_ready, seconds=30)
            self._daemon(components.kube_proxy(programs))
            Cluster(ADMIN_KUBECONFIG, BIN).apply(MANIFESTS / "kube-dns.yaml")
            self._daemon(components.coredns(programs))
            self._daemon(components.kubelet(programs))  # takes ten seconds to be ready, while images are imported

    def _fill(self, programs: Path) -> None:
        images = self.archives(IMAGES.values(), programs)
        self.changed |= bool(import_missing(images, self.progress))
        with self.progress.step("node"):
            processes.wait_for("kubelet", lambda: api.kubelet_ready() and api.node_ready(NODE), seconds=120)
            processes.wait_for("kube-proxy", api.proxy_ready, seconds=60)
        with self.progress.step("name resolution"):
            processes.wait_for("coredns", api.dns_ready, seconds=60)
        with self.progress.step("Prometheus"):
            Cluster(ADMIN_KUBECONFIG, BIN).apply(MANIFESTS / "prometheus.yaml")
            processes.wait_for("kubelet", api.prometheus_ready, seconds=120)

    def _daemon(self, daemon: Daemon, ready: Callable[[], bool] | None = None, *, seconds: float = 30.0) -> None:
        self.changed |= processes.ensure(daemon)
        if ready is not None:
            processes.wait_for(daemon.name, ready, seconds=seconds)


def _containerd_ready() -> bool:
    return commands.succeeds(["ctr", "--address", CONTAINERD_SOCKET, "version"])


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
