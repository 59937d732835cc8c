"""Conversion between camelCase and snake_case names (header ``X-Key-Case: camelCase``).

Belongs here: the one rule for names, and its application to JSON documents and query strings as
pure functions over bytes. When a conversion is applied, and how a collision is answered, is decided
elsewhere (DESIGN section 3, row "key case").

The rule. Only ASCII names of these shapes are converted, both possibly with leading underscores;
every other name (``BRL``, ``UGLY_NAME``, ``Product``, ``a-b``, ``E3992…``, ``1A``, names with
accents) is data and stays as it is:

- snake_case ``_*[a-z][a-z0-9_]*`` to camelCase: an underscore between a letter or digit and a
  *letter* goes, and the letter becomes upper case. All other underscores stay: leading, trailing,
  doubled, and those before a digit (``address_line_1`` gives ``addressLine_1``).
- camelCase ``_*[a-z][A-Za-z0-9_]*`` to snake_case: every upper-case letter becomes lower case,
  with an underscore before it unless one stands there. Each letter of an acronym counts
  (``itemID`` gives ``item_i_d``; the camelCase of ``item_id`` is ``itemId``); digits never begin
  a word.

So snake to camel to snake is the identity for every name: no two fields of an API can become one,
and no field gets a camelCase name that does not lead back to it. Acronym and digit guessing, as
some libraries do it, would break that for ``a_b_c``, ``address_line_1`` or ``area51_code``.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec

from guarita.canonical import InvalidJson, canonical

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

_SNAKE_NAME = re.compile(r"_*[a-z][a-z0-9_]*")
_CAMEL_NAME = re.compile(r"_*[a-z][A-Za-z0-9_]*")
_WORD_START = re.compile(r"(?<=[a-z0-9])_([a-z])")
_HUMP = re.compile(r"(?<=[A-Za-z0-9])(?=[A-Z])")

# A string of a valid JSON document, and the colon behind it if it is a member's name.
_STRING = rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")([ \t\n\r]*+:)?'
_STRINGS = re.compile(_STRING, re.DOTALL)
_STRINGS_AND_BRACES = re.compile(_STRING + rb"|([{}])", re.DOTALL)

_LONGEST_CACHED = 64  # bytes; bounds what names chosen by callers can keep in memory


class Collision(ValueError):
    """Two names in one object, or in one query string, become the same snake_case name.

    ``member`` is that name: ``pix_key`` for ``pixKey`` given together with ``pix_key``.
    """

    member: str

    def __init__(self, member: str) -> None:
        super().__init__("two different spellings of one name were given; send only one of them")
        self.member = member


def to_snake(name: str) -> str:
    """``pixKeyType`` to ``pix_key_type``; a name that is not camelCase is returned as it is."""
    return _HUMP.sub("_", name).lower() if _CAMEL_NAME.fullmatch(name) else name


def to_camel(name: str) -> str:
    """``pix_key_type`` to ``pixKeyType``; a name that is not snake_case is returned as it is."""
    if not _SNAKE_NAME.fullmatch(name):
        return name
    return _WORD_START.sub(lambda word: word[1].upper(), name)


def body_to_snake(body: bytes) -> bytes:
    """The JSON document with every member name, at every depth, in snake_case.

    Everything else is the same bytes: values, number text, order, whitespace. Without a name to
    convert, ``body`` itself is returned.

    Raises:
        InvalidJson: not strict JSON (:func:`guarita.canonical.canonical`).
        Collision: two members of one object would get the same name.
    """
    canonical(body)
    converted, may_collide = _renamed(body, _snake_token)
    if may_collide:
        _COLLISIONS.decode(converted.decode())
    return converted


def body_to_camel(body: bytes) -> bytes:
    """The JSON document with every member name, at every depth, in camelCase.

    Everything else is the same bytes, as in :func:`body_to_snake`. Members of one object whose
    names would become one (``pix_key`` beside ``pixKey``) all keep the name the application gave
    them, so nothing is lost. What is not strict JSON (NaN, a name given twice, more than 64
    containers deep) is not ours to repair: ``body`` itself is returned.
    """
    try:
        canonical(body)
    except InvalidJson:
        return body
    converted, may_collide = _renamed(body, _camel_token)
    return _camel_where_distinct(body) if may_collide else converted


def query_to_snake(query: bytes) -> bytes:
    """The raw query string (no ``?``) with every parameter name in snake_case.

    Names are compared and converted after percent-decoding. A name that needs no conversion keeps
    its bytes, as do all values. A parameter repeated in one spelling stays repeated.

    Raises:
        Collision: two different spellings of one name (``pixKey=1&pix_key=2``).
    """
    spellings: dict[str, str] = {}
    parameters = query.split(b"&")
    for index, parameter in enumerate(parameters):
        raw, equals, value = parameter.partition(b"=")
        # latin-1 keeps bytes apart that are not UTF-8; only ASCII names are converted anyway.
        name = unquote_to_bytes(raw).decode("latin-1")
        snake = to_snake(name)
        if spellings.setdefault(snake, name) != name:
            raise Collision(snake)
        if snake != name:
            parameters[index] = snake.encode() + equals + value
    return b"&".join(parameters)


def _renamed(body: bytes, convert: "_lru_cache_wrapper[bytes]") -> tuple[bytes, bool]:
    """``body`` with its names converted, and whether two of them, anywhere, may have become one."""
    pieces: list[Any] = _STRINGS.split(body)  # between, string, colon or None, between, …
    wire_names: dict[bytes, bytes] = {}
    changed = may_collide = False
    for index in range(2, len(pieces), 3):
        if pieces[index] is None:
            pieces[index] = b""
            continue
        name = pieces[index - 1]
        new = convert(name) if len(name) <= _LONGEST_CACHED else convert.__wrapped__(name)
        if new != name:
            pieces[index - 1] = new
            changed = True
        # With escapes, one name has many tokens, which only a reading of the document compares.
        if wire_names.setdefault(new, name) != name or b"\\" in name:
            may_collide = True
    return (b"".join(pieces) if changed else body), may_collide


def _camel_where_distinct(body: bytes) -> bytes:
    """As :func:`_renamed`, object by object, leaving names that would become one as they are."""
    pieces: list[bytes] = []
    objects: list[dict[str, list[int]]] = []  # the open ones: where in `pieces` each name stands
    end = 0
    for found in _STRINGS_AND_BRACES.finditer(body):
        pieces.append(body[end : found.start()])
        end = found.end()
        string, colon, brace = found.groups()
        if brace == b"{":
            objects.append({})
        elif brace == b"}":
            for places in objects.pop().values():
                if len(places) == 1:
                    pieces[places[0]] = _camel_token.__wrapped__(pieces[places[0]])
        elif colon is not None:
            name = to_camel(_name(string))
            objects[-1].setdefault(name, []).append(len(pieces))
            pieces.append(string)
            pieces.append(colon)
            continue
        pieces.append(found[0])
    pieces.append(body[end:])
    return b"".join(pieces)


def _distinct(members: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in members:
        if name in seen:
            raise Collision(name)
        seen.add(name)


_COLLISIONS = json.JSONDecoder(object_pairs_hook=_distinct, parse_int=str, parse_float=str)


_name = msgspec.json.Decoder(str).decode


def _token_converter(convert: Callable[[str], str]) -> "_lru_cache_wrapper[bytes]":
    """``convert`` for a name as it stands in a JSON document: quoted, perhaps with escapes."""

    @lru_cache(maxsize=4096)
    def convert_token(token: bytes) -> bytes:
        name = _name(token)
        new = convert(name)
        return token if new == name else msgspec.json.encode(new)

    return convert_token


_snake_token = _token_converter(to_snake)
_camel_token = _token_converter(to_camel)
