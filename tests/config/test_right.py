"""What a right configuration becomes: profiles, sites, words."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guarita.config import layers as making
from guarita.config.addresses import parse_listen
from guarita.config.drawing import draw, filled
from guarita.config.loading import member_names
from guarita.config.plain_wording import PLAIN, VALUES
from guarita.config.settings import LimitSettings
from guarita.config.site_checks import credential_headers
from guarita.decision import Refuse
from guarita.layers.api_key import ApiKeyAuth
from guarita.layers.idempotency import OTHER_BODY, OnMismatch
from guarita.layers.permission import LACKING
from guarita.layers.rate_limit import TOO_MANY
from guarita.outage import OnOutage
from guarita.profiles.delfinance import PRODUCTION, UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.gateway.listening import Listen
from guarita.serving.http1.limits import Limits
from tests.config.support import SITE, UPSTREAM, loaded

ROOT = Path(__file__).parents[2]
OWN_API = (ROOT / "examples" / "gateway" / "own-api.toml").read_text("utf-8")


def layer(profile: Any, name: str) -> Any:
    return next(layer for one in profile.classes for layer in one.layers if layer.name == name)


def test_the_shortest_configuration(tmp_path: Path) -> None:
    seen = loaded(tmp_path, SITE + UPSTREAM)
    (site,) = seen.sites
    assert site.profile is MINHA_KONTA
    assert site.listen == (Listen("127.0.0.1", 8080),)
    assert site.limits == Limits()
    assert (site.tls, site.crl_folder, site.share_port) == (None, None, False)
    assert site.settings.hsts_max_age_s == 31_536_000
    assert seen.data == Path("guarita-data")
    assert (seen.dangers, seen.certificates) == ((), None)


def test_settings_of_layers(tmp_path: Path) -> None:
    text = (
        SITE + UPSTREAM + "[profile.minhakonta.rate_limit]\nlimit = 7\non_outage = 'refuse'\n"
        "[profile.minhakonta.idempotency]\nkeep_s = 60\non_mismatch = 'refuse'\n"
        "[profile.minhakonta.signature]\nmax_body_bytes = 1000\nmethods = ['POST']\n"
        "[profile.minhakonta.media_type]\naccepted = ['application/json']\n"
    )
    (site,) = loaded(tmp_path, text).sites
    rate = layer(site.profile, "rate_limit")
    assert (rate.limit, rate.window_s, rate.on_outage) == (7, 60, OnOutage.REFUSE)
    idempotency = layer(site.profile, "idempotency")
    assert (idempotency.keep_s, idempotency.max_length) == (60, 256)
    assert idempotency.on_mismatch is OnMismatch.REFUSE
    signature = layer(site.profile, "signature")
    assert (signature.max_body, signature.methods) == (1000, frozenset({"POST"}))
    assert layer(site.profile, "media_type").accepted == frozenset({b"application/json"})
    assert site.profile.wording == MINHA_KONTA.wording
    assert site.profile.selection == MINHA_KONTA.selection
    assert [[one.name for one in each.layers] for each in site.profile.classes] == [
        [one.name for one in each.layers] for each in MINHA_KONTA.classes
    ]


def test_delfinance_without_certificates(tmp_path: Path) -> None:
    text = (
        SITE.replace("minhakonta", "delfinance")
        + UPSTREAM
        + "[profile.delfinance]\nunsafe_no_certificate_no_allowlist = true\n"
        "[profile.delfinance.lockout]\nwindow_s = 5\n"
    )
    seen = loaded(tmp_path, text)
    (site,) = seen.sites
    assert [one.name for one in site.profile.classes[0].layers] == [
        one.name for one in UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST.classes[0].layers
    ]
    assert layer(site.profile, "lockout").window_s == 5
    assert [one.text for one in seen.dangers] == [
        "client certificates and allowlists are not looked at"
    ]


def test_a_profile_like_another(tmp_path: Path) -> None:
    text = (
        SITE.replace("minhakonta", "mine")
        + UPSTREAM
        + "[profile.mine]\nlike = 'minhakonta'\nprefix = '/mine'\n"
        "[profile.mine.wording.'rate_limit.too_many']\nstatus = 429\nbody = 'later'\n"
    )
    (site,) = loaded(tmp_path, text).sites
    assert site.profile.name == "mine"
    assert site.profile.table.rows == MINHA_KONTA.table.rows
    assert layer(site.profile, "permission").table.prefix == "/mine"
    assert layer(site.profile, "api_key").profile == "minhakonta"  # whose keys are accepted
    assert site.profile.respond(Refuse(TOO_MANY)).body == b'"later"'
    assert site.profile.wording[OTHER_BODY] == MINHA_KONTA.wording[OTHER_BODY]
    assert site.profile.route_class("GET", "/mine/balance").name == "balance"


def test_keys_of_another_profile(tmp_path: Path) -> None:
    text = (
        SITE.replace("minhakonta", "mine")
        + UPSTREAM
        + "[profile.mine]\nlike = 'minhakonta'\nkeys = 'mine'\n"
    )
    (site,) = loaded(tmp_path, text).sites
    assert layer(site.profile, "api_key") == ApiKeyAuth("mine", OnOutage.REFUSE)


def test_an_api_of_ones_own(tmp_path: Path) -> None:
    seen = loaded(tmp_path, OWN_API)
    (site,) = seen.sites
    profile = site.profile
    assert profile.route_class("POST", "/v1/orders").name == "write"
    assert profile.route_class("GET", "/v1/orders").name == "read"
    assert profile.route_class("BREW", "/").name == "read"
    assert layer(profile, "api_key").profile == "orders"
    assert profile.table.match("GET", "/v1/orders/7").permissions == ("orders:read",)
    refused = profile.respond(Refuse(LACKING, {"permission": "orders:write"}))
    assert refused.status == 403
    assert refused.body == b'{"code":"forbidden","detail":"This key may not: orders:write"}'
    limited = profile.respond(Refuse(TOO_MANY))
    assert (b"retry-after", b"60") in limited.headers
    assert profile.wording[OTHER_BODY] == PLAIN[OTHER_BODY]
    assert seen.permissions >= {"orders:read", "orders:write"}
    assert site.settings.forwarding.prefix == "Shop-"
    assert [one.text for one in seen.dangers] == ["/health reaches the upstream unchecked"]


def test_the_credentials_that_are_removed_follow_the_layers(tmp_path: Path) -> None:
    text = (
        SITE.replace("minhakonta", "mine") + UPSTREAM + "keep_headers = ['Authorization']\n"
        "[profile.mine]\n[profile.mine.api_key_header]\nheader = 'X-Shop-Key'\n"
        "[[profile.mine.class]]\nname = 'all'\nlayers = ['api_key_header', 'account']\n"
    )
    (site,) = loaded(tmp_path, text).sites
    assert credential_headers(site.profile) == {b"x-shop-key"}
    assert layer(site.profile, "api_key_header").profile == "delfinance"
    assert credential_headers(MINHA_KONTA) == {b"authorization", b"hmac"}
    assert credential_headers(PRODUCTION) == {b"x-delbank-api-key"}


DANGERS = {
    "unsafe_plaintext": SITE.replace("127.0.0.1", "0.0.0.0") + "unsafe_plaintext = true\n",
    "unsafe_no_hsts": SITE + "unsafe_no_hsts = true\n",
    "unsafe_any_proxy": SITE + "trusted_proxies = ['0.0.0.0/0']\nunsafe_any_proxy = true\n",
    "unsafe_unguarded_paths": SITE + "unsafe_unguarded_paths = ['/health']\n",
    "unsafe_memory_reservations": "[data]\nunsafe_memory_reservations = true\n" + SITE,
    "unsafe_no_revocation_list": "[client_certificates]\nauthorities = ['guarita.toml']\n"
    "unsafe_no_revocation_list = true\n" + SITE,
    "unsafe_sha1": "[client_certificates]\nauthorities = ['guarita.toml']\nunsafe_sha1 = true\n"
    "revocation_files = ['guarita.toml']\n" + SITE,
}


def test_a_class_without_allowlists_is_a_danger(tmp_path: Path) -> None:
    text = (
        SITE.replace("minhakonta", "mine") + UPSTREAM + "[profile.mine]\n"
        "[[profile.mine.class]]\nname = 'all'\nlayers = ['api_key', 'account', 'permission']\n"
        "[[profile.mine.route]]\nmethod = 'GET'\npath = '/a'\npermission = 'a:read'\n"
    )
    (danger,) = loaded(tmp_path, text).dangers
    assert (danger.line, "'all' has no layer address" in danger.text) == (9, True)
    assert loaded(tmp_path, text.replace("'api_key',", "'api_key', 'address',")).dangers == ()


@pytest.mark.parametrize("like", ["", "like = 'minhakonta'\n"])
def test_a_class_that_asks_for_no_permission_is_a_danger(tmp_path: Path, like: str) -> None:
    """Whether the profile has no routes, or those of another."""
    text = (
        SITE.replace("minhakonta", "mine") + UPSTREAM + f"[profile.mine]\n{like}"
        "[[profile.mine.class]]\nname = 'all'\nlayers = ['api_key', 'address', 'account']\n"
    )
    (danger,) = loaded(tmp_path, text).dangers
    assert danger.line == (10 if like else 9)
    assert "'all' has no layer permission: every key may do everything" in danger.text


def test_half_a_second_is_a_time(tmp_path: Path) -> None:
    """It was refused as less than 1, on the line of its table."""
    times = [one for one in LimitSettings().__struct_fields__ if one.endswith("_s")]
    assert "head_s" in times
    text = SITE + UPSTREAM + "[site.limits]\n" + "".join(f"{one} = 0.5\n" for one in times)
    (site,) = loaded(tmp_path, text).sites
    assert [getattr(site.limits, one) for one in times] == [0.5] * len(times)


def test_limits_at_their_edge(tmp_path: Path) -> None:
    more = "head_bytes = 8192\nconnections = 1024\n"
    assert loaded(tmp_path, SITE + UPSTREAM + "[site.limits]\n" + more).sites


def test_a_profile_that_no_site_has_is_a_danger(tmp_path: Path) -> None:
    (danger,) = loaded(tmp_path, SITE + UPSTREAM + "[profile.mine]\nlike = 'minhakonta'\n").dangers
    assert (danger.line, "no site has the profile mine" in danger.text) == (8, True)


def test_https_at_proxy_reaches_the_gate(tmp_path: Path) -> None:
    more = "trusted_proxies = ['10.0.0.1']\nhttps_at_proxy = true\n"
    (site,) = loaded(tmp_path, SITE + more + UPSTREAM).sites
    assert site.settings.https_at_proxy
    (site,) = loaded(tmp_path, SITE + UPSTREAM).sites
    assert not site.settings.https_at_proxy


def test_an_upstream_beside_the_listener_is_another(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:8081", "http://127.0.0.2:8080", "unix:/tmp/app.sock"):
        assert loaded(tmp_path, SITE + f'[site.upstream]\nurl = "{url}"\n').sites


@pytest.mark.parametrize("text", DANGERS.values(), ids=list(DANGERS))
def test_dangerous_settings_are_named(tmp_path: Path, text: str) -> None:
    (danger,) = loaded(tmp_path, text + UPSTREAM).dangers
    assert danger.line > 1


def test_every_dangerous_setting_is_among_them() -> None:
    every = {word for word in draw().split("`") if word.startswith("unsafe_")}
    assert every == {*DANGERS, "unsafe_no_certificate_no_allowlist"}


def test_listeners_that_need_no_tls(tmp_path: Path) -> None:
    proxied = SITE.replace("127.0.0.1", "0.0.0.0") + "https_at_proxy = true\n"
    text = proxied + "trusted_proxies = ['10.0.0.1']\n" + UPSTREAM
    assert loaded(tmp_path, text).dangers == ()
    text = SITE.replace("127.0.0.1:8080", "unix:/tmp/x.sock") + "trusted_proxies = ['unix']\n"
    (site,) = loaded(tmp_path, text + UPSTREAM).sites
    assert site.settings.trusted_proxies.believes(None)
    assert not site.settings.trusted_proxies.believes("127.0.0.1")


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    seen = loaded(tmp_path, "[data]\nfolder = 'd'\n" + SITE + UPSTREAM)
    assert seen.data == tmp_path / "d"
    assert loaded(tmp_path, "data = 'd'\n" + SITE + UPSTREAM).data == tmp_path / "d"


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:8080", Listen("127.0.0.1", 8080)),
        ("0.0.0.0:1", Listen("0.0.0.0", 1)),
        ("[::]:8443", Listen("::", 8443)),
        ("[::0001]:0", Listen("::1", 0)),
        ("unix:/run/a.sock", Listen(unix="/run/a.sock")),
    ],
)
def test_addresses(text: str, listen: Listen) -> None:
    assert parse_listen(text) == listen
    assert parse_listen(str(listen)) == listen


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("8080", "127.0.0.1:8080"),
        (":8080", "0.0.0.0:8080"),
        ("*:8080", "0.0.0.0:8080"),
        ("localhost:8080", "127.0.0.1:8080"),
        ("::1:8080", "[::1]:8080"),
        ("example.com:80", "names are not looked up"),
        ("127.0.0.1", "ends in no port"),
        ("127.0.0.1:65536", "ends in no port"),
        ("127.0.0.1:http", "ends in no port"),
        ("127.1:80", "no IP address"),
        ("010.0.0.1:80", "no IP address"),
        ("[127.0.0.1]:80", "no IP address"),
        ("unix:a.sock", "the whole path"),
        ("unix:/" + "a" * 107, "at most 107 bytes"),
        ("", "ends in no port"),
    ],
)
def test_addresses_that_are_none(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint.replace("[", r"\[")):
        parse_listen(text)


def test_the_limits_are_the_fronts() -> None:
    ours, its = LimitSettings(), Limits()
    assert ours.__struct_fields__ == its.__struct_fields__
    assert msgspec.structs.asdict(ours) == msgspec.structs.asdict(its)


def test_every_reason_of_every_layer_has_plain_words() -> None:
    """Rule 4 of the design: whatever layers a user's API has, each reason has its response."""
    for name, kind in making.KINDS.items():
        assert not [reason for reason in kind.reasons if reason not in PLAIN], name


@pytest.mark.parametrize("words", [PLAIN, MINHA_KONTA.wording, PRODUCTION.wording])
def test_the_values_of_reasons_are_those_that_their_wordings_use(words: Any) -> None:
    for reason, wording in words.items():
        wording.render(dict.fromkeys(VALUES.get(reason, ()), "x"))


def test_the_documentation_lists_every_setting() -> None:
    page = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    assert filled(page) == page, "run: python -m guarita.config.drawing docs/gateway.md"


def test_the_command_line_knows_the_members_of_the_file() -> None:
    from guarita.cli.settings import MEMBERS

    assert sorted(MEMBERS) == sorted(member_names())


def test_examples_in_the_documentation_are_right(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    blocks = [part.partition("```")[0] for part in page.split("```toml\n")[1:]]
    assert len(blocks) >= 2
    whole = [block for block in blocks if "[[site]]" in block]
    assert whole
    for block in whole:
        loaded(tmp_path, block)
    for block in blocks:
        tomllib.loads(block)
