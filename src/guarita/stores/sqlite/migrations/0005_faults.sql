-- Refused attempts per key and fixed window: in all, and by address. As for counters, a window's end comes first, so that
-- old windows lie together.
CREATE TABLE fault (
    ends_at   REAL NOT NULL,     -- Unix seconds
    window_s  INTEGER NOT NULL,
    key       TEXT NOT NULL,
    hits      INTEGER NOT NULL,
    addresses INTEGER NOT NULL,  -- how many rows of fault_address there are
    PRIMARY KEY (ends_at, window_s, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE fault_address (
    ends_at  REAL NOT NULL,
    window_s INTEGER NOT NULL,
    key      TEXT NOT NULL,
    address  TEXT NOT NULL,
    hits     INTEGER NOT NULL,
    PRIMARY KEY (ends_at, window_s, key, address)
) STRICT, WITHOUT ROWID;
