"""A small Django application: the contract of `test_frameworks`, in Django's own way.

Without lifespan and background tasks, which its ASGI handler does not have.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.http import (  # type: ignore[import-untyped]
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path  # type: ignore[import-untyped]

from tests.apps.bench import LARGE, Bench, Boom, payment_view
from tests.serving.worlds import PREFIX

urlpatterns: list[Any] = []
"""Filled by `make`; Django finds it by the name of this module."""


def make(bench: Bench) -> Any:
    async def pay(request: HttpRequest) -> HttpResponse:
        bench.count("paid")
        wish = json.loads(request.body)
        if wish.get("hold"):
            await bench.held()
        if wish.get("break"):
            raise Boom("secret detail")
        if wish.get("refuse"):
            return JsonResponse({"errors": {"amount": ["too_much"]}}, status=422)
        scope: Any = request.scope
        return JsonResponse(payment_view(scope, request.body, request.headers.get("Content-Type")))

    def balance(request: HttpRequest) -> HttpResponse:
        identity: Any = request.scope["guarita"]
        return JsonResponse({"account_id": identity.account, "greeting": "from startup"})

    async def stream(_request: HttpRequest) -> StreamingHttpResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await bench.held()
            yield b"last"

        return StreamingHttpResponse(chunks(), content_type="text/plain")

    def large(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"x" * LARGE, content_type="application/octet-stream")

    def queries(request: HttpRequest) -> HttpResponse:
        return JsonResponse(request.GET.dict())

    def breaks(_request: HttpRequest) -> HttpResponse:
        raise Boom("secret detail")

    views: dict[str, Any] = {
        "/pix/cash-out": pay,
        "/balance": balance,
        "/transactions": stream,
        "/statement": large,
        "/pix/keys": queries,
        "/med": breaks,
    }
    urlpatterns[:] = [path((PREFIX + where).lstrip("/"), view) for where, view in views.items()]
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=__name__,
            SECRET_KEY="only for tests",
            ALLOWED_HOSTS=["*"],
            MIDDLEWARE=[],
            LOGGING_CONFIG=None,
            DEFAULT_CHARSET="utf-8",
        )
        django.setup()
    from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]

    return get_asgi_application()
