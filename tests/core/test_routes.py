"""The route table against two other readings of a path: a strict router's, and lenient ones
further on.

The strict one says what a request may be admitted as; of whatever a lenient one could route it
to, the permissions must be among those that `match` asks for.
"""

import re
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guarita.profiles.minhakonta import TABLE
from guarita.routes import NOWHERE, Match, RouteTable, Row
from tests.core.other_routers import PREFIX, leniently, strictly

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "GET ", ""]

# --- laws ----------------------------------------------------------------------------------------

WORDS = sorted(
    {part for row in TABLE.rows for part in row.pattern.split("/") if part[:1] not in {"", ":"}}
)
TRICKS = [
    "",
    ".",
    "..",
    "%2e",
    "%2E%2e",
    "%2f",
    "%5c",
    "\\",
    ";",
    ";a=b",
    "%00",
    "%0a",
    "%20",
    " ",
    "%",
    "%4",
]
TRICKS += [
    "%zz",
    "%c3%a9",
    "%c3",
    "%ff",
    "é",
    "%41",
    "e2e%2fx",
    "balance%0A",
    "BALANCE",
    "?",
    "#",
    "%3f",
    "a%25b",
]
SEGMENT = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS),
    st.sampled_from(TRICKS),
    st.text(max_size=4),
    st.tuples(st.sampled_from(WORDS), st.sampled_from(TRICKS)).map("".join),
)
PATHS = st.one_of(
    st.lists(SEGMENT, max_size=5).map(lambda parts: "/".join([PREFIX, *parts])),
    st.sampled_from([row.pattern for row in TABLE.rows]).flatmap(
        lambda pattern: st.tuples(
            *[SEGMENT if part.startswith(":") else st.just(part) for part in pattern.split("/")[1:]]
        ).map(lambda parts: "/".join([PREFIX, *parts]))
    ),
    st.text(),
)


@given(st.sampled_from(METHODS), PATHS)
@settings(max_examples=600, deadline=None)
@example("GET", PREFIX + "/transactions/e2e/receipt")
def test_match_takes_a_path_for_what_a_strict_router_would_and_no_less_than_a_lenient_one(
    method: str, path: str
) -> None:
    match = TABLE.match(method, path)
    strict = {row.permission for row in strictly(method, path)}
    assert set(match.permissions) <= strict
    if re.fullmatch(r"[A-Za-z0-9/_.~-]*", path):
        assert set(match.permissions) == strict
    if match.permissions:
        assert {row.permission for row in leniently(method, path)} <= set(match.permissions)
        assert method in match.allowed
    assert len(set(match.permissions)) == len(match.permissions)


@given(PATHS)
@settings(max_examples=200, deadline=None)
def test_the_methods_allowed_do_not_depend_on_the_method(path: str) -> None:
    allowed = {TABLE.match(method, path).allowed for method in METHODS}
    assert len(allowed) == 1
    for method in METHODS:
        assert bool(TABLE.match(method, path).permissions) is (method in next(iter(allowed)))


ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(["GET", "POST"]),
        st.lists(st.sampled_from(["a", "b", ":x", ":y"]), min_size=1, max_size=3).map(
            lambda parts: "/" + "/".join(parts)
        ),
        st.sampled_from(["p:1", "p:2", "p:3"]),
    ),
    max_size=6,
)


@given(
    ROWS,
    st.sampled_from(["GET", "POST", "PUT"]),
    st.lists(st.sampled_from("abc"), max_size=4),
    st.data(),
)
def test_in_any_table_every_row_that_fits_has_its_permission_asked_for(
    rows: list[Row], method: str, parts: list[str], data: st.DataObject
) -> None:
    path = "/p/" + "/".join(parts)
    fits = [
        row
        for row in rows
        if re.fullmatch("/p" + re.sub(r":\w", "[^/]+", row.pattern), path)
    ]  # fmt: skip
    match = RouteTable("/p", rows).match(method, path)
    assert set(match.permissions) == {row.permission for row in fits if row.method == method}
    assert set(match.allowed) == {row.method for row in fits}
    again = RouteTable("/p", data.draw(st.permutations(rows))).match(method, path)
    assert set(again.permissions) == set(match.permissions)


# --- path by path --------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TABLE.rows, ids=lambda row: f"{row.method} {row.pattern}")
def test_every_row_is_found_and_only_as_it_is_written(row: Row) -> None:
    path = PREFIX + re.sub(r":\w+", "x1", row.pattern)
    assert TABLE.match(row.method, path).permissions == (row.permission,)
    tricks = [
        path + "/",
        path + "//",
        path + "/.",
        path + "/..",
        path + "%2f",
        path + "%00",
        path + "%0a",
        path.replace("/", "//"),
        path.replace("/", "\\"),
        path.replace("/api/", "/api/./"),
        path.replace("/external/", "/external/../external/"),
        path.replace("/external/", "/external%2f"),
        path.replace("/external/", "/External/"),
        path.replace("api", "%61pi"),
        "//host" + path,
        "http://host" + path,
        path[1:],
        " " + path,
    ]
    for trick in tricks:
        assert TABLE.match(row.method, trick) == NOWHERE, trick
    for method in ("HEAD", "OPTIONS", row.method.lower(), row.method + " ", ""):
        assert TABLE.match(method, path).permissions == (), method


STATIC = [row for row in TABLE.rows if ":" not in row.pattern]


@given(st.sampled_from(STATIC), st.data())
@settings(max_examples=150)
def test_a_static_path_is_found_exactly_as_written(row: Row, data: st.DataObject) -> None:
    path = PREFIX + row.pattern
    at = data.draw(st.integers(len(PREFIX) + 1, len(path) - 1))
    encoded = f"{path[:at]}%{ord(path[at]):02x}{path[at + 1 :]}"
    assert TABLE.match(row.method, encoded) == NOWHERE
    swapped = path[:at] + path[at].swapcase() + path[at + 1 :]
    if swapped != path:
        assert row.permission not in TABLE.match(row.method, swapped).permissions


@pytest.mark.parametrize(
    "segment",
    ["%c3%a9", "a%20b", "%3A", "a:b", "%e2%82%ac", "*", "a@b", "x.y", "...", "a%3Fb", "a%23b"],
)
def test_a_parameter_may_hold_what_had_to_be_encoded(segment: str) -> None:
    match = TABLE.match("GET", f"{PREFIX}/transactions/tag/{segment}")
    assert match == Match(("transfer:read",), ("GET",))


@pytest.mark.parametrize(
    "segment", ["é", "\ud800", "\u2024\u2024", "／", "%c3", "%ff%fe", "%ed%a0%80", "%c0%af"]
)
def test_text_that_is_not_ascii_or_not_utf8_names_nothing(segment: str) -> None:
    assert TABLE.match("GET", f"{PREFIX}/transactions/{segment}") == NOWHERE


ESCALATING = RouteTable(
    "/p", [Row("GET", "/a/:x", "low"), Row("GET", "/a/:x/b", "low"), Row("GET", "/b", "high")]
)


@pytest.mark.parametrize(
    "path",
    [
        "/p/a/..%252fb",  # decoded twice, "/p/b"
        "/p/a/x%252f..%252f..%252fb",
        "/p/a/%252e%252e/b",
    ],
)
def test_a_path_that_a_second_decoding_turns_into_another_names_nothing(path: str) -> None:
    """Two decodings in a row are common: a proxy before the application, then the application."""
    assert ESCALATING.match("GET", path).permissions == ()


@pytest.mark.parametrize("path", ["/p/a/..;/b", "/p/a/..;x=y/b", "/p/a/..%3B/b", "/p/a/.;/b"])
def test_dot_segments_with_a_parameter_name_nothing(path: str) -> None:
    """Servlet containers cut ";…" off a segment before they resolve dots."""
    assert ESCALATING.match("GET", path).permissions == ()


@pytest.mark.parametrize("segment", ["x#y", "x?y", "#", "?"])
def test_characters_that_end_a_path_name_nothing(segment: str) -> None:
    assert ESCALATING.match("GET", f"/p/a/{segment}/b").permissions == ()


@pytest.mark.parametrize(
    ("prefix", "row"),
    [
        ("/p", Row("GET", "balance", "p:1")),
        ("/p", Row("GET", "", "p:1")),
        ("/p", Row("GET", "/a/", "p:1")),
        ("/p/", Row("GET", "/a", "p:1")),
        ("p", Row("GET", "/a", "p:1")),
    ],
)
def test_a_table_refuses_a_row_that_could_never_be_found(prefix: str, row: Row) -> None:
    """A typing error in a table is told when it is made, not by 404s."""
    with pytest.raises(ValueError, match=re.escape(repr(row.pattern)) + "|prefix"):
        RouteTable(prefix, [row])


@pytest.mark.parametrize("piece", ["/", "/a", "a", "%", "%41", "%c3", ".", "/..", "%20"])
def test_very_long_paths_cost_linear_time(piece: str) -> None:
    """A megabyte, sixteen times what servers let through, in far less than quadratic time would
    take (minutes).
    """
    path = f"{PREFIX}/transactions/" + piece * (1_000_000 // len(piece))
    before = process_time()
    TABLE.match("GET", path)
    assert process_time() - before < 2
