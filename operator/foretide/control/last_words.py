"""What a container that died said last: why the model was not downloaded, or did not load."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from foretide.adapters.errors import AdapterError
from foretide.adapters.kubernetes import Kubernetes
from foretide.api.reasons import Reason
from foretide.control.download_log import download_failure, found_nothing, without_secrets
from foretide.control.pods import MESSAGE_LIMIT, Failure
from foretide.control.triton_log import load_failure
from foretide.serving import naming

log: Final = logging.getLogger(__name__)

_READERS: Final[dict[str, Callable[[str], str | None]]] = {
    naming.CONTAINER: load_failure,
    naming.DOWNLOAD_CONTAINER: download_failure,
}
_REMEMBERED: Final = 1000
_NO_FILE: Final = (
    "spec.model.source.uri: no file was found there; it must be the folder with the files of one version, or one file"
)


def in_short(failure: Failure) -> str:
    """The line that says why of what the kubelet keeps of a log, for status, which more people may read than logs."""
    if not failure.crashed:
        return failure.message
    if (found := _READERS[failure.container](failure.message)) is not None:
        return found
    is_download = failure.container == naming.DOWNLOAD_CONTAINER
    return (without_secrets(failure.message) if is_download else failure.message)[-MESSAGE_LIMIT:]


class LastWords:
    """Reads the log of each death once."""

    def __init__(self, api: Kubernetes) -> None:
        self._api: Final = api
        self._told: Final[dict[tuple[str, str, str, int], Failure]] = {}

    async def of(self, namespace: str, failure: Failure) -> Failure:
        """The failure with the words of the container's log; those of the kubelet where it cannot be read."""
        death = (namespace, failure.pod, failure.container, failure.restarts)
        if death not in self._told:
            if len(self._told) >= _REMEMBERED:
                self._told.clear()
            self._told[death] = await self._explained(namespace, failure)
        return self._told[death]

    async def _explained(self, namespace: str, failure: Failure) -> Failure:
        if failure.reason is Reason.MODEL_LOAD_FAILED and failure.downloaded:
            # rclone ends well where a bucket has nothing under a path; Triton then misses the file that it looks for.
            text = await self._log(namespace, failure.pod, naming.DOWNLOAD_CONTAINER, previous=False)
            if found_nothing(text):
                return replace(failure, reason=Reason.DOWNLOAD_FAILED, message=_NO_FILE)
        text = await self._log(namespace, failure.pod, failure.container, previous=failure.restarts > 0)
        return replace(failure, message=_READERS[failure.container](text) or in_short(failure))

    async def _log(self, namespace: str, pod: str, container: str, *, previous: bool) -> str:
        """The end of the log; empty where there is none to read."""
        try:
            return await self._api.logs(namespace=namespace, pod=pod, container=container, previous=previous)
        except AdapterError as error:
            log.info("log of %s in pod %s/%s: %s", container, namespace, pod, error)
            return ""
