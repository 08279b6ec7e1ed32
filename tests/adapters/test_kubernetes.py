"""The gateway, against a real HTTP server that speaks as the API server does, and as proxies in front of it do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from foretide.adapters import kubernetes as module
from foretide.adapters.errors import MESSAGE_LIMIT, AdapterError, Conflict, Rejected, Unavailable
from foretide.adapters.kubernetes import Kubernetes, KubernetesApi, connect
from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, LEASE

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Call = Callable[[Kubernetes], Awaitable[Any]]

DEPLOYED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "ranker-cpu-16", "namespace": "shop", "resourceVersion": "7"},
    "spec": {"template": {"é": '"'}},
}


SHOWN: dict[str, Any] = {
    "metadata": {"name": "ranker-cpu-16", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
    "spec": {"replicas": 2},
}


class ApiServer:
    """Answers in turn, the last one for ever, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer | web.Response] = []
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.content_types: list[str] = []
        self.authorization: list[str | None] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.requests.append((request.method, request.path, dict(request.query), json.loads(body) if body else None))
        self.content_types.append(request.headers.get("Content-Type", ""))
        self.authorization.append(request.headers.get("Authorization"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)
        return await answer(request)


def status(code: int, reason: str, message: str = "no") -> web.Response:
    answer = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return web.json_response({**answer, "code": code}, status=code)


@pytest.fixture
async def server() -> AsyncIterator[tuple[ApiServer, str]]:
    api_server, app = ApiServer(), web.Application()
    app.router.add_route("*", "/{path:.*}", api_server.handle)
    async with TestServer(app) as running:
        yield api_server, str(running.make_url("/")).rstrip("/")


@pytest.fixture
def api_server(server: tuple[ApiServer, str]) -> ApiServer:
    return server[0]


@pytest.fixture
def api(connected: KubernetesApi) -> Kubernetes:
    return connected


@pytest.fixture
async def connected(server: tuple[ApiServer, str]) -> AsyncIterator[KubernetesApi]:
    configuration = client.Configuration(host=server[1], api_key={"BearerToken": "Bearer t0ken"})
    async with client.ApiClient(configuration) as connection:
        yield KubernetesApi(connection)


CALLS: dict[str, Call] = {
    "apply": lambda api: api.apply(DEPLOYED, manager="foretide"),
    "get": lambda api: api.get(DEPLOYMENT, namespace="shop", name="ranker-cpu-16"),
    "list": lambda api: api.list(DEPLOYMENT),
    "scale": lambda api: api.scale(SHOWN, replicas=3, manager="m"),
    "logs": lambda api: api.logs(namespace="shop", pod="p", container="triton", previous=True),
    "erase": lambda api: api.erase_status(DEPLOYMENT, SHOWN, ["slo", "hardware"], manager="m"),
    "replace": lambda api: api.replace(DEPLOYED),
    "create": lambda api: api.create(DEPLOYED),
    "delete": lambda api: api.delete(DEPLOYMENT, SHOWN),
}
PATH = "/apis/apps/v1/namespaces/shop/deployments/ranker-cpu-16"


@pytest.mark.parametrize(
    ("call", "method", "path", "query", "body", "content_type"),
    [
        (
            "apply",
            "PATCH",
            PATH,
            {"fieldManager": "foretide", "force": "true", "fieldValidation": "Strict"},
            DEPLOYED,
            "application/apply-patch+yaml; charset=utf-8",
        ),
        ("get", "GET", PATH, {}, None, None),
        (
            "scale",
            "PATCH",
            f"{PATH}/scale",
            {"fieldManager": "m", "force": "true", "fieldValidation": "Strict"},
            {
                "apiVersion": "autoscaling/v1",
                "kind": "Scale",
                "metadata": {"name": "ranker-cpu-16", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
                "spec": {"replicas": 3},
            },
            "application/apply-patch+yaml; charset=utf-8",
        ),
        (
            "erase",
            "PATCH",
            f"{PATH}/status",
            {"fieldManager": "m"},
            {"metadata": {"uid": "u1", "resourceVersion": "7"}, "status": {"slo": None, "hardware": None}},
            "application/merge-patch+json",
        ),
        ("replace", "PUT", PATH, {}, DEPLOYED, "application/json"),
        ("create", "POST", PATH.rpartition("/")[0], {}, DEPLOYED, "application/json"),
        (
            "delete",
            "DELETE",
            PATH,
            {},
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": {"uid": "u1", "resourceVersion": "7"},
            },
            "application/json",
        ),
    ],
)
async def test_each_call_is_the_request_that_the_api_wants(
    api: Kubernetes,
    api_server: ApiServer,
    call: str,
    method: str,
    path: str,
    query: dict[str, str],
    body: Any,
    content_type: str | None,
) -> None:
    api_server.answers = [web.json_response(DEPLOYED)]
    await CALLS[call](api)
    assert api_server.requests == [(method, path, query, body)]
    assert content_type is None or api_server.content_types == [content_type]
    assert api_server.authorization == ["Bearer t0ken"]


async def test_status_is_applied_to_its_subresource(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [web.json_response(DEPLOYED)]
    assert await api.apply(DEPLOYED, manager="m", subresource="status") == DEPLOYED
    assert api_server.requests[0][1] == f"{PATH}/status"


async def test_an_object_of_the_cluster_has_no_namespace_in_its_path(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [web.json_response({"metadata": {}})]
    await api.get(HARDWARE_CLASS, namespace=None, name="gpu-t4")
    assert api_server.requests[0][1] == "/apis/foretide.dev/v1alpha1/hardwareclasses/gpu-t4"


async def test_what_is_not_there_is_none(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [status(404, "NotFound")]
    assert await api.get(DEPLOYMENT, namespace="shop", name="x") is None


async def test_a_path_that_the_server_does_not_know_is_not_an_absent_object(
    api: Kubernetes, api_server: ApiServer
) -> None:
    """`404 page not found` in plain text: the kind is not installed, or a proxy answers."""
    api_server.answers = [web.Response(status=404, text="404 page not found\n")]
    with pytest.raises(Rejected):
        await api.get(DEPLOYMENT, namespace="shop", name="x")


async def test_what_is_gone_need_not_be_deleted(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [status(404, "NotFound"), status(403, "Forbidden")]
    await CALLS["delete"](api)
    with pytest.raises(Rejected):
        await CALLS["delete"](api)


async def test_a_list_is_read_page_by_page(api: Kubernetes, api_server: ApiServer) -> None:
    pages = [["a", "b"], ["c"], []]
    tokens = ["t1/+=", "t2", ""]
    api_server.answers = [
        web.json_response({"metadata": {"continue": token}, "items": [{"metadata": {"name": n}} for n in names]})
        for names, token in zip(pages, tokens, strict=True)
    ]
    found = await api.list(DEPLOYMENT, label_selector="app.kubernetes.io/managed-by=foretide")
    assert [obj["metadata"]["name"] for obj in found] == ["a", "b", "c"]
    queries = [query for _, path, query, _ in api_server.requests]
    assert [query.get("continue") for query in queries] == [None, "t1/+=", "t2"]
    assert {query["labelSelector"] for query in queries} == {"app.kubernetes.io/managed-by=foretide"}
    assert {query["limit"] for query in queries} == {str(module.PAGE_SIZE)}
    assert {path for _, path, _, _ in api_server.requests} == {"/apis/apps/v1/deployments"}


async def test_of_a_list_what_is_known_is_kept(api: Kubernetes, api_server: ApiServer) -> None:
    listed = [{"metadata": {"name": name}, "spec": {"replicas": 2}} for name in "ab"]
    known: Any = {"metadata": {"name": "a"}, "spec": {"replicas": 2}}
    api_server.answers = [web.json_response({"metadata": {}, "items": listed})]
    found = await api.list(DEPLOYMENT, known=lambda obj: known if obj["metadata"]["name"] == "a" else None)
    assert found == listed
    assert found[0]["spec"] is known["spec"]


async def test_logs_are_text_and_their_end_only(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [web.Response(body=b"last words \xff\n", content_type="text/plain")]
    assert await CALLS["logs"](api) == "last words \ufffd\n"
    method, path, query, _ = api_server.requests[0]
    assert (method, path) == ("GET", "/api/v1/namespaces/shop/pods/p/log")
    assert query == {"container": "triton", "previous": "true", "tailLines": "400", "limitBytes": "65536"}


@pytest.mark.parametrize("name", CALLS)
async def test_nothing_is_written_by_who_may_no_more(
    connected: KubernetesApi, api_server: ApiServer, name: str
) -> None:
    api_server.answers = [web.json_response({"metadata": {}, "items": []})]
    api, is_read = connected.fenced(lambda: False), name in ("get", "list", "logs")
    if is_read:
        await CALLS[name](api)
    else:
        with pytest.raises(Unavailable, match="the Lease has run out"):
            await CALLS[name](api)
    assert len(api_server.requests) == is_read


@pytest.mark.parametrize(
    ("code", "word", "kind"),
    [
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", Conflict),
        (429, "TooManyRequests", Unavailable),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
        (403, "Forbidden", Rejected),
        (422, "Invalid", Rejected),
        (401, "Unauthorized", Rejected),
        (410, "Expired", Rejected),
    ],
)
async def test_each_refusal_is_one_of_our_errors_with_the_servers_word(
    api: Kubernetes, api_server: ApiServer, code: int, word: str, kind: type[AdapterError]
) -> None:
    api_server.answers = [status(code, word, 'deployments.apps "ranker" is forbidden: x')]
    for name, call in CALLS.items():
        if (name, code) == ("scale", 409):  # which has tests of its own
            continue
        with pytest.raises(AdapterError) as raised:
            await call(api)
        assert type(raised.value) is kind, name
        assert raised.value.reason == word
        assert str(raised.value) == 'deployments.apps "ranker" is forbidden: x'


MODIFIED = status(409, "Conflict", "the object has been modified")


def shown(*, uid: str = "u1", replicas: int = 2, version: str = "8") -> web.Response:
    metadata = {**SHOWN["metadata"], "uid": uid, "resourceVersion": version}
    return web.json_response({**SHOWN, "metadata": metadata, "spec": {"replicas": replicas}})


@pytest.mark.parametrize("found", [shown(uid="u2"), shown(replicas=5), status(404, "NotFound", "gone")])
async def test_a_deployment_that_is_not_the_one_that_was_decided_on_is_not_written(
    api: Kubernetes, api_server: ApiServer, found: web.Response
) -> None:
    api_server.answers = [MODIFIED, found]
    with pytest.raises(Conflict, match="modified"):
        await CALLS["scale"](api)
    assert [method for method, *_ in api_server.requests] == ["PATCH", "GET"]


async def test_an_admission_rule_that_denies_a_number_is_no_conflict(api: Kubernetes, api_server: ApiServer) -> None:
    """A ValidatingAdmissionPolicy without a reason of its own denies with Invalid."""
    words = (
        "deployments.apps \"ranker\" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'few' denied request"
    )
    api_server.answers = [status(422, "Invalid", words)]
    with pytest.raises(Rejected, match="denied request") as raised:
        await CALLS["scale"](api)
    assert not isinstance(raised.value, Conflict)


async def test_a_scale_tells_the_version_that_the_deployment_has_then(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [web.json_response({"kind": "Scale", "metadata": {"resourceVersion": "8"}})]
    assert await CALLS["scale"](api) == "8"


async def test_a_deployment_that_has_the_number_already_is_no_conflict(api: Kubernetes, api_server: ApiServer) -> None:
    """The tick and reconcile, which restores what status remembers of a new Deployment, may write it at once."""
    api_server.answers = [MODIFIED, shown(version="8", replicas=3)]
    assert await CALLS["scale"](api) == "8"
    assert [method for method, *_ in api_server.requests] == ["PATCH", "GET"]


async def test_where_only_the_version_is_another_one_it_is_written_to_that(
    api: Kubernetes, api_server: ApiServer
) -> None:
    api_server.answers = [MODIFIED, shown(version="8"), MODIFIED, shown(version="9"), web.json_response(DEPLOYED)]
    await CALLS["scale"](api)
    written = [body["metadata"]["resourceVersion"] for method, _, _, body in api_server.requests if method == "PATCH"]
    assert written == ["7", "8", "9"]


async def test_a_deployment_that_never_rests_is_left_for_the_next_tick(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [MODIFIED, shown()] * 10
    with pytest.raises(Conflict):
        await CALLS["scale"](api)
    assert len(api_server.requests) == 6


async def test_a_long_message_is_cut(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [status(422, "Invalid", "x" * 100_000)]
    with pytest.raises(Rejected) as raised:
        await CALLS["apply"](api)
    assert len(str(raised.value)) == MESSAGE_LIMIT


async def test_a_namespace_that_is_being_deleted_is_no_missing_right(api: Kubernetes, api_server: ApiServer) -> None:
    details = {"causes": [{"reason": "NamespaceTerminating", "message": "namespace shop is being terminated"}]}
    body = {"kind": "Status", "reason": "Forbidden", "message": "forbidden: unable to create", "details": details}
    api_server.answers = [web.json_response(body, status=403)]
    with pytest.raises(Rejected) as raised:
        await CALLS["apply"](api)
    assert raised.value.reason == "NamespaceTerminating"


@pytest.mark.parametrize("details", [None, "NamespaceTerminating", {"causes": "NamespaceTerminating"}, {"causes": [1]}])
async def test_the_end_of_a_namespace_is_told_by_its_cause_alone(
    api: Kubernetes, api_server: ApiServer, details: object
) -> None:
    """A message repeats what users wrote: a refusal of their service would else be told of nobody."""
    message = 'spec.x: Invalid value: "NamespaceTerminating"'
    body = {"kind": "Status", "reason": "Invalid", "message": message, "details": details}
    api_server.answers = [web.json_response(body, status=422)]
    with pytest.raises(Rejected, match="Invalid value") as raised:
        await CALLS["apply"](api)
    assert raised.value.reason == "Invalid"


@pytest.mark.parametrize("code", [400, 404, 502])
async def test_a_refusal_that_is_no_status_still_is_one(api: Kubernetes, api_server: ApiServer, code: int) -> None:
    for body in ("<html>Bad Gateway</html>", "", "[]", "null", '"x"', '{"reason": null}'):
        api_server.answers = [web.Response(status=code, text=body)]
        with pytest.raises(Unavailable if code == 502 else Rejected) as raised:
            await CALLS["apply"](api)
        assert raised.value.reason == str(code), body


async def test_what_a_person_wrote_and_is_no_json_is_refused_before_it_is_sent(
    api: Kubernetes, api_server: ApiServer
) -> None:
    """A manifest that `plan` reads from a file: YAML has keys that are no strings, and integers of any size."""
    api_server.answers = [web.json_response(DEPLOYED)]
    await api.apply({**DEPLOYED, "data": {1: "x", False: "y"}}, manager="m")
    assert api_server.requests[-1][3]["data"] == {"1": "x", "false": "y"}
    with pytest.raises(Rejected, match="cannot be written as JSON"):
        await api.apply({**DEPLOYED, "data": {"a": 2**70}}, manager="m")
    assert len(api_server.requests) == 1


BODIES = ["<html>Welcome</html>", "", '{"kind": "Depl', "[]", "null", "{}", '{"metadata": null}', "[" * 100_000]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:20])
async def test_an_answer_that_is_no_object_may_be_one_next_time(
    api: Kubernetes, api_server: ApiServer, body: str
) -> None:
    api_server.answers = [web.Response(text=body)]
    for name, call in CALLS.items():
        if name == "logs":
            continue
        with pytest.raises(Unavailable) as raised:
            await call(api)
        assert raised.value.reason == "Malformed", name


@pytest.mark.parametrize("page", [{}, {"items": None, "metadata": {}}, {"items": []}, {"items": [], "metadata": []}])
async def test_a_page_that_is_no_page_is_no_empty_list(api: Kubernetes, api_server: ApiServer, page: Any) -> None:
    """An empty list would take everything for deleted."""
    api_server.answers = [web.json_response(page)]
    with pytest.raises(Unavailable):
        await api.list(DEPLOYMENT)


async def test_a_server_that_hangs_is_given_up(
    api: Kubernetes, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_TIMEOUT_SECONDS", 0.02)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return web.json_response({})

    api_server.answers = [hang]
    for name, call in CALLS.items():
        with pytest.raises(Unavailable) as raised:
            await call(api)
        assert raised.value.reason == "Timeout", name


async def test_a_connection_that_breaks_is_unavailable(api: Kubernetes, api_server: ApiServer) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"kind"')
        assert request.transport is not None
        request.transport.close()
        return response

    api_server.answers = [cut]
    for call in CALLS.values():
        with pytest.raises(Unavailable):
            await call(api)


async def test_nobody_listens() -> None:
    async with client.ApiClient(client.Configuration(host="http://127.0.0.1:1")) as connection:
        for call in CALLS.values():
            with pytest.raises(Unavailable):
                await call(KubernetesApi(connection))


async def test_without_a_cluster_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr(
        "kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"), raising=False
    )
    with pytest.raises(Rejected) as raised:
        async with connect():
            raise AssertionError("there is no cluster")
    assert raised.value.reason == "NoKubeconfig"


async def test_a_proxy_of_the_environment_redirects_nothing(
    server: tuple[ApiServer, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api_server, url = server
    api_server.answers = [status(404, "NotFound")]
    file = tmp_path / "kubeconfig"
    cluster, context = (
        {"name": "c", "cluster": {"server": url}},
        {"name": "x", "context": {"cluster": "c", "user": "u"}},
    )
    user = {"name": "u", "user": {"token": "t"}}
    config = {"kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context], "current-context": "x"}
    file.write_text(json.dumps({"apiVersion": "v1", **config}))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    async with connect() as api:
        assert await api.get(LEASE, namespace="shop", name="none") is None
    assert len(api_server.requests) == 1


async def test_the_lease_has_a_path(api: Kubernetes, api_server: ApiServer) -> None:
    api_server.answers = [web.json_response({"metadata": {}})]
    await api.get(LEASE, namespace="foretide-system", name="foretide-operator")
    assert api_server.requests[0][1].endswith("/namespaces/foretide-system/leases/foretide-operator")
