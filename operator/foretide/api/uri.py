"""ModelUri: where the files of a model are on the network, and nothing else: no credentials, no options, no way out."""

import re
from typing import Annotated, Final

from pydantic import Field

from foretide.api.rules import Rule

# s3 and azure take at most 63 characters, gs 222.
_BUCKET: Final = "[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
_LABEL: Final = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST: Final = f"{_LABEL}([.]{_LABEL})*(:[1-9][0-9]{{0,4}})?"
# A part never starts with a dot, so there is no "..". None of its characters means anything to a shell, to rclone or to
# the kubelet, which expands $(NAME) in arguments: no space, quote, $, %, : or comma.
_PART: Final = "[A-Za-z0-9_~][A-Za-z0-9_.~=+-]*"
_WHERE: Final = f"((s3|gs|azure)://{_BUCKET}|https://{_HOST})"

# Each pattern holds wherever the next does, so that a URI is told the first thing that is wrong with it.
_SCHEME: Final = "^(s3|gs|azure|https?)://"
_ENCRYPTED: Final = "^(s3|gs|azure|https)://"
_NO_USER: Final = f"{_ENCRYPTED}[^/@]*(/|$)"
_NO_QUERY: Final = f"{_ENCRYPTED}[^/@?#]*(/[^?#]*)?$"
_SOMEWHERE: Final = f"^{_WHERE}(/[^?#]*)?$"
_WHOLE: Final = f"^{_WHERE}(/{_PART})+/?$"
# What may hold a password or a signature is not repeated in a sentence.
_SECRETIVE: Final = "[@?#]"


def _matches(pattern: str, uri: str) -> bool:
    # In RE2 `$` is the end of the text; in Python it is also before a last line break.
    return re.search(pattern.replace("$", r"\Z"), uri) is not None


def _rule(pattern: str, rule: str, fix: str, *, after: str = "") -> Rule:
    """The URI matches `pattern`; silent where it does not even match the one before."""
    return Rule(
        cel=f"!self.matches('{after}') || self.matches('{pattern}')" if after else f"self.matches('{pattern}')",
        holds=lambda uri: not _matches(after, uri) or _matches(pattern, uri),
        rule=rule,
        fix=fix,
        cel_values=(f"self.matches('{_SECRETIVE}') ? '(hidden)' : self",),
        values=lambda uri: ("(hidden)" if _matches(_SECRETIVE, uri) else uri,),
    )


ModelUri = Annotated[
    str,
    Field(min_length=1, max_length=1024),
    _rule(
        _SCHEME,
        "must start with s3://, gs://, azure:// or https://, in small letters",
        'write it like "s3://models/ranker/3"',
    ),
    _rule(
        _ENCRYPTED,
        "must not be http://, because a model is code and anybody on its way could change it",
        "write https://, or put the model into a bucket or a volume",
        after=_SCHEME,
    ),
    _rule(
        _NO_USER,
        "must not hold credentials, because everybody who may read the service would see them",
        "put them into a Secret and name it in spec.model.credentialsSecret",
        after=_ENCRYPTED,
    ),
    _rule(
        _NO_QUERY,
        "must not have a query or a fragment, because a signature in it is a credential that ends",
        "remove what follows ? or #, and put credentials into spec.model.credentialsSecret",
        after=_NO_USER,
    ),
    _rule(
        _SOMEWHERE,
        "must name a bucket or container of 3 to 222 of a-z, 0-9, ., _ and -, or with https:// a host in small letters",
        'write it like "s3://models/ranker/3" or "https://models.example.com/ranker/3/"',
        after=_NO_QUERY,
    ),
    _rule(
        _WHOLE,
        "must have a path of letters, digits, _, ., ~, =, + and -, each part starting with a letter, digit, _ or ~",
        'write the folder of one version, like "s3://models/ranker/3"',
        after=_SOMEWHERE,
    ),
]
