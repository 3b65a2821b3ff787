-- +goose Up

-- When a user's earlier factors last stopped counting: a sign-in whose first factor
-- was shown before must not begin a session, wherever it stood at that moment.
ALTER TABLE users ADD COLUMN trust_ended_at INTEGER NOT NULL DEFAULT 0;
