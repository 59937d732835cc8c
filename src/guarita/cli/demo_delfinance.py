"""The demo's Delfinance side: a key, an authority, certificates for client and server."""

import secrets
from pathlib import Path
from typing import Any

from guarita.cli import authority as authorities
from guarita.cli import files
from guarita.data_folder import DataFolder
from guarita.keyring.keyring import IssuedKey
from guarita.profiles.delfinance import PRODUCTION

SERVER_NAMES = ("localhost",)
SERVER_ADDRESSES = ("127.0.0.1", "::1")
DAYS = 60


class Material:
    """Files of one demo, in `<data>/demo`: each start writes them anew.

    Attributes:
        certificate, private_key, pkcs12: the client's, as the seed's curl lines name them.
        ca: for curl's --cacert.
        server_certificate, server_key: the listener's own.
        password: of the PKCS#12 file.
    """

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "client.crt"
        self.private_key = folder / "client.key"
        self.pkcs12 = folder / "certificate.p12"
        self.ca = folder / "ca.pem"
        self.server_certificate = folder / "server.crt"
        self.server_key = folder / "server.key"
        self.password = secrets.token_hex(16)

    def __repr__(self) -> str:
        return f"Material({str(self.certificate.parent)!r})"


def prepare(
    folder: DataFolder, account_id: str, label: str, allowlist: tuple[str, ...]
) -> tuple[IssuedKey, Material]:
    """A fresh key with a certificate registered for it, and the files to use and serve it with."""
    import ipaddress

    with authorities.refusals():
        authority = authorities.existing_or_new(folder.ca_path)
        authorities.publish(authority)
        issued = folder.keyring.create_key(
            account_id, profile=PRODUCTION.name, allowlist=allowlist, label=label
        )
        material = Material(folder.path / "demo")
        files.make_folder(material.certificate.parent)
        client = authority.issue_client(
            issued.key.client_id, days=DAYS, account=account_id, key_id=issued.key.client_id
        )
        addresses = [ipaddress.ip_address(text) for text in SERVER_ADDRESSES]
        server = authority.issue_server([*SERVER_NAMES, *addresses], days=DAYS)
        for path, content in (
            (material.certificate, client.pem()),
            (material.private_key, client.private_key_pem()),
            (material.pkcs12, client.pkcs12(material.password.encode())),
            (material.server_certificate, server.pem()),
            (material.server_key, server.private_key_pem()),
            (material.ca, (authority.folder / "ca.pem").read_bytes()),
        ):
            files.write(path, content, force=True)
        pin = authorities.pin_of(client.certificate)
        folder.keyring.register_certificate(issued.key.client_id, pin, overlap_until=None)
    return issued, material


def document(base_url: str, issued: IssuedKey, material: Material) -> dict[str, Any]:
    """The `delfinance` part of what `--json` prints (DESIGN section 5)."""
    return {
        "base_url": base_url,
        "account_id": issued.key.account.account_id,
        "api_key": issued.secret.reveal(),
        "certificate": str(material.certificate.resolve()),
        "private_key": str(material.private_key.resolve()),
        "pkcs12": str(material.pkcs12.resolve()),
        "pkcs12_password": material.password,
        "ca": str(material.ca.resolve()),
    }
