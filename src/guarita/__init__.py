"""Request security for payment APIs: one policy admits, refuses or replays every request.

The names here are the public API; everything else may move between versions.
"""

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
