-- Client certificates of API keys.

-- What the key demands.
ALTER TABLE api_key ADD COLUMN certificate_mode TEXT NOT NULL DEFAULT 'strict'
    CHECK (certificate_mode IN ('strict', 'valid', 'unsafe_off'));

-- JSON array of the registered ones, newest first; members as in guarita.records.CertificatePin.
ALTER TABLE api_key ADD COLUMN certificates TEXT NOT NULL DEFAULT '[]';

-- First characters of a key that is one secret, for display.
ALTER TABLE api_key ADD COLUMN shown TEXT NOT NULL DEFAULT '' CHECK (length(shown) <= 6);
