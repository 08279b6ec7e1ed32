"""The one gateway to the Kubernetes API: dictionaries in, dictionaries out, two kinds of error.

Raw paths instead of the typed methods of `kubernetes.aio`: building a model of every response costs
1.4 ms of CPU a request, the same request without it 1.0 ms, and what we send are dictionaries anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from email.utils import mktime_tz, parsedate_tz
from typing import Any, Final, Protocol

import aiohttp
import orjson
from kubernetes.aio import client, config

from foretide.adapters.errors import LEASE_LOST, NAMESPACE_TERMINATING, Conflict, Rejected, Unavailable
from foretide.adapters.resources import DEPLOYMENT, POD, Object, Resource, resource_of
from foretide.adapters.trimmed import trimmed

REQUEST_TIMEOUT_SECONDS: Final = 10.0
# The reconcile workers (16), the tick (32 writes at once) and Events (one) share these; kopf's watches and the Lease
# have their own.
CONNECTIONS: Final = 64
# A page is held whole, with managedFields and the specs of pods, and at a start all kinds are listed at once.
PAGE_SIZE: Final = 250
LOG_LIMIT_BYTES: Final = 65_536
# With a parameter, which the API server passes over: of the bare type, and of those with json in their names, the
# client encodes the body itself, which takes three times as long.
APPLY_PATCH: Final = "application/apply-patch+yaml; charset=utf-8"
MERGE_PATCH: Final = "application/merge-patch+json"
SCALE: Final = {"apiVersion": "autoscaling/v1", "kind": "Scale"}
# Its first one, and two more where only the resourceVersion was another one.
SCALE_ATTEMPTS: Final = 3

Known = Callable[[Object], Object | None]


def nothing_known(_: Object) -> None:
    """Of whoever keeps no objects."""


class Kubernetes(Protocol):
    """What the rest of the operator asks of the API server."""

    async def apply(self, obj: Object, *, manager: str, subresource: str | None = None) -> Object:
        """Server-side apply of the full intent of `manager`; returns the live object."""
        ...

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object | None:
        """The object, or None where there is none."""
        ...

    async def list(
        self,
        resource: Resource,
        *,
        label_selector: str = "",
        namespace: str | None = None,
        known: Known = nothing_known,
    ) -> list[Object]:
        """All objects of the kind in the namespace, or in all of them; of what is `known` already as in `trimmed`."""
        ...

    async def scale(self, deployment: Object, *, replicas: int, manager: str) -> str:
        """Sets the number of replicas of this very Deployment through its /scale, and nothing else.

        Returns the resourceVersion that the Deployment has then.

        Raises Conflict where another has its name, or where it has another number of replicas than `deployment` shows
        and not this one: what was decided on is no more.
        """
        ...

    async def logs(self, *, namespace: str, pod: str, container: str, previous: bool) -> str:
        """The end of a container's log (64 KiB at most)."""
        ...

    async def erase_status(self, resource: Resource, obj: Object, fields: Iterable[str], *, manager: str) -> None:
        """Takes fields out of the status of this very object, whoever wrote them; raises Conflict when it has changed
        since it was shown."""
        ...

    async def replace(self, obj: Object) -> Object:
        """Update with the object's resourceVersion as precondition; raises Conflict when it has changed."""
        ...

    async def create(self, obj: Object) -> Object:
        """Creates the object; raises Conflict when it exists."""
        ...

    async def delete(self, resource: Resource, obj: Object) -> None:
        """Deletes this very object and what it owns, if it still is as it was shown; one that is gone already is fine.
        One that is shown without a resourceVersion may have changed.

        Raises Conflict where another has its name, or where it has changed.
        """
        ...


class KubernetesApi:
    """`Kubernetes` over HTTP with one shared connection pool; and what people ask beside the operator (the CLI)."""

    def __init__(self, api_client: client.ApiClient, may_write: Callable[[], bool] = lambda: True) -> None:
        self._client = api_client
        self._may_write = may_write

    def fenced(self, may_write: Callable[[], bool]) -> KubernetesApi:
        """The same gateway, through which nothing is written while `may_write` is false: Unavailable is raised then."""
        return KubernetesApi(self._client, may_write)

    async def apply(
        self, obj: Object, *, manager: str, subresource: str | None = None, dry_run: bool = False
    ) -> Object:
        """As in the protocol; with `dry_run` the answer is what would become of it, and nothing is written."""
        metadata = obj["metadata"]
        path = resource_of(obj).path(
            namespace=metadata.get("namespace"), name=metadata["name"], subresource=subresource
        )
        return trimmed(await self._apply(path, obj, manager=manager, dry_run=dry_run))

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object | None:
        try:
            return trimmed(await self._json("GET", resource.path(namespace=namespace, name=name)))
        except Rejected as error:
            if error.reason == "NotFound":
                return None
            raise

    async def list(
        self,
        resource: Resource,
        *,
        label_selector: str = "",
        namespace: str | None = None,
        known: Known = nothing_known,
    ) -> list[Object]:
        path, query = resource.path(namespace=namespace), {"limit": str(PAGE_SIZE), "labelSelector": label_selector}
        items: list[Object] = []
        while True:
            page = await self._json("GET", path, query=query)
            found = page.get("items")
            if not isinstance(found, list):
                # Taken for an empty list it would mean that everything was deleted.
                raise Unavailable(f"GET {path}: the answer is not a list", reason="Malformed")
            items += [trimmed(obj, known(obj)) for obj in found]
            token = page["metadata"].get("continue")
            if not token:
                return items
            query = {**query, "continue": token}

    async def scale(self, deployment: Object, *, replicas: int, manager: str) -> str:
        present, attempts = deployment, SCALE_ATTEMPTS
        while True:
            metadata = present["metadata"]
            same = {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")}
            # By apply: without an owner of spec.replicas, as after our own apply, an update is entered to nobody.
            body = {**SCALE, "metadata": same, "spec": {"replicas": replicas}}
            path = DEPLOYMENT.path(namespace=metadata["namespace"], name=metadata["name"], subresource="scale")
            try:
                scale = await self._apply(path, body, manager=manager)
                return str(scale["metadata"].get("resourceVersion", metadata["resourceVersion"]))
            except Conflict:
                # Each pod that becomes ready makes another resourceVersion, most of all while a fleet grows.
                found = await self.get(DEPLOYMENT, namespace=metadata["namespace"], name=metadata["name"])
                attempts -= 1
                if found is None:
                    raise
                if _decided_on(found) == (deployment["metadata"]["uid"], replicas):
                    # Reconcile restores what status remembers of a new Deployment, and status told it first.
                    return str(found["metadata"]["resourceVersion"])
                if not attempts or _decided_on(found) != _decided_on(deployment):
                    raise
                present = found

    async def logs(self, *, namespace: str, pod: str, container: str, previous: bool) -> str:
        path = POD.path(namespace=namespace, name=pod, subresource="log")
        query = {
            "container": container,
            "previous": "true" if previous else "false",
            "tailLines": "400",
            "limitBytes": str(LOG_LIMIT_BYTES),
        }
        _, text = await self._request("GET", path, query=query)
        return text.decode(errors="replace")

    async def erase_status(self, resource: Resource, obj: Object, fields: Iterable[str], *, manager: str) -> None:
        metadata = obj["metadata"]
        path = resource.path(namespace=metadata.get("namespace"), name=metadata["name"], subresource="status")
        same = {name: metadata[name] for name in ("uid", "resourceVersion")}
        body = {"metadata": same, "status": dict.fromkeys(fields)}
        await self._json("PATCH", path, query={"fieldManager": manager}, body=body, content_type=MERGE_PATCH)

    async def replace(self, obj: Object) -> Object:
        metadata = obj["metadata"]
        path = resource_of(obj).path(namespace=metadata.get("namespace"), name=metadata["name"])
        return await self._json("PUT", path, body=obj)

    async def create(self, obj: Object) -> Object:
        return await self._json("POST", resource_of(obj).path(namespace=obj["metadata"].get("namespace")), body=obj)

    async def delete(self, resource: Resource, obj: Object) -> None:
        metadata = obj["metadata"]
        same = {name: metadata[name] for name in ("uid", "resourceVersion") if name in metadata}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        path = resource.path(namespace=metadata["namespace"], name=metadata["name"])
        try:
            await self._json("DELETE", path, body={**options, "preconditions": same})
        except Rejected as error:
            if error.reason != "NotFound":
                raise

    async def proxied(self, path: str, *, query: Mapping[str, str]) -> bytes:
        """What a Service answers to a GET through the API server: `path` ends in `/proxy/...`."""
        _, data = await self._request("GET", path, query=query)
        return data

    async def now(self) -> float:
        """The API server's clock in seconds since the epoch, to the second; raises Unavailable where it tells none."""
        headers, _ = await self._request("GET", "/version")
        told = parsedate_tz(headers.get("Date", ""))
        if told is None:
            raise Unavailable("GET /version: the answer has no Date", reason="Malformed")
        return float(mktime_tz(told))

    async def _apply(self, path: str, obj: Object, *, manager: str, dry_run: bool = False) -> Object:
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        try:
            body = orjson.dumps(obj, option=orjson.OPT_NON_STR_KEYS)
        except TypeError as error:  # of a manifest that a person wrote: an integer of more than 64 bits
            raise Rejected(f"PATCH {path}: this cannot be written as JSON: {error}", reason="Malformed") from error
        return await self._json("PATCH", path, query=query, body=body, content_type=APPLY_PATCH)

    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | bytes | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        _, data = await self._request(method, path, query=query, body=body, content_type=content_type)
        try:
            answer = orjson.loads(data)
        except ValueError as error:
            raise Unavailable(f"{method} {path}: the answer is not JSON", reason="Malformed") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("metadata"), dict):
            raise Unavailable(f"{method} {path}: the answer is not a Kubernetes object", reason="Malformed")
        return answer

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | bytes | None = None,
        content_type: str = "application/json",
    ) -> tuple[Mapping[str, str], bytes]:
        if method != "GET" and not self._may_write():
            raise Unavailable(f"{method} {path}: the Lease has run out, another operator may lead", reason=LEASE_LOST)
        headers = {"Accept": "application/json, */*", "Content-Type": content_type}
        try:
            # The body goes around this, which copies it value by value: that took longer than to send it.
            _, url, all_headers, _, _ = await self._client.param_serialize(
                method, path, None, list((query or {}).items()), headers, None, auth_settings=["BearerToken"]
            )
            response = await self._client.call_api(
                method, url, all_headers, body, _request_timeout=REQUEST_TIMEOUT_SECONDS
            )
            data: bytes = await response.read()
        except TimeoutError as error:
            raise Unavailable(
                f"{method} {path}: no answer in {REQUEST_TIMEOUT_SECONDS:g} s", reason="Timeout"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{method} {path}: {error}", reason=type(error).__name__) from error
        if response.status >= 400:
            raise _refusal(response.status, data)
        return response.headers, data


def _decided_on(deployment: Object) -> tuple[str, int]:
    """What a decision on its number is about."""
    return deployment["metadata"]["uid"], deployment["spec"].get("replicas", 1)


def _refusal(status: int, body: bytes) -> Unavailable | Rejected:
    """The API server's Status object as one of our errors."""
    try:
        answer = orjson.loads(body)
        reason, message = str(answer.get("reason") or status), str(answer.get("message") or "no message")
    except (ValueError, AttributeError):
        answer, reason, message = None, str(status), "not a Kubernetes Status"
    if status == 409:
        return Conflict(message, reason=reason)
    if status == 429 or status >= 500:
        return Unavailable(message, reason=reason)
    return Rejected(message, reason=NAMESPACE_TERMINATING if _is_of_the_end(answer) else reason)


def _is_of_the_end(answer: Any) -> bool:
    """Whether nothing can be made for the namespace is being deleted: to the letter Forbidden, as if a right were
    missing. By the causes, for the message repeats what users wrote."""
    details = answer.get("details") if isinstance(answer, Mapping) else None
    causes = details.get("causes") if isinstance(details, Mapping) else None
    return isinstance(causes, list) and any(
        isinstance(cause, Mapping) and cause.get("reason") == NAMESPACE_TERMINATING for cause in causes
    )


@asynccontextmanager
async def connect() -> AsyncIterator[KubernetesApi]:
    """A gateway to the cluster this process runs in, or else to the current kubeconfig context.

    Raises:
        Rejected: there is neither a service account nor a usable kubeconfig.
    """
    configuration = client.Configuration()
    # A proxy of the environment must not redirect cluster traffic, and aiohttp would look for one at each request, in
    # a thread: a tenth of the processor's time in a burst of services. A kubeconfig may name its own.
    configuration.client_session_kwargs = {"trust_env": False}
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)
        except config.ConfigException as error:
            raise Rejected(f"no cluster to talk to: {error}", reason="NoKubeconfig") from error
    async with opened(configuration, connections=CONNECTIONS) as api:
        yield api


@asynccontextmanager
async def opened(configuration: client.Configuration, *, connections: int) -> AsyncIterator[KubernetesApi]:
    """A gateway with this configuration and so many connections at most, inside `async with`."""
    configuration.connection_pool_maxsize = connections
    async with client.ApiClient(configuration) as api_client:
        yield KubernetesApi(api_client)
        # aiohttp closes TLS transports in the next loop iterations; without a pause the loop warns of open ones.
        await asyncio.sleep(0)
