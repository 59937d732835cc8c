"""X.509 for client certificates: the certificate authority, chain verification, revocation.

Needs the extra `certificates` (the library `cryptography`); nothing of the core imports this.
"""
