"""Names: of objects in Kubernetes, of models and tensors in Triton, of folders in a volume."""

import re
from typing import Annotated, Final

from pydantic import Field

from foretide.api.rules import Rule, matching

# The name of a namespace, as a regular expression; in one it means itself.
NAMESPACE: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
# A segment never starts with a dot: no "..", no hidden folder, and so nothing outside the claim.
_SEGMENT: Final = "[A-Za-z0-9_][A-Za-z0-9_.-]*"

# 40 characters: children are called <service>--<class>, <service>-config-<digest>, <service>-triton, all below 63.
SERVICE_NAME: Final = matching(
    "[a-z]([-a-z0-9]{0,38}[a-z0-9])?",
    "must be at most 40 characters of a-z, 0-9 and -, start with a letter and not end with -",
    'choose a name like "ranker"',
)
# The name becomes the value of a label, which Kubernetes limits to 63 characters. Two dashes part it from the name of
# a service in the name of a Deployment, so it has none in a row.
_CLASS_NAME: Final = "[a-z0-9]+(-[a-z0-9]+)*"
CLASS_NAME: Final = Rule(
    cel=f"self.size() <= 63 && self.matches('^({_CLASS_NAME})$')",
    holds=lambda name: len(name) <= 63 and re.fullmatch(_CLASS_NAME, name) is not None,
    rule="must be at most 63 characters of a-z, 0-9 and single -, and not start or end with -",
    fix='choose a name like "gpu-t4"',
)

OBJECT_NAME: Final = matching(
    _SUBDOMAIN,
    "must be the name of a Kubernetes object: parts of a-z, 0-9 and -, joined by dots",
    'write it like "model-files"',
)

ServiceName = Annotated[str, Field(min_length=1, max_length=40), SERVICE_NAME]

HardwareClassName = Annotated[str, Field(min_length=1, max_length=63), CLASS_NAME]

ObjectName = Annotated[str, Field(min_length=1, max_length=253), OBJECT_NAME]

ModelName = Annotated[
    str,
    Field(min_length=1, max_length=63),
    matching(
        "[A-Za-z0-9][A-Za-z0-9_.-]*",
        "must start with a letter or digit and continue with letters, digits, _, . or -",
        'write it like "ranker_v2"',
    ),
]

ModelVersion = Annotated[
    str,
    Field(min_length=1, max_length=9),
    matching(
        "[1-9][0-9]*",
        "must be a positive integer in quotes, because Triton names the folder of a version by its number",
        'write it like "3"',
    ),
]

FolderPath = Annotated[
    str,
    Field(max_length=255),
    matching(
        f"({_SEGMENT}(/{_SEGMENT})*)?",
        "must be a folder relative to the root of the volume, of letters, digits, _, . and -, no part starting with .",
        'write it like "ranker/3", or leave it out for the root',
    ),
]

FileName = Annotated[
    str,
    Field(min_length=1, max_length=255),
    matching(
        _SEGMENT,
        "must be the name of one file of letters, digits, _, . and -, without a folder, and not start with .",
        'write it like "ranker.onnx"',
    ),
]

ImageReference = Annotated[
    str,
    Field(min_length=1, max_length=512),
    matching(
        "[A-Za-z0-9][A-Za-z0-9_.:/@-]*",
        "must be an image reference without spaces",
        'write it like "nvcr.io/nvidia/tritonserver:26.07-py3"',
    ),
]
