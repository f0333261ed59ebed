-- The embedded log. It shares its file with the embedded queue; all of its tables begin with log_.
--
-- log_partitions   one row a partition of a topic: the next offset, the oldest that is left
-- log_records      the records; offsets are dense in a partition, so that a gap can be told
-- log_readers      who reads in a group: a random incarnation, alive until `expires`
-- log_leases       which reader owns a partition of posts, and how far the group has read it
-- log_schema       the version of these tables
--
-- Times are milliseconds since 1970 (UTC).

-- name: create_schema_version
CREATE TABLE IF NOT EXISTS log_schema (version INTEGER NOT NULL)

-- name: schema_version
SELECT version FROM log_schema

-- name: forget_schema_version
DELETE FROM log_schema

-- name: set_schema_version
INSERT INTO log_schema (version) VALUES (?)

-- name: schema_1
CREATE TABLE log_partitions (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL DEFAULT 0,
    low_offset INTEGER NOT NULL DEFAULT 0,
    -- What the records' values weigh.
    bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE log_records (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    at INTEGER NOT NULL,
    key BLOB,
    value BLOB,
    -- JSON: [[name, hex], ...]; NULL where there are none.
    headers TEXT
);
CREATE UNIQUE INDEX log_records_place ON log_records (topic, partition, offset);
CREATE TABLE log_readers (
    grp TEXT NOT NULL,
    reader TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (grp, reader)
) WITHOUT ROWID;
CREATE TABLE log_leases (
    grp TEXT NOT NULL,
    partition INTEGER NOT NULL,
    -- NULL: nobody's.
    owner TEXT,
    expires INTEGER NOT NULL DEFAULT 0,
    -- The next offset to read; NULL: nothing was committed yet.
    committed INTEGER,
    PRIMARY KEY (grp, partition)
) WITHOUT ROWID;

-- name: schema_2
-- The urgent posts, a stream of its own, are leased as the others are.
CREATE TABLE log_leases_2 (
    grp TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    -- NULL: nobody's.
    owner TEXT,
    expires INTEGER NOT NULL DEFAULT 0,
    -- The next offset to read; NULL: nothing was committed yet.
    committed INTEGER,
    PRIMARY KEY (grp, topic, partition)
) WITHOUT ROWID;
INSERT INTO log_leases_2 (grp, topic, partition, owner, expires, committed)
SELECT grp, 'triage.posts', partition, owner, expires, committed FROM log_leases;
DROP TABLE log_leases;
ALTER TABLE log_leases_2 RENAME TO log_leases;

-- name: add_partition
INSERT OR IGNORE INTO log_partitions (topic, partition) VALUES (?, ?)

-- name: partition_count
SELECT count(*) FROM log_partitions WHERE topic = ?

-- name: partitions
SELECT partition, low_offset, next_offset FROM log_partitions WHERE topic = ? ORDER BY partition

-- name: partition
SELECT low_offset, next_offset FROM log_partitions WHERE topic = ? AND partition = ?

-- name: take_offsets
UPDATE log_partitions SET next_offset = next_offset + ?, bytes = bytes + ?
WHERE topic = ? AND partition = ? RETURNING next_offset

-- name: add_record
INSERT INTO log_records (topic, partition, offset, at, key, value, headers)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: erase_record
UPDATE log_records SET key = NULL, value = NULL, headers = ?1
WHERE topic = ?2 AND partition = ?3 AND offset = ?4 AND headers IS NOT ?1

-- name: lighten
UPDATE log_partitions SET bytes = max(0, bytes - ?) WHERE topic = ? AND partition = ?

-- name: records
SELECT offset, value, key, at, headers FROM log_records
WHERE topic = ? AND partition = ? AND offset >= ? AND offset < ? ORDER BY offset LIMIT ?

-- name: owned_ends
-- Where the partitions end that a reader still owns.
SELECT partition, next_offset FROM log_partitions
WHERE topic = ?1 AND partition IN (
    SELECT partition FROM log_leases WHERE grp = ?2 AND topic = ?1 AND owner = ?3 AND expires > ?4
)

-- name: first_at
SELECT at FROM log_records
WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT 1

-- name: add_leases
INSERT OR IGNORE INTO log_leases (grp, topic, partition)
SELECT ?, topic, partition FROM log_partitions WHERE topic = ?

-- name: bury_readers
-- Those whose time is up, and those from a future that a clock set back has undone.
DELETE FROM log_readers WHERE grp = ? AND (expires <= ? OR expires > ?)

-- name: keep_reader
INSERT INTO log_readers (grp, reader, expires) VALUES (?, ?, ?)
ON CONFLICT (grp, reader) DO UPDATE SET expires = excluded.expires

-- name: drop_reader
DELETE FROM log_readers WHERE grp = ? AND reader = ?

-- name: reader_count
SELECT count(*) FROM log_readers WHERE grp = ?

-- name: free_dead_leases
UPDATE log_leases SET owner = NULL
WHERE grp = ? AND owner NOT IN (SELECT reader FROM log_readers WHERE grp = log_leases.grp)

-- name: leases
SELECT partition, owner FROM log_leases WHERE grp = ? AND topic = ? ORDER BY partition

-- name: take_lease
UPDATE log_leases SET owner = ?, expires = ? WHERE grp = ? AND topic = ? AND partition = ?

-- name: drop_lease
UPDATE log_leases SET owner = NULL WHERE grp = ? AND topic = ? AND partition = ? AND owner = ?

-- name: drop_leases
UPDATE log_leases SET owner = NULL WHERE grp = ? AND owner = ?

-- name: commit
UPDATE log_leases SET committed = ? WHERE grp = ? AND topic = ? AND partition = ? AND owner = ?

-- name: committed
SELECT partition, committed FROM log_leases
WHERE grp = ? AND topic = ? AND committed IS NOT NULL

-- name: read_by_all
-- The offset below which every group has read a partition of the posts; NULL: some has not begun.
SELECT CASE WHEN count(committed) = count(*) THEN min(committed) END
FROM log_leases WHERE topic = ? AND partition = ?

-- name: old_records
-- The first offset that is younger than a time, at most so many after the oldest.
SELECT max(offset) + 1, count(*), sum(length(value)) FROM (
    SELECT offset, value FROM log_records
    WHERE topic = ? AND partition = ? AND offset < ? AND at < ? ORDER BY offset LIMIT ?
)

-- name: first_records
SELECT max(offset) + 1, count(*), sum(length(value)) FROM (
    SELECT offset, value FROM log_records
    WHERE topic = ? AND partition = ? AND offset < ? ORDER BY offset LIMIT ?
)

-- name: drop_records
DELETE FROM log_records WHERE topic = ? AND partition = ? AND offset < ?

-- name: raise_low
UPDATE log_partitions SET low_offset = max(low_offset, ?), bytes = max(0, bytes - ?)
WHERE topic = ? AND partition = ?

-- name: topic_bytes
SELECT coalesce(sum(bytes), 0) FROM log_partitions WHERE topic = ?
