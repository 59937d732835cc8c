"""`guarita serve`: the gateway in front of any upstream, as guarita.toml says."""

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from guarita.cli.check_config import config_file, needs_server, told
from guarita.cli.output import OK, MisuseError, RefusedError, emit
from guarita.cli.settings import Settings, current

if TYPE_CHECKING:
    from guarita.cli.serve_state import State
    from guarita.config import Loaded
    from guarita.serving.gateway.process import Plan, Process

log = logging.getLogger("guarita.gateway")


def serve() -> int:
    """Serve the sites of a configuration file until SIGTERM or Ctrl-C.

    SIGHUP reads the file again and changes over to it without dropping a connection; a mistake in
    it is logged, and the former configuration stays. SIGTERM lets responses in flight finish. When
    requests are answered, one line is printed for each site; with --json, one document. Default
    file: guarita.toml.
    """
    settings = current()
    needs_server()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    file = config_file(settings)
    loaded = _loaded(file, settings)
    _warn(loaded)
    # Until the gateway answers it: one that comes while starting must not end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    state = _opened(loaded)
    try:
        with asyncio.Runner(loop_factory=_loop_factory(loaded)) as runner:
            runner.run(_run(file, settings, loaded, state))
    finally:
        state.close()
    return OK


async def _run(file: Path, settings: Settings, loaded: "Loaded", state: "State") -> None:
    from guarita.serving.gateway.process import Process, run

    def reload() -> "Plan":
        again = _loaded(file, settings)
        state.check(again)
        plan = _plan(again, state)
        _warn(again)
        return plan

    process = Process(state.backend_of, state.decision_log, reload)
    await run(
        process,
        _first_plan(loaded),
        background=[state.renew_list],
        on_ready=lambda: _ready(process, loaded, settings),
    )


def _loaded(file: Path, settings: Settings) -> "Loaded":
    from guarita.config import ConfigError, Unreadable, load

    try:
        return load(file, data=settings.given)
    except ConfigError as error:
        raise RefusedError(told(error)) from None
    except Unreadable as error:
        raise MisuseError(str(error)) from None


def _opened(loaded: "Loaded") -> "State":
    from guarita.cli.authority import refusals
    from guarita.cli.serve_state import State
    from guarita.pki.crl import CrlError

    with refusals():
        try:
            return State(loaded)
        except CrlError as error:
            raise RefusedError(str(error)) from None


def _first_plan(loaded: "Loaded") -> "Plan":
    from guarita.serving.gateway.process import Plan

    return Plan(loaded.sites, loaded.settings.process.grace_s)


def _plan(loaded: "Loaded", state: "State") -> "Plan":
    """The plan of a configuration read anew, with its authorities opened already."""
    from guarita.serving.gateway.process import Plan

    certificates = loaded.certificates
    own = certificates is not None and certificates.own
    opened = None if certificates is None else certificates.open()
    return Plan(
        loaded.sites,
        loaded.settings.process.grace_s,
        changed=lambda: state.certificates.use(opened, own=own),
        dropped=lambda: None if opened is None or opened[1] is None else opened[1].close(),
    )


def _warn(loaded: "Loaded") -> None:
    for danger in loaded.dangers:
        log.warning("dangerous setting: %s:%d: %s", loaded.file, danger.line, danger.text)


def _loop_factory(loaded: "Loaded") -> Callable[[], asyncio.AbstractEventLoop]:
    wanted = loaded.settings.process.event_loop
    try:
        import uvloop
    except ModuleNotFoundError:
        if wanted == "uvloop":
            raise RefusedError('event_loop = "uvloop" needs: pip install uvloop') from None
        return asyncio.new_event_loop
    return asyncio.new_event_loop if wanted == "asyncio" else uvloop.new_event_loop


def _ready(process: "Process", loaded: "Loaded", settings: Settings) -> None:
    sites, lines = [], []
    for one in loaded.sites:
        listen = process.addresses(one.name)
        site = {"name": one.name, "profile": one.profile.name, "listen": listen}
        sites.append({**site, "tls": one.tls is not None, "upstream": one.upstream.url})
        lines.append(
            f"{one.name} ({one.profile.name}) listens on {', '.join(listen)}"
            f"{' with TLS' if one.tls else ''}, upstream {one.upstream.url}"
        )
    document = {"config": str(loaded.file), "data": str(loaded.data.resolve()), "sites": sites}
    emit(settings.json, document, "\n".join(lines))
