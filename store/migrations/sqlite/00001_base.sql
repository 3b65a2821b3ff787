-- +goose Up

-- Times are UTC microseconds since 1970, 0 for never. Hashes are raw bytes.
-- Lists and structures that no query looks into are JSON.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- 'copy' is '1' in a backup, until the first start from it has forgotten the
-- sessions and devices that it brought back.
INSERT INTO meta (name, value) VALUES ('copy', '0');

CREATE TABLE users (
    id               TEXT    NOT NULL PRIMARY KEY,
    folded           TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    email            TEXT    NOT NULL,
    display_name     TEXT    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('disabled', 'enabled', 'enforced')),
    sign_in_disabled INTEGER NOT NULL,
    reregister       INTEGER NOT NULL,
    language         TEXT    NOT NULL,
    password         TEXT    NOT NULL DEFAULT '', -- PHC string; '' for none
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    last_sign_in_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX users_folded ON users (folded);

-- Names and addresses share one name space: what somebody types means one
-- person.
CREATE TABLE names (
    folded  TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX names_user ON names (user_id);

CREATE TABLE links (
    provider     TEXT    NOT NULL,
    issuer       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    username     TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (provider, issuer, subject)
) WITHOUT ROWID;
CREATE INDEX links_user ON links (user_id);

CREATE TABLE methods (
    id           TEXT    NOT NULL PRIMARY KEY,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    secret       BLOB    NOT NULL, -- sealed
    counter      INTEGER NOT NULL,
    drift        INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX methods_user ON methods (user_id, kind);

CREATE TABLE recovery_codes (
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash       BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    PRIMARY KEY (user_id, hash)
) WITHOUT ROWID;

CREATE TABLE sessions (
    id           TEXT    NOT NULL PRIMARY KEY,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider     TEXT    NOT NULL,
    groups       TEXT    NOT NULL, -- JSON
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER NOT NULL,
    address      TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_seen ON sessions (last_seen_at);
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at > 0;

CREATE TABLE tokens (
    hash       BLOB    NOT NULL PRIMARY KEY,
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    host       TEXT    NOT NULL,
    proofs     TEXT    NOT NULL, -- JSON
    device_id  TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_session ON tokens (session_id, host);

CREATE TABLE handoffs (
    hash       BLOB    NOT NULL PRIMARY KEY,
    state      BLOB    NOT NULL,
    host       TEXT    NOT NULL,
    return_url TEXT    NOT NULL,
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    flow_id    TEXT    NOT NULL,
    proofs     TEXT    NOT NULL, -- JSON
    device_id  TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX handoffs_session ON handoffs (session_id);
CREATE INDEX handoffs_expires ON handoffs (expires_at);

CREATE TABLE devices (
    id           TEXT    NOT NULL PRIMARY KEY,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token        BLOB    NOT NULL, -- the current one's hash
    user_agent   TEXT    NOT NULL,
    address      TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX devices_token ON devices (token);
CREATE INDEX devices_user ON devices (user_id);
CREATE INDEX devices_expires ON devices (expires_at);

-- Tokens that were rotated out, each with the token that followed it: a copy of
-- one betrays its thief.
CREATE TABLE retired_tokens (
    hash       BLOB    NOT NULL PRIMARY KEY,
    device_id  TEXT    NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    successor  BLOB    NOT NULL,
    retired_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX retired_tokens_device ON retired_tokens (device_id, retired_at);

CREATE TABLE attempts (
    subject      TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    lane         TEXT    NOT NULL,
    denials      INTEGER NOT NULL,
    level        INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    fingerprints TEXT    NOT NULL, -- JSON, latest first
    PRIMARY KEY (subject, kind, lane)
) WITHOUT ROWID;
CREATE INDEX attempts_last ON attempts (last_at);

CREATE TABLE flows (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL, -- '' before the first factor
    body       TEXT    NOT NULL, -- JSON
    data       BLOB    NOT NULL, -- sealed
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    version    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX flows_expires ON flows (expires_at);
CREATE INDEX flows_user ON flows (user_id);

CREATE TABLE signing_keys (
    kid        TEXT    NOT NULL PRIMARY KEY,
    pkcs8      BLOB    NOT NULL, -- sealed
    created_at INTEGER NOT NULL,
    active_at  INTEGER NOT NULL,
    retire_at  INTEGER NOT NULL
) WITHOUT ROWID;

-- What open sessions must see. Numbers are never used twice.
CREATE TABLE changes (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    kind TEXT    NOT NULL,
    id   TEXT    NOT NULL
);

-- The audit log. payload is the event as JSON without its hashes; hash is
-- SHA-256(prev || payload). The columns for searching are computed from the
-- payload, so that they cannot tell another story than it does.
CREATE TABLE audit_events (
    seq            INTEGER NOT NULL PRIMARY KEY,
    time           INTEGER NOT NULL,
    prev           BLOB    NOT NULL,
    hash           BLOB    NOT NULL,
    payload        TEXT    NOT NULL,
    kind           TEXT GENERATED ALWAYS AS (json_extract(payload, '$.kind')) VIRTUAL,
    result         TEXT GENERATED ALWAYS AS (json_extract(payload, '$.result')) VIRTUAL,
    flow_id        TEXT GENERATED ALWAYS AS (json_extract(payload, '$.flow_id')) VIRTUAL,
    correlation_id TEXT GENERATED ALWAYS AS (json_extract(payload, '$.correlation_id')) VIRTUAL,
    user_id        TEXT GENERATED ALWAYS AS (json_extract(payload, '$.user_id')) VIRTUAL,
    user_name      TEXT GENERATED ALWAYS AS (json_extract(payload, '$.user_name')) VIRTUAL
);
CREATE INDEX audit_events_time ON audit_events (time);
CREATE INDEX audit_events_flow ON audit_events (flow_id) WHERE flow_id IS NOT NULL;
CREATE INDEX audit_events_correlation ON audit_events (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX audit_events_user ON audit_events (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_events_name ON audit_events (user_name) WHERE user_name IS NOT NULL;

-- The two ends of the chain, so that a missing head or tail shows. first_prev is
-- the hash before the oldest event that is kept; mac, under a key derived from
-- the master key, is what a forger who can write this file cannot make.
CREATE TABLE audit_chain (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    first_seq  INTEGER NOT NULL,
    first_prev BLOB    NOT NULL,
    last_seq   INTEGER NOT NULL,
    last_hash  BLOB    NOT NULL,
    mac        BLOB    NOT NULL
);
INSERT INTO audit_chain (id, first_seq, first_prev, last_seq, last_hash, mac)
VALUES (1, 1, zeroblob(32), 0, zeroblob(32), x'');

-- +goose StatementBegin
CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd

-- INSERT OR REPLACE would delete without the trigger below.
-- +goose StatementBegin
CREATE TRIGGER audit_events_insert BEFORE INSERT ON audit_events
WHEN NEW.seq <= (SELECT last_seq FROM audit_chain)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd

-- Retention moves first_seq on and then removes what lies before it.
-- +goose StatementBegin
CREATE TRIGGER audit_events_delete BEFORE DELETE ON audit_events
WHEN OLD.seq >= (SELECT first_seq FROM audit_chain)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_chain_update BEFORE UPDATE ON audit_chain
WHEN NEW.first_seq < OLD.first_seq OR NEW.last_seq < OLD.last_seq OR NEW.first_seq > NEW.last_seq + 1
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_chain_delete BEFORE DELETE ON audit_chain
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_chain_insert BEFORE INSERT ON audit_chain
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
