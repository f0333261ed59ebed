-- The queue in SQLite. It shares its file with the log, so every table is called queue_*.
-- Times are ms since 1970, tokens are microseconds. Queries are found by the name above them.

-- name: schema_1
CREATE TABLE queue_ticket (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    version INTEGER NOT NULL,
    team TEXT NOT NULL,
    rank INTEGER NOT NULL,                -- 0 kritiek .. 3 laag
    due INTEGER NOT NULL,
    resolved INTEGER NOT NULL DEFAULT 0,  -- when; 0 while open
    forget_at INTEGER NOT NULL DEFAULT 0, -- when its id is forgotten; 0 while the ticket is there
    owner TEXT NOT NULL DEFAULT '',       -- of the last lease; '' when it was ended
    token INTEGER NOT NULL DEFAULT 0,
    until INTEGER NOT NULL DEFAULT 0,     -- without owner: set aside until then
    seen TEXT NOT NULL,                   -- digests of the contents put, spaces between
    state BLOB NOT NULL,                  -- what decides, JSON (triage/queue/document.py)
    doc BLOB NOT NULL                     -- the post and its assessment, JSON
);
CREATE INDEX queue_open ON queue_ticket (org, team, (rank > 0), due, id, rank)
    WHERE resolved = 0 AND forget_at = 0;
CREATE INDEX queue_resolved ON queue_ticket (org, resolved) WHERE resolved > 0 AND forget_at = 0;
CREATE INDEX queue_forget ON queue_ticket (forget_at) WHERE forget_at > 0;
CREATE TABLE queue_history (
    id INTEGER PRIMARY KEY,
    ticket TEXT NOT NULL,
    item BLOB NOT NULL                    -- JSON
);
CREATE INDEX queue_history_ticket ON queue_history (ticket, id);
CREATE TABLE queue_position (
    org TEXT NOT NULL,
    partition TEXT NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (org, partition)
) WITHOUT ROWID;
CREATE TABLE queue_answer (
    request TEXT PRIMARY KEY,
    expires INTEGER NOT NULL,
    answer BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX queue_answer_expires ON queue_answer (expires);
CREATE TABLE queue_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org TEXT NOT NULL,
    at INTEGER NOT NULL,
    events BLOB NOT NULL                  -- JSON list: all events of one call
);
CREATE INDEX queue_outbox_org ON queue_outbox (org, id);
CREATE TABLE queue_org (
    org TEXT PRIMARY KEY,
    token INTEGER NOT NULL DEFAULT 0,     -- the last fencing token
    published TEXT NOT NULL DEFAULT ''    -- cursor up to which the relay has published
) WITHOUT ROWID;

-- name: schema_2
ALTER TABLE queue_ticket ADD COLUMN within TEXT NOT NULL DEFAULT '';
ALTER TABLE queue_ticket ADD COLUMN bundle BLOB NOT NULL DEFAULT x'';
DROP INDEX queue_open;
CREATE INDEX queue_open ON queue_ticket (org, team, (rank > 0), due, id, rank)
    WHERE resolved = 0 AND forget_at = 0 AND within = '';
CREATE INDEX queue_members ON queue_ticket (within, id) WHERE within <> '';
CREATE TABLE queue_key (
    org TEXT NOT NULL,
    key TEXT NOT NULL,                    -- of a signature (triage/bundle)
    until INTEGER NOT NULL,               -- how long copies find the ticket by it
    ticket TEXT NOT NULL,
    PRIMARY KEY (org, key, until, ticket)
) WITHOUT ROWID;

-- name: schema_3
CREATE TABLE queue_handover (
    ticket TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    due INTEGER NOT NULL,                 -- when to send it
    version INTEGER NOT NULL,             -- of the ticket, by handing it over
    attempts INTEGER NOT NULL DEFAULT 0,  -- how often it was taken
    at INTEGER NOT NULL,                  -- when it was handed over
    said TEXT NOT NULL                    -- what the receiver has to know besides
) WITHOUT ROWID;
CREATE INDEX queue_handover_due ON queue_handover (org, due);

-- name: schema_4
CREATE TABLE queue_mute (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    over INTEGER NOT NULL,                -- when it ends or was ended
    mute BLOB NOT NULL                    -- JSON (triage/queue/mute.py)
) WITHOUT ROWID;
CREATE INDEX queue_mute_org ON queue_mute (org, over);
CREATE TABLE queue_taken (
    mute TEXT NOT NULL,
    ticket TEXT NOT NULL,                 -- that it took
    at INTEGER NOT NULL,
    PRIMARY KEY (mute, ticket)
) WITHOUT ROWID;

-- name: schema_5
-- Whose it is (a digest), once it is resolved: so that a post that comes in costs nothing more.
ALTER TABLE queue_ticket ADD COLUMN author TEXT NOT NULL DEFAULT '';
CREATE INDEX queue_author ON queue_ticket (author, resolved) WHERE author <> '';

-- name: schema_version
SELECT version FROM queue_schema;

-- name: create_schema_version
CREATE TABLE IF NOT EXISTS queue_schema (version INTEGER NOT NULL);

-- name: forget_schema_version
DELETE FROM queue_schema;

-- name: set_schema_version
INSERT INTO queue_schema (version) VALUES (?);

-- name: ticket
SELECT id, version, state, doc, seen, forget_at, owner, token, until, within, bundle
FROM queue_ticket WHERE id = ?;

-- name: history
SELECT item FROM queue_history WHERE ticket = ? ORDER BY id;

-- name: create
INSERT INTO queue_ticket (id, org, version, seen, team, rank, due, state, doc, within)
VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?);

-- name: write
INSERT INTO queue_ticket
    (id, org, version, team, rank, due, resolved, forget_at, owner, token, until, seen, state, doc,
     within, bundle, author)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, team = excluded.team, rank = excluded.rank, due = excluded.due,
    resolved = excluded.resolved, forget_at = 0, owner = excluded.owner, token = excluded.token,
    until = excluded.until, seen = excluded.seen, state = excluded.state, doc = excluded.doc,
    within = excluded.within, bundle = excluded.bundle, author = excluded.author;

-- name: members
SELECT id, version, state, doc, seen, forget_at, owner, token, until, within, bundle
FROM queue_ticket WHERE within = ? ORDER BY id;

-- name: found_by
SELECT wanted.value, (
    SELECT json_group_array(ticket) FROM (
        SELECT ticket FROM queue_key WHERE org = ?1 AND key = wanted.value AND until > ?2
        ORDER BY until DESC LIMIT 256 -- a bundle that lasts has a row for every hour
    )
) FROM json_each(?3) AS wanted
WHERE EXISTS (SELECT 1 FROM queue_key WHERE org = ?1 AND key = wanted.value AND until > ?2);

-- name: tickets
SELECT id, version, state, doc, seen, forget_at, owner, token, until, within, bundle
FROM queue_ticket WHERE id IN (SELECT value FROM json_each(?));

-- name: histories
SELECT ticket, item FROM queue_history
WHERE ticket IN (SELECT value FROM json_each(?)) ORDER BY id;

-- name: add_key
INSERT OR IGNORE INTO queue_key (org, key, until, ticket) VALUES (?, ?, ?, ?);

-- name: forget_keys
DELETE FROM queue_key WHERE until <= ?;

-- name: add_history
INSERT INTO queue_history (ticket, item) VALUES (?, ?);

-- name: bound_history
DELETE FROM queue_history WHERE ticket = ?1 AND id <= (
    SELECT id FROM queue_history WHERE ticket = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2
);

-- name: drop_history
DELETE FROM queue_history WHERE ticket = ?;

-- name: drop_histories
DELETE FROM queue_history
WHERE ticket = ?1 OR ticket IN (SELECT id FROM queue_ticket WHERE within = ?1);

-- name: list
SELECT id, version, state, doc, seen, forget_at, owner, token, until, within, bundle
FROM queue_ticket
WHERE org = ? AND team = ? AND resolved = 0 AND forget_at = 0 AND within = ''
ORDER BY rank > 0, due, id LIMIT ? OFFSET ?;

-- name: resolved_of
SELECT id FROM queue_ticket WHERE org = ? AND author = ? AND author <> ''
ORDER BY resolved DESC, id DESC LIMIT ?;

-- name: first_free
SELECT id FROM queue_ticket
WHERE org = ? AND team = ? AND resolved = 0 AND forget_at = 0 AND within = ''
    AND until <= ?
ORDER BY rank > 0, due, id LIMIT 1;

-- name: documents
SELECT id, doc FROM queue_ticket WHERE id > ? AND id < ? AND forget_at = 0 ORDER BY id LIMIT ?;

-- name: positions
SELECT partition, next FROM queue_position WHERE org = ?;

-- name: set_position
INSERT INTO queue_position (org, partition, next) VALUES (?, ?, ?)
ON CONFLICT (org, partition) DO UPDATE SET next = excluded.next;

-- name: answer
SELECT answer FROM queue_answer WHERE request = ? AND expires > ?;

-- name: remember
INSERT INTO queue_answer (request, expires, answer) VALUES (?, ?, ?)
ON CONFLICT (request) DO UPDATE SET expires = excluded.expires, answer = excluded.answer;

-- name: forget_answers
DELETE FROM queue_answer WHERE expires <= ?;

-- name: next_token
INSERT INTO queue_org (org, token) VALUES (?1, ?2)
ON CONFLICT (org) DO UPDATE SET token = max(token + 1, excluded.token)
RETURNING token;

-- name: add_events
INSERT INTO queue_outbox (org, at, events) VALUES (?, ?, ?);

-- name: events
SELECT id, events FROM queue_outbox WHERE org = ? AND id >= ? ORDER BY id LIMIT ?;

-- name: published
SELECT published FROM queue_org WHERE org = ?;

-- name: set_published
INSERT INTO queue_org (org, published) VALUES (?, ?)
ON CONFLICT (org) DO UPDATE SET published = excluded.published;

-- name: stats
SELECT team, rank, count(*), sum(due < ?), min(due)
FROM queue_ticket
WHERE org = ? AND resolved = 0 AND forget_at = 0 AND within = ''
GROUP BY team, rank ORDER BY team, rank;

-- name: old_resolved
SELECT id FROM queue_ticket
WHERE org = ? AND resolved > 0 AND resolved < ? AND forget_at = 0 AND within = ''
    AND id NOT IN (SELECT ticket FROM queue_handover)
ORDER BY resolved LIMIT ?;

-- name: drop_ticket
UPDATE queue_ticket
SET doc = x'', bundle = x'', within = '', author = '', forget_at = ?1, owner = '', token = 0, until = 0
WHERE id = ?2 OR within = ?2;

-- name: forget_ids
DELETE FROM queue_ticket WHERE forget_at > 0 AND forget_at <= ?;

-- name: mutes
SELECT mute, (SELECT count(*) FROM queue_taken WHERE queue_taken.mute = queue_mute.id)
FROM queue_mute WHERE org = ?;

-- name: set_mute
INSERT INTO queue_mute (id, org, over, mute) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET over = excluded.over, mute = excluded.mute
WHERE excluded.over < queue_mute.over;

-- name: take
INSERT OR IGNORE INTO queue_taken (mute, ticket, at) VALUES (?, ?, ?);

-- name: taken_by
SELECT ticket FROM queue_taken WHERE mute = ? ORDER BY at DESC, ticket LIMIT ? OFFSET ?;

-- name: forget_taken
DELETE FROM queue_taken WHERE mute IN (SELECT id FROM queue_mute WHERE org = ? AND over < ?);

-- name: forget_mutes
DELETE FROM queue_mute WHERE org = ? AND over < ?;

-- name: mutes_that_take
SELECT mute FROM queue_mute WHERE org = ?;

-- name: trim_outbox
DELETE FROM queue_outbox WHERE org = ? AND id < ? AND at < ?;

-- name: add_hand_over
INSERT INTO queue_handover (ticket, org, version, due, at, said) VALUES (?1, ?2, ?3, ?4, ?4, ?5)
ON CONFLICT (ticket) DO UPDATE SET
    version = excluded.version, attempts = 0, due = excluded.due, at = excluded.at,
    said = excluded.said;

-- name: first_hand_over
SELECT ticket, version, attempts, at, said FROM queue_handover
WHERE org = ? AND due <= ? ORDER BY due, ticket LIMIT 1;

-- name: take_hand_over
UPDATE queue_handover SET attempts = attempts + 1, due = ? WHERE ticket = ?;

-- name: retry_hand_over
UPDATE queue_handover SET due = ? WHERE ticket = ? AND version = ?;

-- name: end_hand_over
DELETE FROM queue_handover WHERE ticket = ? AND version = ?;

-- name: ping
SELECT count(*) FROM queue_schema;
