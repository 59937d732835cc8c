-- Hits per key and fixed window. The window's end comes first in the key, so that old windows lie together and can be
-- purged from the front.
CREATE TABLE counter (
    ends_at  REAL NOT NULL,     -- Unix seconds
    window_s INTEGER NOT NULL,
    key      TEXT NOT NULL,
    hits     INTEGER NOT NULL,
    PRIMARY KEY (ends_at, window_s, key)
) STRICT, WITHOUT ROWID;
