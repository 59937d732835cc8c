"""What the vector files of every page have in common: their outermost members, a request ready to
send, and how a file is read. Each page's own module (`vectors_minhakonta`, `vectors_delfinance`)
says the rest. Nothing of `src` is imported.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Struct

DIRECTORY = Path(__file__).parent / "vectors"

Door = Literal["core", "asgi"]


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything read from a vector file."""


class AccountState(Data, frozen=True, kw_only=True):
    """Account acc_1."""

    status: Literal["active", "suspended"] = "active"


class Wire(Data, frozen=True, kw_only=True):
    """A request ready to send, but for host and content-length, which the door adds."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    peer: str


class Want(Data, frozen=True, kw_only=True):
    """What must come back of any page's gate.

    Attributes:
        reasons: layer → the reasons it may be said to refuse for.
    """

    reasons: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    decision: str
    layer: str | None = None
    reason: str | None = None
    status: int
    absent_headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.decision == "refuse":
            if self.reason not in self.reasons.get(self.layer or "", ()):
                raise ValueError(f"no such reason: {self.layer}.{self.reason}")
        elif self.layer is not None or self.reason is not None:
            raise ValueError("only a refusal has a layer and a reason")


class Case(Data, frozen=True, kw_only=True):
    """One rule; a page's own `Case` adds a world and steps. `carried_by`: the doors able
    to carry it; None = all.
    """

    id: str
    source: str
    note: str = ""
    carried_by: tuple[Door, ...] | None = None


class Quote(Data, frozen=True, kw_only=True):
    """A literal of the seed and the line it stands on."""

    text: str
    line: int


class VectorFile(Data, frozen=True, kw_only=True):
    """One file, but for its `cases`; one with a single request is written without `steps`."""

    about: str
    literals: tuple[Quote, ...]


File = TypeVar("File", bound=VectorFile)


def read(path: Path, step_members: tuple[str, ...]) -> dict[str, Any]:
    """A file as JSON, every case with `steps`; nothing is checked yet."""
    raw: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    raw["cases"] = [_with_steps(case, step_members) for case in raw["cases"]]
    return raw


def _with_steps(case: dict[str, Any], step_members: tuple[str, ...]) -> dict[str, Any]:
    single = {name: case[name] for name in step_members if name in case}
    if not single:
        return case
    if "steps" in case:
        raise ValueError(f"{case.get('id')}: either steps or one request")
    return {name: case[name] for name in case if name not in single} | {"steps": [single]}


def load_file(path: Path, step_members: tuple[str, ...], kind: type[File]) -> File:
    """A whole file, but for what only `order.json` has (`vectors_order`).

    Raises `msgspec.ValidationError` with the path of what does not fit.
    """
    raw = read(path, step_members)
    if path.stem == "order":
        raw = {member: raw[member] for member in ("about", "literals", "cases")}
    return msgspec.convert(raw, kind)
