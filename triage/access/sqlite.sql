-- Sessions, tokens and the record, in the SQLite file of log and queue.

-- name: create_schema_version
CREATE TABLE IF NOT EXISTS access_schema (version INTEGER NOT NULL);

-- name: schema_version
SELECT version FROM access_schema;

-- name: forget_schema_version
DELETE FROM access_schema;

-- name: set_schema_version
INSERT INTO access_schema (version) VALUES (?);

-- name: schema_1
-- What is kept under a digest until a time (milliseconds since 1970); `value` is JSON.
CREATE TABLE access_item (
    drawer TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (drawer, key)
) WITHOUT ROWID;

CREATE INDEX access_item_until ON access_item (until);

-- The record; `entry` is JSON. Ids are never given out twice.
CREATE TABLE access_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    entry TEXT NOT NULL
);

-- Append-only: nothing is changed, and nothing younger than thirty days goes.
CREATE TRIGGER access_audit_stands BEFORE UPDATE ON access_audit
BEGIN SELECT RAISE(ABORT, 'append-only'); END;

CREATE TRIGGER access_audit_stays BEFORE DELETE ON access_audit
WHEN OLD.at > (CAST(strftime('%s', 'now') AS INTEGER) - 30 * 86400) * 1000
BEGIN SELECT RAISE(ABORT, 'append-only'); END;

-- name: put
INSERT INTO access_item (drawer, key, value, until) VALUES (?, ?, ?, ?);

-- name: renew
UPDATE access_item SET value = ?, until = ? WHERE drawer = ? AND key = ?;

-- name: get
SELECT value FROM access_item WHERE drawer = ? AND key = ? AND until > ?;

-- name: remove
DELETE FROM access_item WHERE drawer = ? AND key = ?;

-- name: all
SELECT key, value FROM access_item WHERE drawer = ? AND until > ? ORDER BY key;

-- name: record
INSERT INTO access_audit (at, entry) VALUES (?, ?);

-- name: audit
SELECT id, entry FROM access_audit WHERE id > ? ORDER BY id LIMIT ?;

-- name: expire_items
DELETE FROM access_item WHERE until <= ?;

-- name: expire_audit
DELETE FROM access_audit WHERE at < ?;
