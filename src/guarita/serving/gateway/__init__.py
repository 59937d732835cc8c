"""The gateway: the policy between the front (`serving.http1`) and the upstream
(`serving.upstream`).

- `gate`: one site's policy and what it needs; makes the facts of a request
- `exchange`: one request: decide, then refuse, replay or hand on
- `answering`: what becomes of the upstream's answer: converted, settled over, sent
- `forward`: what the upstream gets to see of a request
"""
