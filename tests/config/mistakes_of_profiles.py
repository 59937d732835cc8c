"""Configurations with one mistake in a profile: file, its line, a part of what is said."""

from tests.config.support import SITE, UPSTREAM

ROUTE = """[[profile.own.route]]
method = "POST"
path = "/orders"
permission = "orders:write"
"""
OWN = (
    """
[profile.own]
prefix = "/v1"
"""
    + ROUTE
)
CLASSES = """
[[profile.own.class]]
name = "all"
layers = ["api_key", "address", "account", "permission"]
"""


IN_PROFILES = {
    "the documented API under its own name": (
        SITE + UPSTREAM + "[profile.minhakonta]\nprefix = '/v2'\n",
        9,
        "is what its API documents; give one of your own another name, with like = 'minhakonta'",
    ),
    "replays that cannot be compared": (
        SITE + UPSTREAM + "[profile.minhakonta.idempotency]\nmethods = ['POST', 'DELETE']\n",
        9,
        "idempotency works on DELETE, which signature.methods does not sign",
    ),
    "a layer's own rule": (
        SITE + UPSTREAM + "[profile.minhakonta.signature]\naccept_raw = false\n"
        "accept_canonical = false\n",
        8,
        "signature needs at least one accepted form",
    ),
    "a threshold below another": (
        SITE + UPSTREAM + "[profile.delfinance.lockout]\nkey_limit = 5\n",
        8,
        "key_limit must be above address_limit",
    ),
    "method in lower case": (
        SITE + UPSTREAM + "[profile.minhakonta.media_type]\nmethods = ['post']\n",
        8,
        "there is no method 'post'; did you mean 'POST'?",
    ),
    "a layer that stands nowhere": (
        SITE + UPSTREAM + "[profile.minhakonta.lockout]\nwindow_s = 5\n",
        8,
        "no class of this profile has the layer 'lockout'",
    ),
    "delfinance's own switch": (
        SITE + UPSTREAM + "[profile.x]\nlike = 'minhakonta'\n"
        "unsafe_no_certificate_no_allowlist = true\n",
        10,
        "is for delfinance",
    ),
    "no layers": (SITE + UPSTREAM + OWN, 9, "has no layers: write [[profile.own.class]]"),
    "name of a profile": (
        SITE + UPSTREAM + "[profile.Own]\nlike = 'minhakonta'\n",
        8,
        "write lower-case letters",
    ),
    "unknown layer": (
        SITE + UPSTREAM + OWN + CLASSES.replace('"address"', '"adress"'),
        18,
        "there is no layer 'adress'; did you mean 'address'?",
    ),
    "order": (
        SITE + UPSTREAM + OWN + CLASSES.replace('"api_key", "address"', '"address", "api_key"'),
        16,
        "layer 'address' needs Credential, which no earlier layer gives",
    ),
    "no key": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES.replace('"api_key", "address", "account", "permission"', ""),
        16,
        "needs exactly one of the layers api_key and api_key_header",
    ),
    "no account": (
        SITE + UPSTREAM + OWN + CLASSES.replace('"account", ', ""),
        16,
        "suspending an account would have no effect",
    ),
    "permissions that nobody looks at": (
        SITE + UPSTREAM + OWN + CLASSES.replace(', "permission"', ""),
        16,
        "has no layer permission",
    ),
    "conversion of an unread body": (
        SITE + UPSTREAM + OWN + CLASSES.replace('"api_key", ', '"key_case", "api_key", '),
        16,
        "key_case converts bodies that signature has read",
    ),
    "a new limit without its settings": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES.replace('"permission"', '"rate_limit", "permission"')
        + "[profile.own.rate_limit]\nlimit = 3\nwindow_s = 3\n",
        19,
        "the layer 'rate_limit' needs the setting 'on_outage'",
    ),
    "the last class": (
        SITE + UPSTREAM + OWN + CLASSES + "methods = ['GET']\n",
        16,
        "the last class takes everything else",
    ),
    "a class before it": (
        SITE + UPSTREAM + OWN + CLASSES.replace("all", "some") + CLASSES,
        16,
        "names no methods; only the last may",
    ),
    "two classes of a name": (
        SITE + UPSTREAM + OWN + CLASSES + "methods = ['GET']\n" + CLASSES,
        21,
        "has two route classes 'all'",
    ),
    "a pattern": (
        SITE + UPSTREAM + OWN.replace("/orders", "orders") + CLASSES,
        11,
        "plain segments",
    ),
    "a prefix of paths": (
        SITE + UPSTREAM + OWN.replace("/v1", "v1") + CLASSES,
        10,
        'begin with "/"',
    ),
    "a permission's name": (
        SITE + UPSTREAM + OWN.replace("orders:write", "write orders") + CLASSES,
        14,
        "write it as 'orders:write'",
    ),
    "a route twice but for a parameter's name": (
        SITE
        + UPSTREAM
        + OWN.replace("/orders", "/orders/:id")
        + ROUTE.replace("/orders", "/orders/:name")
        + CLASSES,
        15,
        "POST /orders/:name is POST /orders/:id of line 11 again",
    ),
    "the documented API's name mistyped": (
        SITE + UPSTREAM + "[profile.minhakonto.rate_limit]\nlimit = 3\n",
        8,
        "there is no profile 'minhakonto'; did you mean 'minhakonta'?",
    ),
    "a route without its method": (
        SITE + UPSTREAM + OWN.replace('method = "POST"\n', "") + CLASSES,
        11,
        "[[profile.own.route]] needs the setting 'method'",
    ),
    "routes that are no tables": (
        SITE + UPSTREAM + "[profile.own]\nroute = 1\n" + CLASSES,
        9,
        "route is a list of tables: write [[profile.own.route]]",
    ),
    "like nothing": (
        SITE
        + UPSTREAM
        + "[profile.own]\nlike = 'minhakont'\n[profile.own.rate_limit]\nlimit = 3\n",
        9,
        "did you mean 'minhakonta'?",
    ),
    "an unknown setting of a class": (
        SITE + UPSTREAM + OWN + CLASSES + "metods = ['GET']\n" + CLASSES.replace("all", "rest"),
        19,
        "unknown setting 'metods' in [[profile.own.class]]; did you mean 'methods'?",
    ),
    "an unknown setting of a layer": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES.replace('"permission"', '"rate_limit", "permission"')
        + "[profile.own.rate_limit]\nlimt = 3\nwindow_s = 3\non_outage = 'refuse'\n",
        20,
        "unknown setting 'limt'",
    ),
    "a threshold that is no number": (
        SITE + UPSTREAM + "[profile.delfinance.lockout]\nkey_limit = 5\naddress_limit = '3'\n",
        10,
        "address_limit: must be a whole number",
    ),
    "a route twice": (SITE + UPSTREAM + OWN + ROUTE + CLASSES, 15, "stands twice"),
    "keys of no kind for the header": (
        SITE
        + UPSTREAM
        + OWN.replace('prefix = "/v1"', 'keys = "own"')
        + CLASSES.replace('"api_key"', '"api_key_header"')
        + "[profile.own.api_key_header]\nheader = 'x-key'\n",
        10,
        "takes keys of delfinance only",
    ),
    "wording of nothing": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES
        + "[profile.own.wording.'permission.lackin']\nstatus = 403\nbody = 'x'\n",
        19,
        "there is no reason 'permission.lackin'; did you mean 'permission.lacking'?",
    ),
    "wording of what cannot happen": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES
        + "[profile.own.wording.'rate_limit.too_many']\nstatus = 429\nbody = 'x'\n",
        19,
        "no layer of this profile gives the reason 'rate_limit.too_many'",
    ),
    "wording that admits": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES
        + "[profile.own.wording.'permission.lacking']\nstatus = 200\nbody = 'x'\n",
        20,
        "status: must be 400 or more",
    ),
    "wording with a hole": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES
        + "[profile.own.wording.'permission.lacking']\nstatus = 403\nbody = { m = 'no {limit}' }\n",
        19,
        "{limit} cannot be filled in, it has permission",
    ),
    "wording with a brace": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES
        + "[profile.own.wording.'permission.lacking']\nstatus = 403\nbody = 'a } b'\n",
        19,
        "write a brace that is meant as one twice",
    ),
    "wording of the gate's own headers": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES
        + "[profile.own.wording.'permission.lacking']\nstatus = 403\nbody = 'x'\n"
        "headers = { Content-Length = '3' }\n",
        19,
        "is set by the gate",
    ),
    "wording that splits the response": (
        SITE
        + UPSTREAM
        + OWN
        + CLASSES
        + "[profile.own.wording.'permission.lacking']\nstatus = 403\nbody = 'x'\n"
        'headers = { X-A = "a\\r\\nb" }\n',
        19,
        "printable ASCII",
    ),
}
