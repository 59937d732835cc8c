"""How requests reach the core: ASGI middleware, trusted proxies, servers."""
