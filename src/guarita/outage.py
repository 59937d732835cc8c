"""What a layer does when the store it asks is out of reach: always a setting, never an accident."""

from enum import Enum


class OnOutage(Enum):
    """ADMIT lets the request pass unchecked by this layer, REFUSE answers with the layer's outage
    reason.
    """

    ADMIT = "admit"
    REFUSE = "refuse"


ADMIT = OnOutage.ADMIT
REFUSE = OnOutage.REFUSE
