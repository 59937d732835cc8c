"""Sites from a configuration: every `[[site]]` into what the gateway serves, and the contradictions
within and between them.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guarita.addresses import BadEntry
from guarita.config.addresses import parse_listen
from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes, nearest
from guarita.config.settings import (
    CertificateHeaderSettings,
    Configuration,
    LimitSettings,
    Site,
    TLSSettings,
    UpstreamSettings,
)
from guarita.config.site_checks import (
    UNIX,
    against_process,
    against_profile,
    contradictions,
    credential_headers,
    has_layer,
    not_itself,
    plaintext,
    unguarded,
)
from guarita.profile import Profile
from guarita.serving.certificates import CertificateHeader
from guarita.serving.edge import NO_PROXIES, TrustedProxies
from guarita.serving.gateway.forward import CREDENTIALS as REMOVED
from guarita.serving.gateway.forward import Forwarding
from guarita.serving.gateway.gate import Settings
from guarita.serving.gateway.listening import TLS, Listen, stamp_of
from guarita.serving.gateway.site import SitePlan, UpstreamPlan
from guarita.serving.http1.limits import Limits
from guarita.serving.upstream.target import Timeouts


class Sites:
    """Plans every site of a configuration; whatever is wrong goes to `mistakes`.

    Attributes:
        plans: the sites without a mistake of their own.
    """

    def __init__(
        self,
        configuration: Configuration,
        profiles: Mapping[str, Profile | None],
        folder: Path,
        crl_folder: Path,
        mistakes: Mistakes,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`folder`: what relative paths start from. `crl_folder`: the data folder's authority."""
        self._configuration = configuration
        self._profiles = profiles
        self._folder = folder
        self._crl_folder = crl_folder
        self._mistakes = mistakes
        self._environ = environ
        self.plans: list[SitePlan] = []
        self._listening: list[tuple[Listen, str, Place]] = []
        names: dict[str, int] = {}
        for number, site in enumerate(configuration.site):
            if site is None:
                continue
            place: Place = ("site", number)
            if not site.name:
                mistakes.add((*place, "name"), "a site has a name")
            elif site.name in names:
                mistakes.add((*place, "name"), f"there are two sites {site.name!r}")
            names[site.name] = number
            plan = self._plan(site, place)
            if plan is not None:
                self.plans.append(plan)
        if not configuration.site:
            mistakes.add(("site",), "there is no [[site]]: nothing would be served")

    def _plan(self, site: Site, place: Place) -> SitePlan | None:
        before = len(self._mistakes.found)
        profile = self._profile(site, place)
        listen = self._listen(site, place)
        proxies = self._proxies(site, place)
        header = self._certificate_header(site, place)
        verifies = profile is not None and has_layer(profile, "certificate")
        tls = None if site.tls is None else self._tls(site.tls, (*place, "tls"), asks=verifies)
        upstream = None
        if site.upstream is None:
            self._mistakes.add((*place, "upstream"), "[[site]] needs [site.upstream]")
        else:
            upstream = self._upstream(site.upstream, (*place, "upstream"))
            if upstream is not None:
                not_itself(upstream, listen, (*place, "upstream", "url"), self._mistakes)
        forwarding = None if profile is None else self._forwarding(site, profile, place)
        limits = self._limits(site.limits, (*place, "limits"))
        contradictions(site, place, self._mistakes)
        plaintext(site, listen, place, self._mistakes)
        unguarded(site, place, self._mistakes)
        if profile is not None:
            against_profile(site, profile, listen, place, self._mistakes)
        counters = self._configuration.data.counters
        against_process(site, self._crl_folder, counters, place, self._mistakes)
        if site.unsafe_no_hsts:
            self._mistakes.danger((*place, "unsafe_no_hsts"), "responses carry no HSTS")
        if len(self._mistakes.found) > before:
            return None
        if profile is None or upstream is None or limits is None or forwarding is None:
            return None
        settings = Settings(
            trusted_proxies=proxies,
            certificate_header=header,
            forwarding=forwarding,
            max_recorded_body=site.max_recorded_body_bytes,
            hsts_max_age_s=0 if site.unsafe_no_hsts else site.hsts_max_age_s,
            unsafe_unguarded_paths=tuple(site.unsafe_unguarded_paths),
            https_at_proxy=site.https_at_proxy,
        )
        return SitePlan(
            name=site.name,
            listen=tuple(listen),
            profile=profile,
            upstream=upstream,
            settings=settings,
            limits=limits,
            tls=tls,
            crl_folder=self._crl_folder if site.publish_crl else None,
            share_port=site.share_port,
        )

    # --- the parts of a site ----------------------------------------------------------------------

    def _profile(self, site: Site, place: Place) -> Profile | None:
        if site.profile not in self._profiles:
            self._mistakes.add(
                (*place, "profile"),
                f"there is no profile {site.profile!r}{nearest(site.profile, self._profiles)}",
            )
        return self._profiles.get(site.profile)

    def _listen(self, site: Site, place: Place) -> list[Listen]:
        if not site.listen:
            self._mistakes.add((*place, "listen"), "listen names no address")
        found: list[Listen] = []
        for number, text in enumerate(site.listen):
            here = (*place, "listen", number)
            try:
                listen = parse_listen(text)
            except ValueError as error:
                self._mistakes.add(here, f"listen: {error}")
                continue
            for other, name, there in self._listening:
                if listen.clashes(other):
                    self._mistakes.add(
                        here,
                        f"{listen} and {other} (site {name!r}, line"
                        f" {self._mistakes.line(there)}) cannot both be listened on",
                    )
            self._listening.append((listen, site.name, here))
            found.append(listen)
        return found

    def _proxies(self, site: Site, place: Place) -> TrustedProxies:
        if not site.trusted_proxies:
            return NO_PROXIES
        here = (*place, "trusted_proxies")
        entries = [one for one in site.trusted_proxies if one != UNIX]
        unix = len(entries) < len(site.trusted_proxies)
        if site.unsafe_any_proxy:
            self._mistakes.danger((*place, "unsafe_any_proxy"), "every caller names its address")
        try:
            return TrustedProxies(
                entries, unix_peer_is_trusted=unix, unsafe_any=site.unsafe_any_proxy
            )
        except BadEntry as error:
            text = str(error)
            if "unsafe_any" in text and "unsafe_any_proxy" not in text:
                text = text.replace("unsafe_any", "unsafe_any_proxy")
            self._mistakes.add(here, f"trusted_proxies: {text}")
            return NO_PROXIES

    def _certificate_header(self, site: Site, place: Place) -> CertificateHeader | None:
        settings: CertificateHeaderSettings | None = site.certificate_header
        if settings is None:
            return None
        here = (*place, "certificate_header")
        if not site.trusted_proxies:
            self._mistakes.add(here, "certificate_header takes trusted_proxies: whose is believed?")
        try:
            return CertificateHeader(settings.form, settings.name, time_name=settings.time_name)
        except ValueError as error:
            self._mistakes.add(here, str(error))
            return None

    def _tls(self, settings: TLSSettings, place: Place, *, asks: bool) -> TLS | None:
        password: bytes | None = None
        if settings.key_password_env is not None:
            given = self._environ.get(settings.key_password_env)
            if not given:
                self._mistakes.add(
                    (*place, "key_password_env"),
                    "the environment variable that key_password_env names is not set",
                )
            password = (given or "").encode()
        certificate, key = self._folder / settings.certificate, self._folder / settings.key
        for name, file in (("certificate", certificate), ("key", key)):
            if not file.is_file():
                self._mistakes.add((*place, name), f"{name}: there is no file {file}")
        if not certificate.is_file() or not key.is_file():
            return None
        try:
            tls = TLS(
                certificate,
                key,
                password,
                settings.minimum,
                asks,
                settings.handshake_s,
                stamp_of(certificate, key),
            )
            tls.context()
        except (ValueError, OSError) as error:
            self._mistakes.add(place, f"tls: {error}")
            return None
        return tls

    def _upstream(self, settings: UpstreamSettings, place: Place) -> UpstreamPlan | None:
        ca_file: str | None = None
        stamp: tuple[int, ...] = ()
        if settings.ca_file is not None:
            file = self._folder / settings.ca_file
            ca_file = str(file)
            if not file.is_file():
                self._mistakes.add((*place, "ca_file"), f"ca_file: there is no file {file}")
                return None
            stamp = stamp_of(file)
        try:
            plan = UpstreamPlan(
                settings.url,
                ca_file,
                stamp,
                settings.server_name,
                Timeouts(settings.connect_s, settings.read_s, settings.idle_s),
                settings.most_connections,
                settings.reads_bodies,
            )
            plan.target()
        except (ValueError, OSError) as error:
            self._mistakes.add((*place, "url"), str(error))
            return None
        return plan

    def _forwarding(self, site: Site, profile: Profile, place: Place) -> Forwarding | None:
        """What reaches the upstream of the headers that callers prove themselves with: by default
        none of them, those of the profile's own layers included.
        """
        upstream = site.upstream
        if upstream is None:
            return None
        own = credential_headers(profile)
        kept = [name.lower() for name in upstream.keep_headers]
        here = (*place, "upstream", "keep_headers")
        removed = {one.decode() for one in REMOVED | own}
        before = len(self._mistakes.found)
        for name in kept:
            if name.encode("utf-8", "replace") in own:
                self._mistakes.add(
                    here, f"{name} is what this site's callers prove themselves with: not kept"
                )
            elif name not in removed:
                self._mistakes.add(here, f"{name} is handed on anyway{nearest(name, removed)}")
        if len(self._mistakes.found) > before:
            return None
        try:
            return Forwarding(
                site.identity_prefix,
                host=upstream.host,
                credentials=[one.decode() for one in own],
                keep_credentials=kept,
            )
        except ValueError as error:
            host_is_wrong = str(error).startswith("host ")
            wrong: Place = ("upstream", "host") if host_is_wrong else ("identity_prefix",)
            self._mistakes.add((*place, *wrong), str(error))
            return None

    def _limits(self, settings: LimitSettings, place: Place) -> Limits | None:
        members: dict[str, Any] = {
            name: getattr(settings, name) for name in settings.__struct_fields__
        }
        try:
            return Limits(**members)
        except ValueError as error:
            name = str(error).partition(":")[0]
            self._mistakes.add((*place, name) if name in members else place, str(error))
            return None
