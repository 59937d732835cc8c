"""What client certificates are verified against, from a configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes
from guarita.config.process_settings import ClientCertificateSettings

if TYPE_CHECKING:
    from cryptography import x509

    from guarita.pki.revocation import Revocations
    from guarita.pki.verifier import CertificateVerifier

PLACE: Place = ("client_certificates",)


class CertificatePlan(Struct, frozen=True):
    """Which authorities and lists there are.

    Attributes:
        settings: as in the file.
        authorities, intermediates, lists: files.
        own: the authority is the data folder's: its list is to be published anew in time.
    """

    settings: ClientCertificateSettings
    authorities: tuple[Path, ...]
    intermediates: tuple[Path, ...]
    lists: tuple[Path, ...]
    own: bool

    def open(self) -> "tuple[CertificateVerifier, Revocations | None]":
        """The verifier, and the lists it looks into; these are to be watched and closed.

        Raises:
            CertificateFileError, CrlError, OSError: a file cannot be used; says which and why.
        """
        from guarita.pki.revocation import Revocations
        from guarita.pki.verifier import CertificateVerifier
        from guarita.pki.verify import ChainVerifier

        settings = self.settings
        roots, between = _loaded(self.authorities), _loaded(self.intermediates)
        if self.own:
            roots, between = roots[-1:], [*roots[:-1], *between]
        chains = ChainVerifier(roots, between, require_eku=settings.require_eku)
        if not self.lists and not settings.revocation_urls:
            return CertificateVerifier(chains), None
        revocations = Revocations(
            [*between, *roots],
            files=self.lists,
            urls=settings.revocation_urls,
            stale=settings.stale_s or "refuse",
            scope=settings.scope,
            unsafe_sha1=settings.unsafe_sha1,
        )
        return CertificateVerifier(chains, revocations), revocations


def certificates(
    settings: ClientCertificateSettings, folder: Path, ca_folder: Path, mistakes: Mistakes
) -> CertificatePlan:
    """The plan of `[client_certificates]`. `folder`: what relative paths start from; `ca_folder`:
    the data folder's own authority.
    """
    if settings.authorities is None:
        authorities: tuple[Path, ...] = (ca_folder / "ca.pem",)
        lists: tuple[Path, ...] = (ca_folder / "crl.pem",)
        if not authorities[0].is_file():
            mistakes.add(
                PLACE,
                f"there is no authority in {ca_folder} yet: `guarita certificate issue` makes it,"
                " or name files of others in [client_certificates] authorities",
            )
        if settings.unsafe_no_revocation_list:
            _add(
                mistakes,
                "unsafe_no_revocation_list",
                "takes authorities: the data folder's own authority always publishes a list",
            )
    else:
        authorities, lists = _files(settings.authorities, folder), ()
        if not authorities:
            _add(mistakes, "authorities", "names no file")
    lists += _files(settings.revocation_files, folder)
    if settings.unsafe_no_revocation_list:
        mistakes.danger(
            (*PLACE, "unsafe_no_revocation_list"), "a revoked client certificate is admitted"
        )
    elif not lists and not settings.revocation_urls:
        _add(
            mistakes,
            "authorities",
            "takes revocation_files or revocation_urls (or"
            " unsafe_no_revocation_list = true): else nobody learns of a revocation",
        )
    if settings.unsafe_sha1:
        mistakes.danger((*PLACE, "unsafe_sha1"), "lists signed with SHA-1 are believed")
    plan = CertificatePlan(
        settings,
        authorities,
        _files(settings.intermediates, folder),
        lists,
        settings.authorities is None,
    )
    _check(plan, mistakes)
    return plan


def _check(plan: CertificatePlan, mistakes: Mistakes) -> None:
    """The files can be read now; the data folder's own are looked at when it is opened."""
    named = {"intermediates": plan.intermediates, "revocation_files": plan.lists}
    if not plan.own:
        named["authorities"] = plan.authorities
    for name, files in named.items():
        for file in files:
            own = plan.own and file.parent == plan.authorities[0].parent
            if not own and not file.is_file():
                _add(mistakes, name, f"there is no file {file}")


def _add(mistakes: Mistakes, name: str, text: str) -> None:
    mistakes.add((*PLACE, name), f"{name} {text}" if not text.startswith("there") else text)


def _files(names: Sequence[str], folder: Path) -> tuple[Path, ...]:
    return tuple(folder / name for name in names)


def _loaded(files: Sequence[Path]) -> "list[x509.Certificate]":
    from guarita.pki.encodings import load_certificates

    return [one for file in files for one in load_certificates(file.read_bytes(), str(file))]
