"""Which form an answer takes and which form a body has, from Accept and Content-Type.

Answers are JSON: plain, as a Table, or as PartialObjectMetadata; YAML when only that is wanted.
Protobuf answers are never produced: every client that prefers them also takes JSON. Bodies may be
JSON, YAML or protobuf. Source: Kubernetes API concepts, "Alternate representations of resources"
and "Resource encoding"; RFC 9110 §12.5.1.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal

from orchestrator.kit.errors import NotAcceptable, UnsupportedMediaType

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
APPLY: Final = "application/apply-patch+yaml"
_YAML_NAMES: Final = frozenset({YAML, "application/x-yaml", "text/yaml", "text/x-yaml"})
_META_VERSIONS: Final = frozenset({"v1", "v1beta1"})


class Form(StrEnum):
    """How objects are shown.

    OBJECT: as they are. TABLE: rows of cells. PARTIAL: metadata only.
    """

    OBJECT = "Object"
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The negotiated form of an answer.

    Attributes:
        form: objects, table or metadata only.
        version: "v1" or "v1beta1" of meta.k8s.io; of no meaning for OBJECT.
        encoding: "json" or "yaml".
    """

    form: Form = Form.OBJECT
    version: str = "v1"
    encoding: Literal["json", "yaml"] = "json"

    @property
    def content_type(self) -> str:
        """Of the answer."""
        return YAML if self.encoding == "yaml" else JSON


PLAIN: Final = AnswerFormat()


@dataclass(frozen=True, slots=True)
class Clause:
    """One alternative of an Accept header.

    Attributes:
        media: "application/json", lower case.
        parameters: ("as", "Table"), ... without q.
        quality: 0..1.
    """

    media: str
    parameters: tuple[tuple[str, str], ...]
    quality: float

    def parameter(self, name: str) -> str:
        """A parameter's value, "" when absent."""
        return next((value for key, value in self.parameters if key == name), "")


@lru_cache(maxsize=256)
def parse_accept(header: str) -> tuple[Clause, ...]:
    """The alternatives, best first; those of equal quality in the order given."""
    clauses: list[Clause] = []
    for part in header.split(","):
        media, *pairs = (piece.strip() for piece in part.split(";"))
        if not media:
            continue
        quality = 1.0
        parameters: list[tuple[str, str]] = []
        for pair in pairs:
            name, _, value = pair.partition("=")
            name, value = name.strip().lower(), value.strip().strip('"')
            if name == "q":
                quality = _quality(value)
            elif name:
                parameters.append((name, value))
        if quality > 0:
            clauses.append(Clause(media.lower(), tuple(parameters), quality))
    return tuple(sorted(clauses, key=lambda clause: -clause.quality))


@lru_cache(maxsize=256)
def answer_format(accept: str) -> AnswerFormat:
    """The first alternative that can be produced; JSON when the client states none.

    Raises:
        NotAcceptable: none can be produced.
    """
    clauses = parse_accept(accept)
    if not clauses:
        return PLAIN
    for clause in clauses:
        answer = _producible(clause)
        if answer is not None:
            return answer
    raise NotAcceptable(f"only the following media types are accepted: {JSON}, {YAML}")


BodyForm = Literal["json", "yaml", "protobuf"]


@lru_cache(maxsize=256)
def body_form(content_type: str) -> BodyForm:
    """The form of an object in a body; none stated means JSON, as several clients rely on.

    Raises:
        UnsupportedMediaType: another form.
    """
    media = media_type(content_type)
    if media in {"", JSON}:
        return "json"
    if media in _YAML_NAMES:
        return "yaml"
    if media == PROTOBUF:
        return "protobuf"
    raise UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
        f"{JSON}, {YAML}, {PROTOBUF}"
    )


PatchType = Literal["json", "merge", "strategic", "apply"]

_PATCHES: Final[dict[str, PatchType]] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    APPLY: "apply",
}


def patch_type(content_type: str, *, strategic: bool = True) -> PatchType:
    """The kind of patch that a PATCH request carries.

    Args:
        content_type: of the request.
        strategic: whether the kind takes strategic merge patches; custom ones do not.

    Raises:
        UnsupportedMediaType: none that the kind takes.
    """
    accepted = {m: kind for m, kind in _PATCHES.items() if strategic or kind != "strategic"}
    found = accepted.get(media_type(content_type))
    if found is None:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(accepted)
        )
    return found


@lru_cache(maxsize=256)
def media_type(header: str) -> str:
    """A Content-Type without its parameters, lower case."""
    return header.split(";", 1)[0].strip().lower()


def _producible(clause: Clause) -> AnswerFormat | None:
    if clause.media in {JSON, "application/*", "*/*"}:
        encoding: Literal["json", "yaml"] = "json"
    elif clause.media in _YAML_NAMES:
        encoding = "yaml"
    else:
        return None
    wanted = clause.parameter("as")
    if not wanted:
        return AnswerFormat(encoding=encoding)
    version = clause.parameter("v") or "v1"
    if clause.parameter("g") != "meta.k8s.io" or version not in _META_VERSIONS:
        return None
    if wanted == "Table":
        return AnswerFormat(Form.TABLE, version, encoding)
    if wanted in {"PartialObjectMetadata", "PartialObjectMetadataList"}:
        return AnswerFormat(Form.PARTIAL, version, encoding)
    return None


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
