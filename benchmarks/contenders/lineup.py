"""Who takes part, and how each is started: always with the keys of `material`, always in the
committed configuration, in which only folder, ports and limit are filled in.
"""

import base64
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from benchmarks.children import Child
from benchmarks.contenders.fastapi_stack import HAS_SLOWAPI
from benchmarks.contenders.filling import filled, nginx_user
from benchmarks.contenders.material import ALLOWED, KNOWN
from benchmarks.contenders.ours import prepare
from benchmarks.contenders.upstream import Upstream
from benchmarks.processes import held_port, program, started
from guarita.profiles.minhakonta import MINHA_KONTA

HERE = Path(__file__).parent
NGINX_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules")
CJSON = (
    "/usr/lib/x86_64-linux-gnu/lua/5.1",
    "/usr/lib/aarch64-linux-gnu/lua/5.1",
    "/usr/lib/lua/5.1",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where and with what a contender is to run."""

    folder: Path
    core: int | None
    upstream: Upstream | None
    limit: int

    @property
    def bank(self) -> Upstream:
        """The upstream of those that need one."""
        assert self.upstream is not None
        return self.upstream


@dataclass(slots=True)
class Running:
    """A contender that listens on `port`. `executed`: how many requests got past it so far."""

    port: int
    pid: int
    executed: Callable[[], int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the rows.

    Attributes:
        name: as the tables call it.
        start: runs it for as long as the context lasts.
        missing: why it cannot run on this machine, or None.
        replays: whether it keeps answers under their Idempotency-Key; HAProxy only echoes it.
        proxy: whether there is an upstream behind it; else it answers itself.
    """

    name: str
    start: "Callable[[Place], Iterator[Running]]" = field(repr=False)
    missing: Callable[[], str | None] = field(default=lambda: None, repr=False)
    replays: bool = True
    proxy: bool = True

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        """Start it; end it. Raises `Void` where it does not come up."""
        place.folder.mkdir(exist_ok=True)
        yield from self.start(place)


# --- Guarita, FastAPI -----------------------------------------------------------------------------


def _gateway(durable: bool) -> "Callable[[Place], Iterator[Running]]":
    def start(place: Place) -> Iterator[Running]:
        with held_port() as port:
            prepare(place.folder / "data")
            file = place.folder / "guarita.toml"
            words = {
                "memory": str(not durable).lower(),
                "port": port,
                "upstream": place.bank.port,
                "limit": place.limit,
            }
            file.write_text(filled(HERE / "guarita.toml", words))
            command = [sys.executable, "-m", "guarita.cli", "serve", "--config", str(file)]
            with started(command, port, place.folder / "guarita.log", place.core) as process:
                yield Running(port, process.pid, place.bank.requests)

    return start


def _application(module: str) -> "Callable[[Place], Iterator[Running]]":
    def start(place: Place) -> Iterator[Running]:
        options = {"core": place.core, "limit": place.limit}
        with Child(f"benchmarks.contenders.{module}", options) as child:
            port = child.hear()["port"]
            yield Running(port, child.pid, lambda: int(child.ask()["calls"]))

    return start


# --- HAProxy --------------------------------------------------------------------------------------


def _haproxy(place: Place) -> Iterator[Running]:
    with held_port() as port:
        _write_maps(place.folder)
        file = place.folder / "haproxy.cfg"
        words = {
            "folder": place.folder,
            "port": port,
            "upstream": place.bank.port,
            "limit": place.limit,
        }
        file.write_text(filled(HERE / "haproxy.cfg", words))
        command = [program("haproxy") or "", "-db", "-q", "-f", str(file)]
        with started(command, port, place.folder / "haproxy.log", place.core) as process:
            yield Running(port, process.pid, place.bank.requests)


def _write_maps(folder: Path) -> None:
    known = [key for key in KNOWN if key.active]
    grants = [f"{key.client_id}|{one}" for key in known for one in sorted(key.permissions)]
    maps = {
        "secrets.map": [
            f"{key.client_id} {sha256(key.secret.encode()).hexdigest().upper()}" for key in known
        ],
        "accounts.map": [f"{key.client_id} {key.account_id}" for key in known],
        "permissions.map": [
            f"{key.client_id} {','.join(sorted(key.permissions))}" for key in known
        ],
        "routes.map": [f"{route.replace(' ', '|')} {one}" for route, one in _routes()],
        "grants.map": [f"{grant} yes" for grant in grants],
        "networks.lst": list(ALLOWED),
    }
    for name, lines in maps.items():
        (folder / name).write_text("".join([f"{line}\n" for line in lines]))


def _routes() -> list[tuple[str, str]]:
    """("POST /whole/path", permission) of the routes without a parameter."""
    table = MINHA_KONTA.table
    return [
        (f"{row.method} {table.prefix}{row.pattern}", row.permission)
        for row in table.rows
        if ":" not in row.pattern
    ]


# --- nginx with Lua -------------------------------------------------------------------------------


def _lua(raw_first: bool) -> "Callable[[Place], Iterator[Running]]":
    def start(place: Place) -> Iterator[Running]:
        with held_port() as port:
            folder = place.folder
            for name in ("gate.lua", "canonical.lua"):
                (folder / name).write_text((HERE / name).read_text())
            (folder / "keys.json").write_text(_keys())
            file = folder / "nginx.conf"
            words = {
                "folder": folder,
                "user": nginx_user(),
                "modules": _modules(),
                "port": port,
                "upstream": place.bank.port,
                "limit": place.limit,
                "raw_first": str(raw_first).lower(),
            }
            file.write_text(filled(HERE / "nginx.conf", words))
            path = program("nginx") or ""
            command = [path, "-e", str(folder / "nginx.log"), "-p", str(folder), "-c", str(file)]
            with started(command, port, folder / "nginx.out", place.core) as process:
                yield Running(port, process.pid, place.bank.requests)

    return start


def _keys() -> str:
    keys = [
        {
            "client_id": key.client_id,
            "account_id": key.account_id,
            "active": key.active,
            "digest": base64.b64encode(sha256(key.secret.encode()).digest()).decode(),
            "allowed": ALLOWED,
            "permissions": sorted(key.permissions),
        }
        for key in KNOWN
    ]
    return json.dumps({"keys": keys, "routes": dict(_routes())})


def _modules() -> str | None:
    """The folder of nginx's modules."""
    for folder in MODULE_FOLDERS:
        if all((Path(folder) / name).exists() for name in NGINX_MODULES):
            return folder
    return None


def _lua_missing() -> str | None:
    if program("nginx") is None:
        return "nginx is not installed"
    if _modules() is None:
        return "libnginx-mod-http-lua is not installed"
    return (
        None
        if any((Path(one) / "cjson.so").exists() for one in CJSON)
        else "lua-cjson is not installed"
    )


def _haproxy_missing() -> str | None:
    return None if program("haproxy") else "haproxy is not installed"


GATEWAY = Contender("Guarita gateway, memory store", _gateway(durable=False))
DURABLE = Contender("Guarita gateway, SQLite durable, group commit", _gateway(durable=True))
HAPROXY = Contender("HAProxy", _haproxy, _haproxy_missing, replays=False)
LUA = Contender("nginx + Lua, canonical JSON", _lua(raw_first=False), _lua_missing)
LUA_RAW = Contender("nginx + Lua, bytes as sent first", _lua(raw_first=True), _lua_missing)
MIDDLEWARE = Contender("Guarita middleware on uvicorn", _application("middleware"), proxy=False)
_LIMITER = "slowapi" if HAS_SLOWAPI else "limiter by hand: slowapi is not installed"
FASTAPI = Contender(f"FastAPI dependencies, {_LIMITER}", _application("fastapi_stack"), proxy=False)

CONTENDERS = (GATEWAY, DURABLE, HAPROXY, LUA, LUA_RAW, MIDDLEWARE, FASTAPI)
