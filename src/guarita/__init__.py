"""Request security for payment APIs: one policy admits, refuses or replays every request.

The names here and the layers with their settings (`guarita.layers.*`) are the public API;
everything else may move between versions. The names are imported when first used, so that a command
line tool does not pay for a server.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guarita.addresses import AddressSet
    from guarita.asks import Outage, Scope
    from guarita.data_folder import DataFolder
    from guarita.decision import Response
    from guarita.decision_log import DecisionLog
    from guarita.identity import Identity
    from guarita.outage import ADMIT, REFUSE, OnOutage
    from guarita.profile import Profile
    from guarita.profiles.minhakonta import MINHA_KONTA
    from guarita.serving.asgi import Guarita
    from guarita.serving.backend import Backend
    from guarita.serving.edge import TrustedProxies

__version__ = "0.1.0"

__all__ = [
    "ADMIT",
    "MINHA_KONTA",
    "REFUSE",
    "AddressSet",
    "Backend",
    "DataFolder",
    "DecisionLog",
    "Guarita",
    "Identity",
    "OnOutage",
    "Outage",
    "Profile",
    "Response",
    "Scope",
    "TrustedProxies",
]

_HOMES = {
    "ADMIT": "outage",
    "MINHA_KONTA": "profiles.minhakonta",
    "REFUSE": "outage",
    "AddressSet": "addresses",
    "Backend": "serving.backend",
    "DataFolder": "data_folder",
    "DecisionLog": "decision_log",
    "Guarita": "serving.asgi",
    "Identity": "identity",
    "OnOutage": "outage",
    "Outage": "asks",
    "Profile": "profile",
    "Response": "decision",
    "Scope": "asks",
    "TrustedProxies": "serving.edge",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
