-- +goose Up

-- The browser of a session and of a flow, as the hash of its flow cookie: when a
-- session ends, the sign-ins under way in its browser end too. Sessions of before
-- have none.
ALTER TABLE sessions ADD COLUMN browser BLOB NOT NULL
    DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';

-- Computed from the body, where it is base64.
ALTER TABLE flows ADD COLUMN browser TEXT GENERATED ALWAYS AS (json_extract(body, '$.browser')) VIRTUAL;
CREATE INDEX flows_browser ON flows (browser);
