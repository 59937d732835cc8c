"""Configurations with one mistake outside of profiles: file, its line, a part of what is said."""

from tests.config.support import SITE, UPSTREAM

IN_SITES = {
    "unknown table": (
        "[dta]\nfolder = 'x'\n" + SITE + UPSTREAM,
        1,
        "'dta' in the file; did you mean 'data'",
    ),
    "unknown setting of a site": (
        SITE + "trusted_proxys = []\n" + UPSTREAM,
        5,
        "unknown setting 'trusted_proxys' in [[site]]; did you mean 'trusted_proxies'?",
    ),
    "unknown setting deep down": (
        SITE + UPSTREAM + "[site.limits]\nidle = 3\n",
        9,
        "unknown setting 'idle' in [site.limits]; did you mean 'idle_s'?",
    ),
    "wrong type": (SITE + UPSTREAM + "read_s = '3'\n", 8, "read_s: must be a number, not a text"),
    "whole numbers": (
        SITE + UPSTREAM + "[site.limits]\nconnections = 1.5\n",
        9,
        "connections: must be a whole number, not a number",
    ),
    "true is no number": (SITE + UPSTREAM + "read_s = true\n", 8, "a number, not true or false"),
    "not a number": (SITE + UPSTREAM + "read_s = nan\n", 8, "finite"),
    "too small": (SITE + UPSTREAM + "read_s = 0\n", 8, "read_s: must be more than 0"),
    "another choice": (
        "[data]\ncounters = 'proces'\n" + SITE + UPSTREAM,
        2,
        "counters: must be one of process, shared; did you mean 'process'?",
    ),
    "a head shorter than its target": (
        SITE + UPSTREAM + "[site.limits]\nhead_bytes = 8000\ntarget_bytes = 8192\n",
        9,
        "head_bytes (8000) is less than target_bytes (8192)",
    ),
    "a target longer than its head": (
        SITE + UPSTREAM + "[site.limits]\ntarget_bytes = 65537\nhead_bytes = 65536\n",
        10,
        "head_bytes (65536) is less than target_bytes (65537)",
    ),
    "a head that is no number": (
        SITE + UPSTREAM + "[site.limits]\ntarget_bytes = 90_000\nhead_bytes = '90_000'\n",
        10,
        "head_bytes: must be a whole number",
    ),
    "more of one address than in all": (
        SITE + UPSTREAM + "[site.limits]\nconnections = 1000\nper_address = 1024\n",
        10,
        "per_address (1024) is more than connections (1000)",
    ),
    "no HSTS for a year": (
        SITE + "hsts_max_age_s = 31536000\nunsafe_no_hsts = true\n" + UPSTREAM,
        6,
        "leave one of them out",
    ),
    "TLS at the proxy, and none": (
        SITE
        + "trusted_proxies = ['10.0.0.1']\nhttps_at_proxy = true\nunsafe_plaintext = true\n"
        + UPSTREAM,
        7,
        "https_at_proxy refuses what came without TLS, and unsafe_plaintext admits it",
    ),
    "reservations of several processes in one": (
        "[data]\ncounters = 'shared'\nunsafe_memory_reservations = true\n" + SITE + UPSTREAM,
        3,
        'and counters = "shared" is for several: leave one of them out',
    ),
    "a data folder that is a file": (
        "[data]\nfolder = 'guarita.toml'\n" + SITE + UPSTREAM,
        2,
        "guarita.toml is no folder; name one",
    ),
    "a data folder below a file": (
        "[data]\nfolder = 'guarita.toml/a/b'\n" + SITE + UPSTREAM,
        2,
        "cannot be made: ",
    ),
    "no site": ("[data]\nfolder = 'x'\n", 1, "there is no [[site]]"),
    "site is a table": ("[site]\nname = 'x'\n", 1, "write [[site]]"),
    "no upstream": (SITE, 1, "[[site]] needs [site.upstream]"),
    "no name": (
        SITE.replace('name = "a"\n', "") + UPSTREAM,
        1,
        "[[site]] needs the setting 'name'",
    ),
    "two of a name": (
        SITE + UPSTREAM + SITE.replace("8080", "8081") + UPSTREAM,
        9,
        "two sites 'a'",
    ),
    "listens on nothing": (SITE.replace('"127.0.0.1:8080"', "") + UPSTREAM, 3, "names no address"),
    "unknown profile": (
        SITE.replace("minhakonta", "minakonta") + UPSTREAM,
        4,
        "there is no profile 'minakonta'; did you mean 'minhakonta'?",
    ),
    "two sites on one address": (
        SITE + UPSTREAM + SITE.replace('"a"', '"b"') + UPSTREAM,
        10,
        "127.0.0.1:8080 and 127.0.0.1:8080 (site 'a', line 3) cannot both be listened on",
    ),
    "an address within another": (
        SITE
        + UPSTREAM
        + SITE.replace('"a"', '"b"').replace("127.0.0.1", "0.0.0.0")
        + "unsafe_plaintext = true\n"
        + UPSTREAM,
        10,
        "cannot both be listened on",
    ),
    "plain HTTP": (
        SITE.replace("127.0.0.1", "192.0.2.1") + UPSTREAM,
        3,
        "192.0.2.1:8080 would take keys without TLS: give [site.tls]",
    ),
    "plain HTTP with proxies that say nothing": (
        SITE.replace("127.0.0.1", "0.0.0.0") + 'trusted_proxies = ["10.0.0.1"]\n' + UPSTREAM,
        3,
        "https_at_proxy = true",
    ),
    "whose https": (SITE + "https_at_proxy = true\n" + UPSTREAM, 5, "takes trusted_proxies"),
    "a certificate header nobody may send": (
        SITE.replace("minhakonta", "delfinance")
        + UPSTREAM
        + '[site.certificate_header]\nform = "rfc9440"\n[client_certificates]\n'
        "authorities = ['guarita.toml']\nrevocation_urls = ['http://crl.test/']\n",
        8,
        "certificate_header takes trusted_proxies",
    ),
    "a certificate header nobody reads": (
        SITE
        + 'trusted_proxies = ["10.0.0.1"]\n'
        + UPSTREAM
        + '[site.certificate_header]\nform = "rfc9440"\n',
        9,
        "the profile minhakonta looks at no client certificate",
    ),
    "certificates without TLS": (
        SITE.replace("minhakonta", "delfinance")
        + UPSTREAM
        + "[client_certificates]\nauthorities = ['guarita.toml']\n"
        "revocation_urls = ['http://crl.test/']\n",
        4,
        "verifies client certificates: give [site.tls], or trusted_proxies",
    ),
    "a Unix socket without a proxy": (
        SITE.replace("127.0.0.1:8080", "unix:/tmp/x") + UPSTREAM,
        3,
        'add "unix" to trusted_proxies',
    ),
    "a proxy that is no address": (
        SITE + 'trusted_proxies = ["10.0.0.0/33"]\n' + UPSTREAM,
        5,
        "trusted_proxies: ",
    ),
    "anybody a proxy": (
        SITE + 'trusted_proxies = ["0.0.0.0/0"]\n' + UPSTREAM,
        5,
        "unsafe_any_proxy",
    ),
    "upstream with a path": (
        SITE + UPSTREAM.replace("9000", "9000/v1"),
        7,
        "leave out '/v1'",
    ),
    "upstream of no kind": (SITE + UPSTREAM.replace("http:", "ftp:"), 7, "write http://host:port"),
    "no authorities of the upstream": (
        SITE + UPSTREAM.replace("http:", "https:") + "ca_file = 'absent.pem'\n",
        8,
        "ca_file: there is no file",
    ),
    "no certificate": (
        SITE + UPSTREAM + "[site.tls]\ncertificate = 'absent.crt'\nkey = 'guarita.toml'\n",
        9,
        "certificate: there is no file",
    ),
    "a certificate that is none": (
        SITE + UPSTREAM + "[site.tls]\ncertificate = 'guarita.toml'\nkey = 'guarita.toml'\n",
        8,
        "tls: ",
    ),
    "a key's password that is not there": (
        SITE + UPSTREAM + "[site.tls]\ncertificate = 'guarita.toml'\nkey = 'absent.key'\n"
        "key_password_env = 'KEY'\n",
        11,
        "is not set",
    ),
    "prefix": (SITE + "identity_prefix = 'Shop'\n" + UPSTREAM, 5, "such as 'Guarita-'"),
    "an own credential kept": (
        SITE + UPSTREAM + "keep_headers = ['Authorization']\n",
        8,
        "what this site's callers prove themselves with",
    ),
    "a header that is kept anyway": (
        SITE + UPSTREAM + "keep_headers = ['X-Delbank-Api-Kye']\n",
        8,
        "did you mean 'x-delbank-api-key'?",
    ),
    "a Host that is none": (SITE + UPSTREAM + "host = 'a b'\n", 8, "write a name or an address"),
    "a body too long to collect": (
        SITE + UPSTREAM + "[site.limits]\nbody_bytes = 1000\n",
        9,
        "less than the longest body",
    ),
    "shared port, own counters": (
        SITE + "share_port = true\n" + UPSTREAM,
        5,
        'share_port takes counters = "shared"',
    ),
    "a list nobody has": (SITE + "publish_crl = true\n" + UPSTREAM, 5, "there is no authority"),
    "everything unguarded": (
        SITE + "unsafe_unguarded_paths = ['/']\n" + UPSTREAM,
        5,
        "name something below it",
    ),
    "an unguarded path with a query": (
        SITE + "unsafe_unguarded_paths = ['/up', '/health?x']\n" + UPSTREAM,
        5,
        "'?' is no pattern",
    ),
    "an unguarded pattern": (
        SITE + "unsafe_unguarded_paths = ['/v1/*']\n" + UPSTREAM,
        5,
        "'*' is no pattern",
    ),
    "a prefix of ordinary fields": (
        SITE + "identity_prefix = 'Content-'\n" + UPSTREAM,
        5,
        "choose a word of your own",
    ),
    "its own upstream": (SITE + UPSTREAM.replace("9000", "8080"), 7, "this site itself listens"),
    "its own upstream by name": (
        SITE.replace("127.0.0.1", "0.0.0.0")
        + "unsafe_plaintext = true\n"
        + UPSTREAM.replace("127.0.0.1:9000", "localhost:8080"),
        8,
        "0.0.0.0:8080 is where this site itself listens",
    ),
    "authorities without a list": (
        SITE + UPSTREAM + "[client_certificates]\nauthorities = ['guarita.toml']\n",
        9,
        "nobody learns of a revocation",
    ),
    "authorities that are not there": (
        SITE + UPSTREAM + "[client_certificates]\nauthorities = ['absent.pem']\n"
        "unsafe_no_revocation_list = true\n",
        9,
        "there is no file",
    ),
}
