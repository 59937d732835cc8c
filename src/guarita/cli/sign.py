"""`guarita sign`: the `hmac` header's value for a body, and a word on what usually goes wrong."""

import os
import sys
from typing import Annotated

from cyclopts import Parameter

from guarita.canonical import InvalidJson, canonical
from guarita.cli.output import OK, MisuseError, RefusedError, emit, note
from guarita.cli.settings import current
from guarita.crypto import signature


def sign(
    *,
    secret_env: str,
    canonical_form: Annotated[bool, Parameter(name="--canonical")] = False,
) -> int:
    """Print the hmac header's value for the request body on standard input.

    The value (HMAC-SHA512, 128 hexadecimal digits) is for exactly the bytes read, so send exactly
    these bytes. Example:
    printf %s "$BODY" | guarita sign --secret-env CLIENT_SECRET

    Parameters
    ----------
    secret_env
        Name of the environment variable that holds the client secret, "sk_" included. The secret
        itself never stands on a command line, where other users of the machine could read it.
    canonical_form
        Sign the canonical text (members sorted, no blanks between tokens) instead of the bytes.
    """
    secret = _secret(secret_env)
    if sys.stdin.isatty():
        note("reading the body from the terminal; end it with Ctrl-D")
    body = sys.stdin.buffer.read()
    _warn(body, canonical_form)
    message = _canonical(body) if canonical_form else body
    digest = signature(secret.encode(), message)
    form = "canonical" if canonical_form else "raw"
    emit(current().json, {"hmac": digest, "form": form, "signed_bytes": len(message)}, digest)
    return OK


def _secret(variable: str) -> str:
    if variable.startswith("sk_"):
        raise MisuseError(
            "--secret-env takes the name of an environment variable, not the secret; this secret"
            " has now been on a command line: consider `guarita key rotate`"
        )
    secret = os.environ.get(variable)
    if not secret:
        state = "not set" if secret is None else "empty"
        raise MisuseError(f"the environment variable {variable} is {state}; is it exported?")
    if secret != secret.strip():
        note(f"warning: the value of {variable} begins or ends with blanks or a newline")
    if not secret.startswith("sk_"):
        note(f'warning: the value of {variable} does not begin with "sk_"; a client secret does')
    return secret


def _warn(body: bytes, canonical_form: bool) -> None:
    if not body:
        note("warning: the body is empty; the gate refuses signed requests without a body")
        return
    if canonical_form:
        return
    if body.endswith((b"\n", b"\r")):
        note(
            "warning: the body ends in a newline, which is signed too and must be sent as well;"
            " `echo` adds one, `printf %s` does not"
        )
    try:
        canonical(body)
    except InvalidJson as error:
        note(f"warning: the gate will refuse this body, it is not strict JSON: {error}")


def _canonical(body: bytes) -> bytes:
    try:
        return canonical(body)
    except InvalidJson as error:
        raise RefusedError(
            f"the body has no canonical text, it is not strict JSON: {error}"
        ) from None
