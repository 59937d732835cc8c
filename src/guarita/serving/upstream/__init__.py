"""The gateway's HTTP/1.1 client: one upstream, its keep-alive pool, one call at a time on each
connection.

- `target`: where the upstream is; `pool`: its connections and deadlines
- `call`: one request and what becomes of it; `connection`: what it runs on; `response`: response
  heads
"""
