-- Accounts and API keys. Secrets are here as keyed hashes only.

-- One row: how many changes there have been, and a fingerprint of the pepper the hashes were made with.
CREATE TABLE keyring (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    revision     INTEGER NOT NULL,
    pepper_check BLOB
) STRICT;

INSERT INTO keyring VALUES (1, 0, NULL);

CREATE TABLE account (
    number     INTEGER PRIMARY KEY,     -- the order they were made in
    account_id TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('active', 'suspended'))
) STRICT;

CREATE TABLE api_key (
    number          INTEGER PRIMARY KEY,
    client_id       TEXT NOT NULL UNIQUE,
    account         INTEGER NOT NULL REFERENCES account (number),
    secret          BLOB NOT NULL CHECK (length(secret) = 32),  -- HMAC-SHA256 under the pepper
    secret_until    REAL,                                       -- Unix seconds; NULL = no end
    former          BLOB CHECK (length(former) = 32),           -- the secret before it, during a rotation
    former_until    REAL,
    profile         TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('active', 'inactive', 'revoked', 'blocked')),
    blocked_reason  TEXT,
    expires_at      REAL,                                       -- Unix seconds; NULL = never
    permissions     TEXT NOT NULL,                              -- JSON array of names, sorted
    allowlist       TEXT NOT NULL,                              -- JSON array of canonical entries, in their order
    signs           INTEGER NOT NULL CHECK (signs IN (0, 1)),
    signature_forms TEXT,                                       -- JSON array, sorted; NULL = the profile's
    label           TEXT NOT NULL,
    created_at      REAL NOT NULL,                              -- Unix seconds
    revision        INTEGER NOT NULL,                           -- of the last change to the key or its account
    CHECK ((status = 'blocked') = (blocked_reason IS NOT NULL))
) STRICT;

-- What a running server reads when something has changed.
CREATE INDEX api_key_by_revision ON api_key (revision);
CREATE INDEX api_key_by_account ON api_key (account);
