"""`guarita sandbox serve`: the bank without a gate, on this machine."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from guarita.cli import sandbox_bank
from guarita.cli.loopback import listen
from guarita.cli.output import OK, MisuseError, emit
from guarita.cli.sandbox_listen import DEFAULT_PREFIX
from guarita.cli.settings import current

if TYPE_CHECKING:
    from guarita.sandbox.pix.rules import Rules

BaseUnits = Annotated[int, Parameter(validator=Number(gte=0))]
Seconds = Annotated[float, Parameter(validator=Number(gte=0))]


def serve(
    *,
    account: str | None = None,
    trust_identity_headers: bool = False,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8000,
    fee: BaseUnits | None = None,
    opening_balance: BaseUnits | None = None,
    settlement_delay: Seconds | None = None,
    review: Seconds | None = None,
    webhook_header_prefix: str = DEFAULT_PREFIX,
    unsafe_loopback_webhooks: bool = False,
) -> int:
    """Serve the bank without a gate, on this machine only, until Ctrl-C or SIGTERM.

    It asks nobody for credentials: use `guarita demo` to meet the gate as well. With --json it
    prints one line of JSON when it is ready to serve.

    Parameters
    ----------
    account
        The one account that every request acts for.
    trust_identity_headers
        Take the account from the header Guarita-Account instead, as a gate in front sets it.
    port
        Port on 127.0.0.1 and ::1; 0 picks a free one.
    fee
        Of each payment, in base units (1/10,000 BRL). Default: 350.
    opening_balance
        Of each new account, in base units. Default: 500000000.
    settlement_delay
        Seconds from a payment's acceptance to its settlement. Default: 1.
    review
        Seconds for which a payment is held for review, and scenarios wait. Default: 10.
    webhook_header_prefix
        What the names of the webhooks' headers begin with.
    unsafe_loopback_webhooks
        Deliver webhooks to addresses of this machine, for development.
    """
    if (account is None) is not trust_identity_headers:
        raise MisuseError("say whose bank it is: --account ID, or --trust-identity-headers")
    with sandbox_bank.refusals():
        from guarita.cli import sandbox_serving
        from guarita.sandbox import create_app
    settings = current()
    sockets = listen(port)
    base_url = "http://{}:{}".format(*sockets[0].getsockname()[:2])
    try:
        with sandbox_bank.refusals(), sandbox_bank.opening():
            app = create_app(
                settings.data,
                account=account,
                trust_identity_headers=trust_identity_headers,
                rules=_rules(
                    fee=fee,
                    opening_balance=opening_balance,
                    settlement_delay_s=settlement_delay,
                    review_s=review,
                ),
                unsafe_loopback_webhooks=unsafe_loopback_webhooks,
                webhook_header_prefix=webhook_header_prefix,
            )
        document = {
            "base_url": base_url,
            "account_id": account,
            "data": str(settings.data.resolve()),
        }
        text = f"The bank, without a gate, on {base_url}. Ctrl-C ends it."
        sandbox_serving.serve(app, sockets, on_ready=lambda: emit(settings.json, document, text))
    except ValueError as error:
        raise MisuseError(str(error)) from None
    finally:
        for sock in sockets:
            sock.close()
    return OK


def _rules(**given: Any) -> "Rules":
    """The bank's rules, with its own defaults where nothing is given. Raises ValueError."""
    from guarita.sandbox.pix.rules import Rules

    return Rules(**{name: value for name, value in given.items() if value is not None})
