"""Whatever stands in the file: it is loaded, or refused with lines that exist."""

import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guarita.config import ConfigError, Mistake, load
from guarita.config import layers as making
from guarita.config.plain_wording import PLAIN
from guarita.config.reading import struct_in
from guarita.config.settings import Configuration
from guarita.config.settings import Site as SiteSettings
from guarita.serving.backend import Backend
from guarita.serving.gateway.site import Site
from guarita.stores.memory import MemoryStore
from tests.config.support import written


def setting_names(kind: type[msgspec.Struct]) -> set[str]:
    """Every name that may stand anywhere in the file."""
    found: set[str] = set()
    for field in msgspec.structs.fields(kind):
        found.add(field.encode_name)
        inner = struct_in(field.type)
        found |= setting_names(inner) if inner is not None else set()
    return found


names = st.sampled_from(sorted(setting_names(Configuration))) | st.sampled_from(
    ["own", "minhakonta", "delfinance", *map(str, PLAIN), "x"]
)
WORDS = (
    "minhakonta delfinance own POST get /v1 /a/:b a:b 127.0.0.1:8080 [::]:1 unix:/tmp/x unix"
    " http://[::1 http://h:99999 { {limit} 10.0.0.0/8 ::/0 shared refuse guarita.toml é"
)
texts = st.sampled_from([*making.KINDS, *WORDS.split(" "), "", "x\r\ny", "\0"])
values = st.recursive(
    texts | st.integers(-1, 500) | st.booleans() | st.floats(-1, 1e9, allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)


sites = st.fixed_dictionaries(
    {
        "name": texts,
        "listen": st.lists(texts | st.just("127.0.0.1:0"), max_size=2),
        "profile": st.sampled_from(["minhakonta", "delfinance", "own"]),
        "upstream": st.fixed_dictionaries({"url": texts | st.just("http://127.0.0.1:9000")}),
    },
    optional=dict.fromkeys(sorted(SiteSettings.__struct_fields__[4:]), values),
)
classes = st.fixed_dictionaries(
    {"name": texts, "layers": st.lists(st.sampled_from(list(making.KINDS)), max_size=8)},
    optional={"methods": st.lists(texts, max_size=2), "paths": st.lists(texts, max_size=2)},
)
profiles = st.fixed_dictionaries(
    {},
    optional={
        "like": texts,
        "prefix": texts,
        "class": st.lists(classes, max_size=3),
        "route": st.lists(
            st.fixed_dictionaries({"method": texts, "path": texts, "permission": texts}), max_size=2
        ),
        "wording": st.dictionaries(
            st.sampled_from(list(map(str, PLAIN))),
            st.fixed_dictionaries({"status": st.integers(399, 600), "body": values}),
            max_size=2,
        ),
        "rate_limit": values,
        "idempotency": values,
        "signature": values,
    },
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "site": st.lists(sites, max_size=2) | values,
        "profile": st.dictionaries(st.sampled_from(["own", "minhakonta", "delfinance"]), profiles)
        | values,
        "data": values,
        "client_certificates": values,
        "process": values,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(documents)
def test_it_is_loaded_or_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    text = "\n".join(f"{json.dumps(name)} = {toml(value)}" for name, value in document.items())
    file = written(tmp_path, text.replace("\\u007f", ""))
    for mistake in mistakes_of(file):
        assert 0 <= mistake.line <= text.count("\n") + 1
        assert mistake.text


def mistakes_of(file: Path) -> tuple[Mistake, ...]:
    """What is said of a file; one that is right must start."""
    try:
        loaded = load(file, environ={})
    except ConfigError as error:
        return error.mistakes or (Mistake(-1, "refused without a mistake"),)
    store = MemoryStore()
    for plan in loaded.sites:
        Site(plan, lambda _: Backend(store, store, store), None)
    return ()
