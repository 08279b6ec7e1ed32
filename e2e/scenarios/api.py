"""The Kubernetes API as the tests use it: dictionaries in and out, and the API server's own words when it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from kubernetes import client, config

from e2e.cluster import Cluster
from foretide.adapters.resources import Object, Resource

MANAGER: Final = "e2e"
TIMEOUT_SECONDS: Final = 15.0

NAMESPACE: Final = Resource("v1", "Namespace", "namespaces", namespaced=False)


class ApiRefused(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One connection pool to the API server of a cluster; safe to use from several threads."""

    def __init__(self, cluster: Cluster) -> None:
        configuration = client.Configuration()
        config.load_kube_config(
            config_file=str(cluster.kubeconfig),
            context=cluster.context or None,
            client_configuration=configuration,
            persist_config=False,
        )
        configuration.connection_pool_maxsize = 16
        self._client = client.ApiClient(configuration)

    def get(self, resource: Resource, name: str, *, namespace: str = "") -> Object | None:
        """The object, or None where there is none."""
        try:
            return self._object("GET", resource.path(namespace=namespace or None, name=name))
        except ApiRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def select(self, resource: Resource, *, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects, or those of one namespace."""
        found = self._object("GET", resource.path(namespace=namespace or None), {"labelSelector": labels})
        return list(found["items"])

    def apply(self, resource: Resource, obj: Object) -> Object:
        """Server-side apply of an object, which need not name its kind."""
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        path = resource.path(namespace=obj["metadata"].get("namespace"), name=obj["metadata"]["name"])
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        return self._object("PATCH", path, query, whole, "application/apply-patch+yaml")

    def create(self, resource: Resource, obj: Object) -> Object:
        """Creates an object; refused with 409 when it exists."""
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        return self._object("POST", resource.path(namespace=obj["metadata"].get("namespace")), {}, whole)

    def patch(
        self,
        resource: Resource,
        name: str,
        change: Object | list[Object],
        *,
        namespace: str = "",
        subresource: str = "",
    ) -> Object:
        """What a person does with `kubectl edit`: a merge patch, or a JSON patch where it is a list."""
        path = resource.path(namespace=namespace or None, name=name, subresource=subresource or None)
        kind = "json-patch" if isinstance(change, list) else "merge-patch"
        return self._object("PATCH", path, {"fieldManager": "kubectl-edit"}, change, f"application/{kind}+json")

    def delete(self, resource: Resource, name: str, *, namespace: str = "", grace_seconds: int | None = None) -> None:
        """Starts the deletion; an object that is gone already is fine."""
        query = {"propagationPolicy": "Background"}
        if grace_seconds is not None:
            query["gracePeriodSeconds"] = str(grace_seconds)
        try:
            self._object("DELETE", resource.path(namespace=namespace or None, name=name), query)
        except ApiRefused as refusal:
            if refusal.status != 404:
                raise

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """A GET whose answer is not an object: logs, and pods and services through the API server's proxy."""
        return self.raw("GET", path, query or {}).decode(errors="replace")

    def raw(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The bytes of any answer below status 400; raises ApiRefused for the others."""
        _, url, all_headers, _, _ = self._client.param_serialize(
            method, path, None, list(query.items()), dict(headers or {}), None, auth_settings=["BearerToken"]
        )
        answer = self._client.rest_client.pool_manager.request(
            method, url, body=body, headers=all_headers, timeout=TIMEOUT_SECONDS, retries=False
        )
        data: bytes = answer.data
        if answer.status >= 400:
            raise ApiRefused(answer.status, _words(data))
        return data

    def _object(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": content_type}
        answer: dict[str, Any] = json.loads(self.raw(method, path, query or {}, data, headers))
        return answer

    def close(self) -> None:
        """Ends the connections."""
        self._client.rest_client.pool_manager.clear()


def _words(data: bytes) -> str:
    """The message of a Status object, or the answer as it is."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data[:500].decode(errors="replace")
