-- What the bank is served with, for commands that act on its file: one row, 'rules', as JSON.
CREATE TABLE settings (
    name TEXT PRIMARY KEY CHECK (name = 'rules'),
    value TEXT NOT NULL CHECK (json_valid(value))
) WITHOUT ROWID;

-- The outbox: what happened (events), who wants to know (webhooks, subscriptions), what was told to whom (deliveries).
-- Events are written in the same transaction as the money they tell of, whether or not anybody subscribed.

CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    -- What the event is about (a transaction, charge or infraction id): events of one subject are delivered in order.
    subject TEXT NOT NULL,
    event_type TEXT NOT NULL,
    -- The member `status` of the body.
    status TEXT NOT NULL,
    -- The exact bytes that are signed and sent.
    body BLOB NOT NULL CHECK (typeof(body) = 'blob'),
    created_at TEXT NOT NULL
);
CREATE INDEX events_of_subject ON events (subject, number);
CREATE INDEX events_of_account ON events (account, number);

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

-- A deleted webhook keeps its row, for the deliveries that name it, but not its secret.
CREATE TABLE webhooks (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT,
    description TEXT,
    allow_insecure INTEGER NOT NULL CHECK (allow_insecure IN (0, 1)),
    created_at TEXT NOT NULL,
    deleted_at TEXT,
    CHECK ((secret IS NULL) = (deleted_at IS NOT NULL))
);
CREATE INDEX webhooks_of_account ON webhooks (account, number) WHERE deleted_at IS NULL;

CREATE TABLE subscriptions (
    webhook TEXT NOT NULL REFERENCES webhooks (id),
    event_type TEXT NOT NULL,
    -- Its place in the list the caller gave.
    place INTEGER NOT NULL CHECK (place >= 0),
    PRIMARY KEY (webhook, event_type)
) WITHOUT ROWID;

-- pending: is sent when due; waiting: an earlier event of the subject is pending; dead: given up after the last attempt;
-- cancelled: the webhook was deleted first.
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY,
    event INTEGER NOT NULL REFERENCES events (number),
    webhook TEXT NOT NULL REFERENCES webhooks (id),
    subject TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'waiting', 'delivered', 'dead', 'cancelled')),
    -- Attempts that ended, since the event was written or last redelivered.
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- In milliseconds since 1970. While a process works on the delivery: when its lease ends and others may take over.
    due_ms INTEGER CHECK ((due_ms IS NOT NULL) = (status = 'pending')),
    -- Names the attempt under way; a process that lost its lease can no longer record an outcome.
    lease TEXT CHECK (lease IS NULL OR status = 'pending'),
    -- The HTTP status answered last, and in short why the last attempt failed.
    last_status INTEGER,
    last_error TEXT CHECK (length(last_error) <= 200),
    finished_at TEXT CHECK ((finished_at IS NULL) = (status IN ('pending', 'waiting'))),
    UNIQUE (event, webhook)
);
CREATE UNIQUE INDEX one_delivery_at_a_time_per_subject ON deliveries (webhook, subject) WHERE status = 'pending';
CREATE INDEX deliveries_waiting ON deliveries (webhook, subject, number) WHERE status = 'waiting';
CREATE INDEX deliveries_due ON deliveries (due_ms, webhook) WHERE status = 'pending';
CREATE INDEX deliveries_dead ON deliveries (webhook, number) WHERE status = 'dead';
