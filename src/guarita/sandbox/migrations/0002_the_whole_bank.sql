-- From payments posted at once to the whole bank: holds, incoming payments, charges, returns, refunds, infractions.
-- Foreign keys are off while a migration runs (tables are rebuilt) and checked before it commits.

-- What the bank knows of itself: one row.
CREATE TABLE bank (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- End-to-end ids are derived with it, so that nobody foresees those of another account.
    secret BLOB NOT NULL CHECK (typeof(secret) = 'blob' AND length(secret) = 32),
    -- The latest time anything happened at, in milliseconds since 1970. Nothing happens before it any more, even if
    -- the clock is put back.
    newest_ms INTEGER NOT NULL CHECK (typeof(newest_ms) = 'integer')
);
INSERT INTO bank (id, secret, newest_ms) SELECT 1, randomblob(32), 1000 * coalesce(max(at), 0) FROM (
    SELECT CAST(strftime('%s', max(opened_at)) AS INTEGER) AS at FROM ledger_accounts
    UNION ALL SELECT CAST(strftime('%s', max(completed_at)) AS INTEGER) FROM transactions);

-- Who holds an account, beside the money (ledger_accounts). `number` is the integer account number of webhook bodies.
CREATE TABLE customers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL UNIQUE,
    opened_at TEXT NOT NULL
);
INSERT INTO sqlite_sequence (name, seq) VALUES ('customers', 100730);
INSERT INTO customers (account, opened_at)
    SELECT name, opened_at FROM ledger_accounts WHERE kind = 'customer' ORDER BY id;

-- PIX keys that lead to accounts of this bank. All other keys lead to simulated banks.
CREATE TABLE pix_keys (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    key_type TEXT NOT NULL CHECK (key_type IN ('cpf', 'cnpj', 'email', 'phone', 'evp')),
    account TEXT NOT NULL REFERENCES customers (account),
    status TEXT NOT NULL CHECK (status IN ('active', 'pending', 'portability')),
    created_at TEXT NOT NULL
);
CREATE INDEX pix_keys_of_account ON pix_keys (account, number);

-- A hold is a customer's money in flight or under dispute: still the customer's, no longer available.
CREATE TABLE new_ledger_accounts (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('customer', 'hold', 'clearing', 'income', 'equity')),
    name TEXT NOT NULL,
    -- The sum of the account's entries, kept by trigger and compared with them by the audit.
    balance INTEGER NOT NULL DEFAULT 0 CHECK (typeof(balance) = 'integer'),
    opened_at TEXT NOT NULL,
    UNIQUE (kind, name),
    CONSTRAINT no_overdraft CHECK (kind NOT IN ('customer', 'hold') OR balance >= 0)
);
INSERT INTO new_ledger_accounts SELECT id, kind, name, balance, opened_at FROM ledger_accounts;

-- kind: payout (cash-out), receipt (incoming payment), refund (of a receipt, by this bank's customer or after a
-- dispute), return (of a payout, by the other bank). The row tells today's state, `stories` how it came about.
CREATE TABLE new_transactions (
    number INTEGER PRIMARY KEY,
    transaction_id TEXT NOT NULL UNIQUE,
    uuid TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('payout', 'receipt', 'refund', 'return')),
    direction TEXT NOT NULL CHECK (direction = CASE WHEN kind IN ('payout', 'refund') THEN 'outbound' ELSE 'inbound' END),
    status TEXT NOT NULL CHECK (status IN ('queued', 'processing', 'settled', 'failed', 'returned')),
    -- Held for review at the settlement agent; the status stays "processing".
    in_review INTEGER NOT NULL DEFAULT 0 CHECK (in_review IN (0, 1)),
    amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount > 0),
    fee_amount INTEGER NOT NULL CHECK (typeof(fee_amount) = 'integer' AND fee_amount >= 0),
    net_amount INTEGER NOT NULL CHECK (typeof(net_amount) = 'integer' AND net_amount >= 0
        AND net_amount = CASE direction WHEN 'outbound' THEN amount + fee_amount ELSE amount - fee_amount END),
    end_to_end_id TEXT NOT NULL,
    pix_key TEXT,
    pix_key_type TEXT CHECK (pix_key_type IN ('cpf', 'cnpj', 'email', 'phone', 'evp')),
    description TEXT,
    external_id TEXT,
    counterparty_name TEXT,
    counterparty_document TEXT,
    counterparty_ispb TEXT,
    counterparty_bank TEXT,
    -- The payout a return gives back, the receipt a refund gives back.
    original TEXT REFERENCES new_transactions (transaction_id),
    -- The charge a receipt paid, or the one of this bank a payout pays.
    charge TEXT REFERENCES charges (transaction_id),
    -- The account of this bank that a payout was resolved to; null if it leads to another bank.
    receiver TEXT REFERENCES customers (account) CHECK (receiver IS NULL OR kind = 'payout'),
    -- Why a payout failed or money came back: a reason code such as AC03 or MD06.
    reason TEXT,
    -- Which documented behaviour a magic value asked for (see `scenarios`).
    scenario TEXT,
    -- When the settlement system looks at it next, in milliseconds since 1970; null once it is final.
    due_ms INTEGER CHECK ((due_ms IS NULL) OR status IN ('queued', 'processing', 'settled')),
    created_ms INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    completed_at TEXT CHECK ((completed_at IS NULL) = (status IN ('queued', 'processing')))
);
INSERT INTO new_transactions (transaction_id, uuid, account, kind, direction, status, amount, fee_amount, net_amount,
        end_to_end_id, pix_key, pix_key_type, description, external_id, counterparty_name, created_ms, created_at, completed_at)
    SELECT transaction_id, uuid, account, 'payout', direction, status, amount, fee_amount, net_amount,
        end_to_end_id, pix_key, pix_key_type, description, external_id, counterparty_name,
        1000 * CAST(strftime('%s', created_at) AS INTEGER), created_at, completed_at
    FROM transactions ORDER BY rowid;

-- The states a transaction or a charge went through, from 0.
CREATE TABLE stories (
    subject TEXT NOT NULL,
    step INTEGER NOT NULL CHECK (step >= 0),
    status TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (subject, step)
) WITHOUT ROWID;
INSERT INTO stories SELECT transaction_id, 0, 'processing', created_at FROM transactions;
INSERT INTO stories SELECT transaction_id, 1, status, completed_at FROM transactions;

CREATE TRIGGER stories_are_never_changed BEFORE UPDATE ON stories
BEGIN SELECT RAISE(ABORT, 'stories are never changed'); END;
CREATE TRIGGER stories_are_never_deleted BEFORE DELETE ON stories
BEGIN SELECT RAISE(ABORT, 'stories are never deleted'); END;

-- A posting cannot be committed without its seal (the foreign key is checked at COMMIT), and a seal cannot be
-- set on entries that do not balance. So no unbalanced posting ever reaches the file.
CREATE TABLE new_postings (
    id INTEGER PRIMARY KEY REFERENCES posting_seals (posting_id) DEFERRABLE INITIALLY DEFERRED,
    -- pix_cash_out: a payment of the first version of this file, posted in one step.
    kind TEXT NOT NULL CHECK (kind IN ('opening_balance', 'pix_cash_out', 'hold', 'settlement', 'release',
        'receipt', 'return', 'block', 'unblock')),
    transaction_id TEXT REFERENCES new_transactions (transaction_id),
    -- The dispute that blocked or freed the money.
    infraction TEXT REFERENCES infractions (id),
    posted_at TEXT NOT NULL,
    CHECK ((kind = 'opening_balance') = (transaction_id IS NULL)),
    CHECK ((kind IN ('block', 'unblock')) = (infraction IS NOT NULL))
);
INSERT INTO new_postings (id, kind, transaction_id, posted_at) SELECT id, kind, transaction_id, posted_at FROM postings;

DROP TRIGGER entry_moves_balance;
DROP TABLE transactions;
DROP TABLE postings;
DROP TABLE ledger_accounts;
ALTER TABLE new_ledger_accounts RENAME TO ledger_accounts;
ALTER TABLE new_transactions RENAME TO transactions;
ALTER TABLE new_postings RENAME TO postings;

CREATE TRIGGER entry_moves_balance AFTER INSERT ON entries
BEGIN
    UPDATE ledger_accounts SET balance = balance + NEW.amount WHERE id = NEW.ledger_account_id;
END;

CREATE TRIGGER postings_are_never_changed BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'postings are never changed'); END;
CREATE TRIGGER postings_are_never_deleted BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'postings are never deleted'); END;

-- What accounts opened under the first version lack: a hold, a key, and the bank's own accounts.
INSERT INTO ledger_accounts (kind, name, opened_at)
    SELECT 'hold', name, opened_at FROM ledger_accounts WHERE kind = 'customer';
INSERT OR IGNORE INTO ledger_accounts (kind, name, opened_at)
    SELECT own.kind, own.name, min(opened_at) FROM customers, (SELECT 'equity' AS kind, 'opening-balances' AS name
        UNION SELECT 'clearing', 'pix-settlement' UNION SELECT 'income', 'pix-fees') AS own GROUP BY own.kind;
INSERT INTO pix_keys (key, key_type, account, status, created_at)
    SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8'
        || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))), 'evp', account, 'active', opened_at
    FROM customers ORDER BY number;

-- Each step of a transaction moves money at most once.
CREATE UNIQUE INDEX one_posting_per_step ON postings (transaction_id, kind) WHERE infraction IS NULL;
CREATE UNIQUE INDEX one_posting_per_step_of_a_dispute ON postings (infraction, kind) WHERE infraction IS NOT NULL;
-- Money is held once and leaves or comes back once.
CREATE UNIQUE INDEX one_end_of_a_hold ON postings (transaction_id) WHERE kind IN ('settlement', 'release', 'pix_cash_out');

-- An end-to-end id is settled once (DUPL otherwise); attempts that failed may share it.
CREATE UNIQUE INDEX one_settlement_per_end_to_end_id ON transactions (end_to_end_id, account, direction)
    WHERE status IN ('settled', 'returned');
CREATE INDEX transactions_of_account ON transactions (account, number);
CREATE INDEX transactions_by_tag ON transactions (account, transaction_id);
CREATE INDEX transactions_queued ON transactions (account) WHERE status = 'queued';
CREATE INDEX transactions_by_end_to_end_id ON transactions (end_to_end_id);
CREATE INDEX transactions_by_external_id ON transactions (account, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX transactions_by_original ON transactions (original) WHERE original IS NOT NULL;
CREATE INDEX transactions_due ON transactions (due_ms) WHERE due_ms IS NOT NULL;

-- A PIX charge: a dynamic QR code that is paid once, before it expires.
CREATE TABLE charges (
    number INTEGER PRIMARY KEY,
    transaction_id TEXT NOT NULL UNIQUE,
    uuid TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'paid', 'expired', 'cancelled')),
    amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount > 0),
    description TEXT NOT NULL,
    external_id TEXT,
    pix_key TEXT NOT NULL,
    city TEXT NOT NULL,
    -- What the QR code's URL ends in; a payer's bank asks for the charge by it.
    location TEXT NOT NULL UNIQUE,
    qr_code TEXT NOT NULL,
    scenario TEXT,
    due_ms INTEGER CHECK (due_ms IS NULL OR status = 'active'),
    expires_ms INTEGER NOT NULL,
    expires_at TEXT NOT NULL,
    -- From when on a sweep ends it: `expires_ms`, or later if that failed.
    sweep_ms INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    completed_at TEXT CHECK ((completed_at IS NULL) = (status = 'active'))
);
CREATE INDEX charges_of_account ON charges (account, number);
CREATE INDEX charges_by_external_id ON charges (account, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX charges_by_tag ON charges (account, transaction_id);
CREATE INDEX charges_to_expire ON charges (sweep_ms) WHERE status = 'active';
CREATE INDEX charges_due ON charges (due_ms) WHERE due_ms IS NOT NULL;
-- A charge is paid once.
CREATE UNIQUE INDEX one_receipt_per_charge ON transactions (charge) WHERE kind = 'receipt' AND charge IS NOT NULL;

-- Disputes (MED): the payer's bank asks for a received payment back.
CREATE TABLE infractions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    transaction_id TEXT NOT NULL REFERENCES transactions (transaction_id),
    type TEXT NOT NULL CHECK (type IN ('REFUND_REQUEST', 'REFUND_CANCELLED')),
    status TEXT NOT NULL CHECK (status IN ('ACKNOWLEDGED', 'CLOSED', 'CANCELLED')),
    amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount > 0),
    -- How much of it could be blocked: what was available, at most `amount`.
    blocked INTEGER NOT NULL CHECK (typeof(blocked) = 'integer' AND blocked >= 0 AND blocked <= amount),
    reason TEXT,
    analysis_result TEXT CHECK (analysis_result IN ('AGREED', 'DISAGREED')),
    scenario TEXT,
    due_ms INTEGER CHECK (due_ms IS NULL OR status = 'ACKNOWLEDGED'),
    created_at TEXT NOT NULL,
    resolved_at TEXT CHECK ((resolved_at IS NULL) = (status = 'ACKNOWLEDGED'))
);
CREATE INDEX infractions_of_account ON infractions (account, number);
CREATE INDEX infractions_due ON infractions (due_ms) WHERE due_ms IS NOT NULL;
CREATE UNIQUE INDEX one_open_infraction_per_transaction ON infractions (transaction_id) WHERE status = 'ACKNOWLEDGED';

CREATE TABLE defenses (
    infraction TEXT PRIMARY KEY REFERENCES infractions (id),
    text TEXT NOT NULL,
    evidence TEXT NOT NULL,
    submitted_at TEXT NOT NULL
) WITHOUT ROWID;

-- Leaky buckets of look-ups in the directory (DICT): one per account, one named '' for all of them.
-- `level` is in thousandths of a look-up.
CREATE TABLE dict_buckets (
    name TEXT PRIMARY KEY,
    level INTEGER NOT NULL CHECK (level >= 0),
    at_ms INTEGER NOT NULL
) WITHOUT ROWID;
