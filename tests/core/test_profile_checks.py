"""Profiles that cannot work are refused when they are made, with a clear error."""

from typing import Any, ClassVar

import pytest

from guarita.decision import Reason
from guarita.layers.api_key import ApiKeyAuth
from guarita.layers.idempotency import Idempotency
from guarita.layers.rate_limit import RateLimit
from guarita.layers.well_formed import WellFormed
from guarita.outage import ADMIT, REFUSE
from guarita.pipeline import BadOrder
from guarita.profile import Profile, RouteClass, Selection
from guarita.profiles.minhakonta import MINHA_KONTA, WRITE


def profile(**changes: Any) -> Profile:
    """Minha Konta's profile with some of its parts replaced."""
    parts = {
        name: getattr(MINHA_KONTA, name) for name in ("table", "classes", "selection", "wording")
    }
    return Profile("test", **{**parts, **changes})


# --- impossible profiles -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        ((), "must match everything"),
        ((Selection("read", frozenset({"GET"})),), "must match everything"),
        ((Selection("read", None, "/x"),), "must match everything"),
        ((Selection("write"), Selection("read")), "names its methods"),
        ((Selection("write", None, "/x"), Selection("read")), "names its methods"),
        ((Selection("typo"),), "'typo'"),
        ((Selection("typo", frozenset({"GET"})), Selection("read")), "'typo'"),
    ],
)
def test_an_impossible_selection(selection: tuple[Selection, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        profile(selection=selection)


def test_two_classes_of_one_name() -> None:
    """The later one would silently take the place of the stricter."""
    with pytest.raises(ValueError, match="'write'"):
        profile(classes=(*MINHA_KONTA.classes, RouteClass("write", WRITE[:1])))


def test_an_impossible_order_of_layers() -> None:
    with pytest.raises(BadOrder):
        profile(classes=(*MINHA_KONTA.classes, RouteClass("more", WRITE[::-1])))


# --- with_layers ---------------------------------------------------------------------------------


def test_a_layer_is_replaced_in_every_class_that_has_it() -> None:
    stricter = RateLimit(1, 1, REFUSE)
    made = MINHA_KONTA.with_layers(stricter)
    for before, after in zip(MINHA_KONTA.classes, made.classes, strict=True):
        expected = [stricter if isinstance(x, RateLimit) else x for x in before.layers]
        assert (after.name, list(after.layers)) == (before.name, expected)
    assert made.name == MINHA_KONTA.name
    assert made.wording is MINHA_KONTA.wording
    assert MINHA_KONTA.classes[0].layers[7] == RateLimit(90_000, 60, ADMIT)
    assert MINHA_KONTA.with_layers().classes == MINHA_KONTA.classes


class Unheard(WellFormed, frozen=True):
    """A layer no profile has."""

    name = "unheard"


class Talkative(WellFormed, frozen=True):
    """A layer with a reason of its own."""

    reasons: ClassVar[tuple[Reason, ...]] = (Reason("well_formed", "smelly"),)


def test_what_with_layers_refuses() -> None:
    with pytest.raises(ValueError, match="'minhakonta' has no layer unheard"):
        MINHA_KONTA.with_layers(Unheard())
    with pytest.raises(ValueError, match=r"no wording for well_formed\.smelly"):
        MINHA_KONTA.with_layers(Talkative())
    with pytest.raises(ValueError, match="rate_limit"):
        MINHA_KONTA.with_layers(RateLimit(1, 1, REFUSE), RateLimit(2, 1, REFUSE))


def test_settings_that_would_admit_without_a_key_or_a_reservation_do_not_exist() -> None:
    with pytest.raises(ValueError, match="REFUSE"):
        ApiKeyAuth("minhakonta", on_outage=ADMIT)
    with pytest.raises(ValueError, match="REFUSE"):
        Idempotency(keep_s=1, on_outage=ADMIT)
