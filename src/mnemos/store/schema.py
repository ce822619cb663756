"""The tables, as an ordered list of migrations. A released migration is never edited; a change is a new one.

`PRAGMA user_version` is the number of migrations applied. The log is the truth; every other table that speaks of
memories is a projection of it and can be rebuilt (`mnemos reindex`).

Tables that hold words or vectors have integer primary keys and grow at the end: their rows stay where they were
written, which keeps old copies of deleted words from lingering in half-empty pages.
"""

from __future__ import annotations

from mnemos.store.schema_artifacts import FIFTH

APPLICATION_ID = 0x4D4E454D
"""`MNEM`: how a file says that it is a Mnemos store."""

FIRST = """
-- What holds for the whole file: epoch of the projections, active embedder, analyzer, pending purge.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Namespaces and, for each, every namespace above it and itself; scope is always equality on a number.
CREATE TABLE namespaces (num INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE namespace_ancestors (
    ancestor INTEGER NOT NULL REFERENCES namespaces(num),
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    PRIMARY KEY (ancestor, namespace)
) STRICT, WITHOUT ROWID;

-- Everything observed, once, in reading order. Append-only, but for a deletion, which blanks text, body and digest.
CREATE TABLE log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,                                 -- the memory that it concerns
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    op TEXT NOT NULL CHECK (op IN ('add', 'update', 'delete', 'link')),
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,                              -- when the store heard it, microseconds UTC
    happened_at INTEGER,
    text TEXT,                                        -- the words; NULL where an update left them, or once deleted
    body TEXT,                                        -- JSON of everything else that the event said
    digest BLOB                                       -- what makes a repeat of the event recognisable
) STRICT;
CREATE UNIQUE INDEX log_digest ON log (digest) WHERE digest IS NOT NULL;
CREATE INDEX log_id ON log (id);

-- What is remembered. A logged memory has the number of its first log entry; a derived one has a negative number.
CREATE TABLE memories (
    num INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    seq INTEGER NOT NULL,                             -- place in reading order
    said INTEGER REFERENCES log(seq),                 -- the log entry that holds its words; NULL if derived
    text TEXT,                                        -- words of a derived memory
    kind TEXT NOT NULL,
    form TEXT NOT NULL DEFAULT 'text',
    speaker TEXT, role TEXT, session_id TEXT, agent_id TEXT,
    happened_at INTEGER, valid_at INTEGER, invalid_at INTEGER,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, expired_at INTEGER,
    expires_at INTEGER, ttl INTEGER,
    strength REAL NOT NULL DEFAULT 1.0,
    uses INTEGER NOT NULL DEFAULT 0, last_used_at INTEGER,
    trust REAL NOT NULL DEFAULT 1.0,
    version INTEGER NOT NULL DEFAULT 1,
    hidden INTEGER NOT NULL DEFAULT 0,                -- 1 while it waits to be derived again from what is left
    metadata TEXT,
    key TEXT, value TEXT,                             -- an item's key and JSON value
    recipe TEXT, topic TEXT,                          -- what derived it, and from which of its keys
    CHECK ((said IS NULL) = (num < 0)),
    CHECK ((text IS NULL) = (said IS NOT NULL))
) STRICT;
CREATE INDEX memories_namespace ON memories (namespace, seq);
CREATE INDEX memories_expiry ON memories (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX memories_key ON memories (namespace, key) WHERE key IS NOT NULL;

-- What a derived memory was derived from, and typed edges between memories.
CREATE TABLE sources (
    memory INTEGER NOT NULL REFERENCES memories(num) ON DELETE CASCADE,
    source INTEGER NOT NULL REFERENCES memories(num),
    PRIMARY KEY (memory, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX sources_source ON sources (source);
CREATE TABLE links (
    source INTEGER NOT NULL REFERENCES memories(num) ON DELETE CASCADE,
    target INTEGER NOT NULL REFERENCES memories(num) ON DELETE CASCADE,
    relation TEXT NOT NULL,
    weight REAL NOT NULL DEFAULT 1.0,
    PRIMARY KEY (source, relation, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_target ON links (target);

-- The index: a memory's passages, tokenised once. unit = num * 2^20 + part.
CREATE TABLE units (
    unit INTEGER PRIMARY KEY,
    first INTEGER NOT NULL, last INTEGER NOT NULL,    -- the passage as a character range of the text
    tokens BLOB NOT NULL,                             -- uint16 word-piece ids
    terms BLOB NOT NULL                               -- uint32 hashes of stems, repeats kept
) STRICT;
CREATE TABLE embedders (num INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dim INTEGER NOT NULL) STRICT;
CREATE TABLE vectors (
    unit INTEGER PRIMARY KEY,
    embedder INTEGER NOT NULL REFERENCES embedders(num),
    vector BLOB NOT NULL                              -- float16[dim], unit length
) STRICT;
-- Vectors of the next embedder while a change of embedder is under way; the old ones serve until it is complete.
CREATE TABLE next_vectors (
    unit INTEGER PRIMARY KEY,
    embedder INTEGER NOT NULL REFERENCES embedders(num),
    vector BLOB NOT NULL
) STRICT;

-- Work that comes after the acknowledgement. 'dead' jobs have failed for good and wait for a person.
CREATE TABLE jobs (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    memory INTEGER,                                   -- the memory that it is about, if it is about one
    payload TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_one ON jobs (kind, coalesce(memory, 0)) WHERE state = 'queued';
"""

SECOND = """
-- What derivation decides about a memory, and a person may reverse.
ALTER TABLE memories ADD COLUMN resting TEXT;         -- NULL while indexed; else why it left the index
ALTER TABLE memories ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memories ADD COLUMN salience REAL;        -- 0 to 1; NULL until derivation has read it

-- How far each stage of derivation has read the log.
CREATE TABLE progress (stage TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- Every automatic or personal decision about a memory; `detail` is JSON without words of memories.
CREATE TABLE decisions (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    memory INTEGER NOT NULL REFERENCES memories(num) ON DELETE CASCADE,
    op TEXT NOT NULL,
    policy TEXT NOT NULL,                             -- what decided; 'user' for a person
    other INTEGER REFERENCES memories(num) ON DELETE SET NULL,
    detail TEXT,
    at INTEGER NOT NULL,
    undone_at INTEGER
) STRICT;
CREATE INDEX decisions_memory ON decisions (memory);
CREATE INDEX decisions_other ON decisions (other) WHERE other IS NOT NULL;

-- Memories whose index rows changed without a log entry, for snapshots to follow; only the latest are kept.
CREATE TABLE touched (tick INTEGER PRIMARY KEY AUTOINCREMENT, memory INTEGER NOT NULL) STRICT;

-- Facts by hashes of what they are about; their words stand in the memory.
CREATE TABLE facts (
    memory INTEGER PRIMARY KEY REFERENCES memories(num) ON DELETE CASCADE,
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    subject INTEGER NOT NULL,
    matter INTEGER NOT NULL,                          -- subject and relation
    object INTEGER NOT NULL,
    single INTEGER NOT NULL                           -- 1 where the matter has one object at a time
) STRICT;
CREATE INDEX facts_subject ON facts (namespace, subject);
CREATE INDEX facts_matter ON facts (namespace, matter);

-- Locality-sensitive hashes, by which near duplicates are found.
CREATE TABLE sketches (
    num INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    band INTEGER NOT NULL,
    memory INTEGER NOT NULL REFERENCES memories(num) ON DELETE CASCADE
) STRICT;
CREATE INDEX sketches_band ON sketches (namespace, band);
CREATE INDEX sketches_memory ON sketches (memory);

-- People, places and things, the names that they go by, and who is mentioned where.
CREATE TABLE entities (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    key INTEGER NOT NULL,                             -- hash of the normalised name
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    into_entity INTEGER REFERENCES entities(num) ON DELETE SET NULL
) STRICT;
CREATE INDEX entities_key ON entities (namespace, key);
CREATE TABLE aliases (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    entity INTEGER NOT NULL REFERENCES entities(num) ON DELETE CASCADE,
    key INTEGER NOT NULL,
    name TEXT NOT NULL,
    policy TEXT NOT NULL,
    decision TEXT,                                    -- the decision by which it can be undone
    at INTEGER NOT NULL,
    undone_at INTEGER
) STRICT;
CREATE INDEX aliases_key ON aliases (namespace, key);
CREATE INDEX aliases_entity ON aliases (entity);
CREATE TABLE mentions (
    memory INTEGER NOT NULL REFERENCES memories(num) ON DELETE CASCADE,
    entity INTEGER NOT NULL REFERENCES entities(num) ON DELETE CASCADE,
    PRIMARY KEY (memory, entity)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_entity ON mentions (entity);

-- Where a level stands: open episodes by session, open themes, a person's profile; `key` is a hash.
CREATE TABLE levels (
    memory INTEGER PRIMARY KEY REFERENCES memories(num) ON DELETE CASCADE,
    namespace INTEGER NOT NULL REFERENCES namespaces(num),
    kind INTEGER NOT NULL,
    key INTEGER NOT NULL,
    open INTEGER NOT NULL
) STRICT;
CREATE INDEX levels_open ON levels (namespace, kind, key) WHERE open = 1;

-- What use has taught about the signals of a namespace: factors, by name.
CREATE TABLE feedback (
    namespace INTEGER PRIMARY KEY REFERENCES namespaces(num),
    weights TEXT NOT NULL,
    count INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- What a namespace may hold at most, as `forget` was told.
CREATE TABLE budgets (
    namespace INTEGER PRIMARY KEY REFERENCES namespaces(num),
    terms TEXT NOT NULL,                              -- JSON
    at INTEGER NOT NULL
) STRICT;

-- What calls of a language model have cost.
CREATE TABLE ledger (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    model TEXT NOT NULL,
    job TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost REAL NOT NULL
) STRICT;

-- One queued job a kind and memory, or a kind and the part of the log that it reads.
DROP INDEX jobs_one;
CREATE UNIQUE INDEX jobs_one ON jobs (kind, coalesce(memory, json_extract(payload, '$.from'), 0))
WHERE state = 'queued';

-- All that was ever said waits to be read by derivation.
INSERT INTO jobs (kind, created_at) SELECT 'derive', max(at) FROM log WHERE op = 'add' HAVING count(*) > 0;
"""

THIRD = """
-- Through what something was written (rest, mcp, cli, …) and by whom there; NULL where that is unknown. A memory has
-- those of the entry that holds its words.
ALTER TABLE log ADD COLUMN channel TEXT;
ALTER TABLE log ADD COLUMN writer TEXT;
ALTER TABLE memories ADD COLUMN channel TEXT;
ALTER TABLE memories ADD COLUMN writer TEXT;

-- What is derived is trusted no further than what it was derived from.
WITH RECURSIVE below (num, trust) AS (
    SELECT num, trust FROM memories WHERE trust < 1
    UNION SELECT s.memory, b.trust FROM below b JOIN sources s ON s.source = b.num
)
UPDATE memories SET trust = ground.least
FROM (SELECT num, min(trust) AS least FROM below GROUP BY num) AS ground
WHERE memories.num = ground.num AND ground.least < memories.trust;
"""

FOURTH = """
-- Vectors that an embedder of a framework's own has made of an item's texts, as the log entry `said` has them.
CREATE TABLE item_vectors (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    memory INTEGER NOT NULL REFERENCES memories(num) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES embedders(num),
    said INTEGER NOT NULL,
    vector BLOB NOT NULL                              -- float32[dim]
) STRICT;
CREATE INDEX item_vectors_memory ON item_vectors (memory, embedder);
"""

MIGRATIONS: tuple[str, ...] = (FIRST, SECOND, THIRD, FOURTH, FIFTH)
"""In order; the position of each, counted from one, is the schema version that it leads to."""
