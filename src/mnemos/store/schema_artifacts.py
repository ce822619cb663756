"""The migration that brings artifacts: what was made of memories for a model, and what is wanted in which form.

Triggers hold the promise that nothing outlives its source: they work inside whatever transaction deletes or changes a
memory, so that no way of doing so can forget it.
"""

from __future__ import annotations

FIFTH = """
-- Derived forms of memories that one model reads: KV blocks, adapters. The files lie beside the store, in `<file>.d/`,
-- under the hash of their content; rows of the same hash share one. `metadata` is JSON without words of memories.
CREATE TABLE artifacts (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    form TEXT NOT NULL CHECK (form IN ('activation', 'parametric')),
    recipe TEXT NOT NULL,
    fingerprint TEXT NOT NULL,                        -- of the model that it was made for
    hash TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('fresh', 'stale', 'building')),
    seconds REAL NOT NULL,                            -- that it took to make
    metadata TEXT,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    uses INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX artifacts_hash ON artifacts (hash);

-- The memories that an artifact was made of, in their order in it.
CREATE TABLE artifact_sources (
    artifact INTEGER NOT NULL REFERENCES artifacts(num) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    memory INTEGER NOT NULL REFERENCES memories(num),
    PRIMARY KEY (artifact, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_sources_memory ON artifact_sources (memory);

-- Which memories are wanted in which form, whether they are there in it or not.
CREATE TABLE wanted (
    memory INTEGER NOT NULL REFERENCES memories(num) ON DELETE CASCADE,
    form TEXT NOT NULL CHECK (form IN ('activation', 'parametric')),
    at INTEGER NOT NULL,
    building_at INTEGER,                              -- when somebody last began to make it
    PRIMARY KEY (memory, form)
) STRICT, WITHOUT ROWID;

-- Hashes of artifacts that have gone, whose files wait to be removed.
CREATE TABLE unlinking (hash TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TRIGGER artifacts_gone AFTER DELETE ON artifacts BEGIN
    INSERT OR IGNORE INTO unlinking VALUES (old.hash);
END;

-- In whatever way a memory goes, or says something else, or leaves the index: what was made of it goes with it.
CREATE TRIGGER memories_gone BEFORE DELETE ON memories BEGIN
    DELETE FROM artifacts WHERE num IN (SELECT artifact FROM artifact_sources WHERE memory = old.num);
END;
CREATE TRIGGER memories_changed
AFTER UPDATE OF said, text, kind, speaker, role, happened_at, metadata, hidden, resting ON memories
WHEN (old.said, old.text, old.kind, old.speaker, old.role, old.happened_at)
    IS NOT (new.said, new.text, new.kind, new.speaker, new.role, new.happened_at)
    OR (new.kind = 'fact' AND json_extract(old.metadata, '$.subject', '$.relation', '$.object', '$.negated')
        IS NOT json_extract(new.metadata, '$.subject', '$.relation', '$.object', '$.negated'))
    OR new.hidden > old.hidden OR (old.resting IS NULL AND new.resting IS NOT NULL)
BEGIN
    DELETE FROM artifacts WHERE num IN (SELECT artifact FROM artifact_sources WHERE memory = new.num);
END;
-- What begins or ceases to be true says what it said; but who reads it ought to know.
CREATE TRIGGER memories_closed AFTER UPDATE OF valid_at, invalid_at ON memories
WHEN (old.valid_at, old.invalid_at) IS NOT (new.valid_at, new.invalid_at)
BEGIN
    UPDATE artifacts SET state = 'stale'
    WHERE num IN (SELECT artifact FROM artifact_sources WHERE memory = new.num) AND state <> 'stale';
END;
"""
