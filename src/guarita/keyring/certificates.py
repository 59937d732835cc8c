"""The use cases that change what a key demands of client certificates, and which are registered for
it. Part of `Keyring`; the rules are in `pins`."""

from collections.abc import Callable

from guarita.keyring import changes, checks, pins
from guarita.keyring.kinds import refuse_certificates
from guarita.keyring.repository import Repository
from guarita.records import ApiKey, CertificatePin


class CertificateUseCases:
    """For keys whose profile has client certificates; BadValue for all others."""

    def __init__(self, repository: Repository, clock: Callable[[], float]) -> None:
        self._repository = repository
        self._clock = clock

    def register_certificate(
        self, client_id: str, pin: CertificatePin, *, overlap_until: float | None = None
    ) -> ApiKey:
        """Registers a client certificate; the one registered before counts until `overlap_until`
        (Unix seconds), or ends now (None). See `guarita.keyring.pins`.

        Raises Refused for a third one at once, and for one that was revoked.
        """
        now = self._clock()
        pin, until = checks.pin(pin, now), checks.overlap_end(overlap_until, now)
        return self._update_certificates(client_id, lambda k: pins.registered(k, pin, now, until))

    def retire_certificate(self, client_id: str, serial: str) -> ApiKey:
        """Ends a registration now; `serial` may be its SHA-256 as well. It can be made again."""
        now = self._clock()
        return self._update_certificates(client_id, lambda k: pins.retired(k, serial, now))

    def revoke_certificate(self, client_id: str, serial: str, reason: str = "") -> ApiKey:
        """Refuses the certificate for good; `serial` may be its SHA-256 as well."""
        reason = checks.text(reason, "the reason of a revocation", may_be_empty=True)
        now = self._clock()
        return self._update_certificates(client_id, lambda k: pins.revoked(k, serial, reason, now))

    def set_certificate_mode(self, client_id: str, mode: str) -> ApiKey:
        """What the key demands from now on: "strict", "valid" or "unsafe_off"."""
        chosen = checks.certificate_mode(mode)
        return self._update_certificates(
            client_id, lambda k: changes.changed(k, certificate_mode=chosen)
        )

    def _update_certificates(self, client_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        def checked(key: ApiKey) -> ApiKey:
            refuse_certificates(key.profile)
            return change(key)

        return self._repository.update_key(client_id, checked)
