"""An S3 server in a namespace of a test: rclone over files of a ConfigMap, gone with the namespace."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from e2e.cluster.target import image
from e2e.scenarios.conditions import condition, pod_line
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CONFIG_MAP, DEPLOYMENT, POD, SERVICE, Resource
from foretide.serving import security
from foretide.serving.download import DownloadSettings

if TYPE_CHECKING:
    from e2e.scenarios.tenant import Tenant

# Other clusters pull what users pull.
EMBEDDED: Final = os.environ.get("CLUSTER", "embedded") == "embedded"
RCLONE: Final = image("rclone") if EMBEDDED else DownloadSettings().image
SECRET: Final = Resource("v1", "Secret", "secrets", namespaced=True)
NAME: Final = "store"
PORT: Final = 9000
KEY_ID: Final = "e2e-key"
KEY: Final = "e2e-secret-that-no-status-shows"


@dataclass(frozen=True, slots=True)
class Store:
    """One server, whose buckets are the first folders of its files."""

    tenant: Tenant

    @classmethod
    def open(cls, tenant: Tenant, files: dict[str, bytes], *, bytes_per_second: str = "") -> Store:
        """Serves files by their paths, bucket first; waits until it answers."""
        store, labels = cls(tenant), {"app": NAME}
        keys = {f"file-{index}": content for index, content in enumerate(files.values())}
        data = {key: base64.b64encode(content).decode() for key, content in keys.items()}
        tenant.api.apply(CONFIG_MAP, {"metadata": store._named(NAME), "binaryData": data})
        mounts = [
            # One by one: a ConfigMap's folder is made of links, which rclone does not follow.
            {"name": "files", "mountPath": f"/data/{path}", "subPath": key, "readOnly": True}
            for key, path in zip(keys, files, strict=True)
        ]
        arguments = ["serve", "s3", "/data", f"--addr=:{PORT}", f"--auth-key={KEY_ID},{KEY}", "--config=/notfound"]
        container = {
            "name": NAME,
            "image": RCLONE,
            "imagePullPolicy": "IfNotPresent",
            "command": ["rclone"],
            "args": [*arguments, *([f"--bwlimit={bytes_per_second}"] if bytes_per_second else [])],
            "env": [{"name": "XDG_CACHE_HOME", "value": "/data"}],
            "ports": [{"name": "s3", "containerPort": PORT, "protocol": "TCP"}],
            "readinessProbe": {"tcpSocket": {"port": "s3"}, "periodSeconds": 1},
            "securityContext": security.container_security_context(),
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, *mounts],
        }
        pod = {
            "automountServiceAccountToken": False,
            "securityContext": security.pod_security_context(),
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "files", "configMap": {"name": NAME}}],
        }
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        tenant.api.apply(DEPLOYMENT, {"metadata": store._named(NAME), "spec": spec})
        ports = [{"name": "s3", "port": PORT, "targetPort": "s3", "protocol": "TCP"}]
        tenant.api.apply(SERVICE, {"metadata": store._named(NAME), "spec": {"selector": labels, "ports": ports}})
        store.until_serving()
        return store

    def credentials(self, name: str, *, key: str = KEY) -> str:
        """A Secret for it, as docs/model-sources.md says; returns its name."""
        data = {
            "access_key_id": KEY_ID,
            "secret_access_key": key,
            "endpoint": f"http://{NAME}.{self.tenant.namespace}.svc:{PORT}",
        }
        self.tenant.api.apply(SECRET, {"metadata": self._named(name), "stringData": data})
        return name

    def kill(self) -> None:
        """Ends the server as a node that loses power does; its Deployment makes another."""
        for pod in self._pods():
            self.tenant.api.delete(POD, pod["metadata"]["name"], namespace=self.tenant.namespace, grace_seconds=0)

    def until_serving(self, *, within_seconds: float = 60.0) -> None:
        """Waits until a pod of it is ready."""

        def probe() -> bool:
            return any(condition(pod, "Ready").get("status") == "True" for pod in self._pods())

        def shows() -> list[str]:
            return [pod_line(pod) for pod in self._pods()]

        until("the S3 server is ready", probe, within_seconds=within_seconds, shows=shows)

    def _pods(self) -> list[Any]:
        found = self.tenant.api.select(POD, namespace=self.tenant.namespace, labels=f"app={NAME}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def _named(self, name: str) -> dict[str, str]:
        return {"name": name, "namespace": self.tenant.namespace}
