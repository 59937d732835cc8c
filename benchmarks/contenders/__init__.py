"""What stands beside the gateway in `benchmarks.gateway`: the same checks in other tools.

- `material`: the keys and requests that all of them get
- `vectors`: requests that must be refused, or answered without being executed; `checker` sends them
- `lineup`: who takes part, how each is started, in which committed configuration
- `guarita.toml`, `haproxy.cfg`, `nginx.conf`: configurations, templates with @words@ to fill in;
  nginx's checks are in `gate.lua` and `canonical.lua`
- `middleware`, `fastapi_stack`: applications, each run as a process; `ours` and `serving` help them
- `upstream`, `upstream.conf`: the bank behind the proxies, which only counts and answers
- `load`: the load generator
"""
