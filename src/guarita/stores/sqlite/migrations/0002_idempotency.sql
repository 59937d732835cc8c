-- Reservations of idempotency keys: at most one row per scope.
CREATE TABLE reservation (
    digest      BLOB NOT NULL UNIQUE,   -- SHA-256 over account, method, path and key
    account     TEXT NOT NULL,
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,
    key         BLOB NOT NULL,          -- the header's value as sent
    state       TEXT NOT NULL CHECK (state IN ('in_flight', 'stored', 'outcome_unknown')),
    token       TEXT NOT NULL,          -- the request that owns the reservation
    owner       TEXT NOT NULL,          -- the instance (see instances.py) that request runs in
    fingerprint BLOB NOT NULL,          -- what the request body hashed to
    at          REAL NOT NULL,          -- Unix seconds: when it was reserved
    expires_at  REAL NOT NULL,          -- Unix seconds
    status      INTEGER,                -- of the stored response
    response    BLOB,                   -- the stored response, MessagePack
    CHECK ((state = 'stored') = (response IS NOT NULL))
) STRICT;

-- What the purge reads.
CREATE INDEX reservation_by_expiry ON reservation (expires_at);

-- The few rows that are not settled: for the operator's list, and to know whether a dead instance is still referred to.
CREATE INDEX reservation_unsettled ON reservation (owner) WHERE state <> 'stored';
