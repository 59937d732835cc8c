-- The books, and the payments they are kept for. Every amount is an integer of base units (1/10,000 BRL).
-- The laws below hold whoever writes to the file: they do not depend on the Python code above them.

CREATE TABLE ledger_accounts (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('customer', 'clearing', 'income', 'equity')),
    name TEXT NOT NULL,
    -- The sum of the account's entries, kept by trigger and compared with them by the audit.
    balance INTEGER NOT NULL DEFAULT 0 CHECK (typeof(balance) = 'integer'),
    opened_at TEXT NOT NULL,
    UNIQUE (kind, name),
    CONSTRAINT no_overdraft CHECK (kind <> 'customer' OR balance >= 0)
);

CREATE TABLE transactions (
    transaction_id TEXT PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type = 'pix'),
    direction TEXT NOT NULL CHECK (direction = 'outbound'),
    status TEXT NOT NULL CHECK (status = 'settled'),
    amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount > 0),
    fee_amount INTEGER NOT NULL CHECK (typeof(fee_amount) = 'integer' AND fee_amount >= 0),
    net_amount INTEGER NOT NULL CHECK (typeof(net_amount) = 'integer' AND net_amount = amount + fee_amount),
    pix_key TEXT NOT NULL,
    pix_key_type TEXT NOT NULL CHECK (pix_key_type IN ('cpf', 'cnpj', 'email', 'phone', 'evp')),
    description TEXT,
    external_id TEXT,
    counterparty_name TEXT,
    end_to_end_id TEXT NOT NULL UNIQUE,
    -- What the payment derives its end-to-end id from, and which submission of it this was (0 = the first).
    submission TEXT NOT NULL,
    submission_number INTEGER NOT NULL CHECK (submission_number >= 0),
    created_at TEXT NOT NULL,
    completed_at TEXT,
    UNIQUE (submission, submission_number)
);

-- A posting cannot be committed without its seal (the foreign key is checked at COMMIT), and a seal cannot be
-- set on entries that do not balance. So no unbalanced posting ever reaches the file.
CREATE TABLE postings (
    id INTEGER PRIMARY KEY REFERENCES posting_seals (posting_id) DEFERRABLE INITIALLY DEFERRED,
    kind TEXT NOT NULL CHECK (kind IN ('opening_balance', 'pix_cash_out')),
    transaction_id TEXT REFERENCES transactions (transaction_id),
    posted_at TEXT NOT NULL,
    CHECK ((kind = 'opening_balance') = (transaction_id IS NULL))
);

-- Money leaves an account at most once per transaction.
CREATE UNIQUE INDEX one_cash_out_per_transaction ON postings (transaction_id) WHERE kind = 'pix_cash_out';

CREATE TABLE entries (
    posting_id INTEGER NOT NULL REFERENCES postings (id),
    ledger_account_id INTEGER NOT NULL REFERENCES ledger_accounts (id),
    amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount <> 0),
    PRIMARY KEY (posting_id, ledger_account_id)
) WITHOUT ROWID;

CREATE INDEX entries_of_ledger_account ON entries (ledger_account_id, posting_id);

CREATE TABLE posting_seals (posting_id INTEGER PRIMARY KEY REFERENCES postings (id));

CREATE TRIGGER seal_needs_balance BEFORE INSERT ON posting_seals
WHEN (SELECT count(*) < 2 OR sum(amount) <> 0 FROM entries WHERE posting_id = NEW.posting_id)
BEGIN
    SELECT RAISE(ABORT, 'the entries of a posting must sum to zero');
END;

CREATE TRIGGER sealed_posting_is_closed BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM posting_seals WHERE posting_id = NEW.posting_id)
BEGIN
    SELECT RAISE(ABORT, 'a sealed posting takes no further entries');
END;

CREATE TRIGGER entry_moves_balance AFTER INSERT ON entries
BEGIN
    UPDATE ledger_accounts SET balance = balance + NEW.amount WHERE id = NEW.ledger_account_id;
END;

-- The books are written once: corrections are postings of their own.
CREATE TRIGGER postings_are_never_changed BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'postings are never changed'); END;
CREATE TRIGGER postings_are_never_deleted BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'postings are never deleted'); END;
CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER seals_are_never_changed BEFORE UPDATE ON posting_seals
BEGIN SELECT RAISE(ABORT, 'seals are never changed'); END;
CREATE TRIGGER seals_are_never_deleted BEFORE DELETE ON posting_seals
BEGIN SELECT RAISE(ABORT, 'seals are never deleted'); END;
