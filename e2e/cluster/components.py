"""The programs of the cluster: their arguments and configuration files. What an unusual one is for stands beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Final

from . import cgroups, pki
from .network import BRIDGE, DNS_ADDRESS, NODE_ADDRESS, POD_RANGE, SERVICE_RANGE
from .paths import CONTAINERD_SOCKET, RUN, STATE
from .processes import Daemon

NODE: Final = "node1"
CONFIG: Final = RUN / "config"
DNS_PORT: Final = 10053  # 5353 would meet a multicast-DNS responder on a desktop
PAUSE_IMAGE: Final = "localhost/foretide/pause:1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a control plane is on this machine: its certificates, its data and its ports."""

    keys: Path
    state: Path
    listens_on: str
    etcd_port: int
    peer_port: int
    api_port: int
    controllers_port: int
    scheduler_port: int

    @property
    def etcd(self) -> str:
        return f"http://127.0.0.1:{self.etcd_port}"


# 127.0.0.1 for users, the node's address for pods.
CLUSTER: Final = Place(pki.FOLDER, STATE, "0.0.0.0", 2379, 2380, 6443, 10257, 10259)

CONTAINERD_CONFIG: Final = f"""\
version = 2
root = "{STATE}/containerd"
state = "{RUN}/containerd"
# opt would make /opt/containerd; the other snapshotters only complain about file systems that are not there
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # without CAP_SYS_RESOURCE every sandbox dies: "can't get final child's PID from pipe: EOF"
  restrict_oom_score_adj = true
  # below our own folder, so that `down` knows which network namespaces are ours
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{CONFIG}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{RUN}/runc"
"""

CNI_CONFIG: Final = {
    "cniVersion": "1.0.0",
    "name": "foretide",
    "plugins": [
        {
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": True,
            "ipMasq": False,  # pods talk to pods, to services and to this machine; to nothing outside
            "hairpinMode": True,  # a pod may call its own service
            "ipam": {
                "type": "host-local",
                "dataDir": f"{RUN}/cni",
                "ranges": [[{"subnet": POD_RANGE}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}

KUBELET_CONFIG: Final = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": NODE_ADDRESS,
    "failCgroupV1": False,
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": f"/{cgroups.NAME}",
    "failSwapOn": False,
    "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": False},
        "x509": {"clientCAFile": f"{pki.FOLDER}/ca.crt"},
    },
    "authorization": {"mode": "AlwaysAllow"},
    "tlsCertFile": f"{pki.FOLDER}/kubelet.crt",
    "tlsPrivateKeyFile": f"{pki.FOLDER}/kubelet.key",
    "clusterDNS": [DNS_ADDRESS],
    "clusterDomain": "cluster.local",
    "podLogsDir": f"{STATE}/pod-logs",
    "volumePluginDir": f"{STATE}/kubelet/volume-plugins",  # the default is in /usr/libexec
    "evictionHard": {},  # a full disk of the developer is no reason to kill pods
    "imageGCHighThresholdPercent": 100,  # images come from no registry: one that is collected is gone
    "localStorageCapacityIsolation": False,
    "enforceNodeAllocatable": [],
    "fileCheckFrequency": "0s",
    "httpCheckFrequency": "0s",
    "nodeStatusUpdateFrequency": "5s",
    "syncFrequency": "10s",
    "maxPods": 250,
    # With the default period of 100 ms a pod limited to 0.3 of a core answers a single request at full speed and then
    # stands still: batch times learned at low load promised 39 requests/s where 35 were the most. In slices of 10 ms
    # the limit acts like a slower core, at any load.
    "featureGates": {"CustomCPUCFSQuotaPeriod": True, "KubeletCrashLoopBackOffMax": True},
    "cpuCFSQuotaPeriod": "10ms",
    # A container that was mended starts within 10 s, not within 5 min, after however many failures.
    "crashLoopBackOff": {"maxContainerRestartPeriod": "10s"},
}

PROXY_CONFIG: Final = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "clientConnection": {"kubeconfig": f"{pki.FOLDER}/kube-proxy.kubeconfig"},
    "clusterCIDR": POD_RANGE,
    "mode": "iptables",
    "hostnameOverride": NODE,
    "healthzBindAddress": "127.0.0.1:10256",
    "metricsBindAddress": "127.0.0.1:10249",
    "nodePortAddresses": ["127.0.0.0/8", f"{NODE_ADDRESS}/32"],  # NodePorts answer this machine only
    "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},  # leave the kernel's
    "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
}

COREFILE: Final = f"""\
.:{DNS_PORT} {{
    bind {NODE_ADDRESS}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {pki.FOLDER}/coredns.kubeconfig
        ttl 5
    }}
    loadbalance
}}
"""


def write_configuration() -> None:
    """Every configuration file holds what this module says."""
    (CONFIG / "cni").mkdir(parents=True, exist_ok=True)
    files = {
        "containerd.toml": CONTAINERD_CONFIG,
        "cni/10-foretide.conflist": json.dumps(CNI_CONFIG, indent=1),
        "kubelet.json": json.dumps(KUBELET_CONFIG, indent=1),
        "kube-proxy.json": json.dumps(PROXY_CONFIG, indent=1),
        "Corefile": COREFILE,
    }
    for name, content in files.items():
        # Only on a difference: kube-proxy watches its file and ends when it is written.
        file = CONFIG / name
        if not file.exists() or file.read_text() != content:
            file.write_text(content)


def etcd(programs: Path, place: Place = CLUSTER) -> Daemon:
    peer = f"http://127.0.0.1:{place.peer_port}"
    return Daemon(
        "etcd",
        (
            f"{programs}/etcd",
            f"--data-dir={place.state}/etcd",
            "--unsafe-no-fsync",  # ten times faster; what a power cut spoils is thrown away after the reboot anyway
            f"--listen-client-urls={place.etcd}",
            f"--advertise-client-urls={place.etcd}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
        ),
    )


def apiserver(programs: Path, place: Place = CLUSTER) -> Daemon:
    keys = place.keys
    return Daemon(
        "kube-apiserver",
        (
            f"{programs}/kube-apiserver",
            f"--etcd-servers={place.etcd}",
            f"--bind-address={place.listens_on}",
            f"--advertise-address={NODE_ADDRESS}",
            f"--secure-port={place.api_port}",
            f"--tls-cert-file={keys}/apiserver.crt",
            f"--tls-private-key-file={keys}/apiserver.key",
            f"--client-ca-file={keys}/ca.crt",
            f"--service-account-key-file={keys}/service-account.pub",
            f"--service-account-signing-key-file={keys}/service-account.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            # the second is off by default but on in OpenShift: an operator without `finalizers` rights fails here
            "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
            f"--kubelet-client-certificate={keys}/admin.crt",
            f"--kubelet-client-key={keys}/admin.key",
            "--kubelet-preferred-address-types=InternalIP",  # else `kubectl logs` looks the node's name up in DNS
            f"--requestheader-client-ca-file={keys}/ca.crt",  # these six: aggregated APIs, such as metrics for an HPA
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={keys}/front-proxy.crt",
            f"--proxy-client-key-file={keys}/front-proxy.key",
        ),
        # it keeps watches open for a minute after SIGTERM; etcd loses nothing by its sudden end
        stop_signal=SIGKILL,
    )


def controller_manager(programs: Path, place: Place = CLUSTER) -> Daemon:
    return Daemon(
        "kube-controller-manager",
        (
            f"{programs}/kube-controller-manager",
            f"--kubeconfig={place.keys}/controller-manager.kubeconfig",
            "--bind-address=127.0.0.1",
            f"--secure-port={place.controllers_port}",
            f"--service-account-private-key-file={place.keys}/service-account.key",
            f"--root-ca-file={place.keys}/ca.crt",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--allocate-node-cidrs=false",
            f"--flex-volume-plugin-dir={place.state}/kubelet/volume-plugins",  # the default is in /usr/libexec
        ),
    )


def scheduler(programs: Path, place: Place = CLUSTER) -> Daemon:
    return Daemon(
        "kube-scheduler",
        (
            f"{programs}/kube-scheduler",
            f"--kubeconfig={place.keys}/scheduler.kubeconfig",
            "--bind-address=127.0.0.1",
            f"--secure-port={place.scheduler_port}",
            "--leader-elect=false",
        ),
    )


def containerd() -> Daemon:
    config = CONFIG / "containerd.toml"
    return Daemon("containerd", ("/usr/bin/containerd", "--config", str(config)), (config,))


def kubelet(programs: Path) -> Daemon:
    config = CONFIG / "kubelet.json"
    return Daemon(
        "kubelet",
        (
            f"{programs}/kubelet",
            f"--config={config}",
            f"--kubeconfig={pki.FOLDER}/kubelet.kubeconfig",
            f"--root-dir={STATE}/kubelet",
            f"--hostname-override={NODE}",
            f"--node-ip={NODE_ADDRESS}",
        ),
        (config,),
    )


def kube_proxy(programs: Path) -> Daemon:
    config = CONFIG / "kube-proxy.json"
    return Daemon("kube-proxy", (f"{programs}/kube-proxy", f"--config={config}"), (config,))


def coredns(programs: Path) -> Daemon:
    config = CONFIG / "Corefile"
    return Daemon("coredns", (f"{programs}/coredns", "-conf", str(config)), (config,))


NAMES: Final = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
)
