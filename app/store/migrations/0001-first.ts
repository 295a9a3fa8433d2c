/**
 * The first schema. SQLite is the only truth: the vector index is derived from `vectors`, the word index from `passages`.
 *
 * Passage ids are never used twice (AUTOINCREMENT): an index generation that still holds the vector of a removed passage
 * can then never point at another one's text.
 */
export const first = `
CREATE TABLE documents (
  id TEXT PRIMARY KEY,
  source_type TEXT NOT NULL CHECK (source_type IN ('file', 'video')),
  -- file: absolute path; video: its canonical address. One document per source.
  location TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  detail TEXT,
  num_pages INTEGER,
  size_bytes INTEGER NOT NULL,
  modified_at_ms REAL NOT NULL,
  -- SHA-256 of the bytes that the passages were cut from, hexadecimal; null before the first reading.
  content_hash TEXT,
  added_at_ms REAL NOT NULL
) STRICT;
CREATE INDEX documents_by_hash ON documents (content_hash);
-- A file that appears is hashed only where one of its size is known: it may be one that was moved.
CREATE INDEX documents_by_size ON documents (size_bytes);

-- Folders whose changes are followed. Their documents are those whose location lies in them.
CREATE TABLE folders (
  id TEXT PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  is_paused INTEGER NOT NULL DEFAULT 0 CHECK (is_paused IN (0, 1)),
  -- What the file system calls the folder itself: tells one that was emptied from a mount point whose drive is away.
  identity TEXT,
  added_at_ms REAL NOT NULL
) STRICT;

CREATE TABLE passages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  text TEXT NOT NULL,
  -- CRC-32 of the text's UTF-8. SQLite does not notice damage within a text, and a wrong word must never be quoted.
  checksum INTEGER NOT NULL,
  heading TEXT,
  page INTEGER,
  paragraph INTEGER,
  start_seconds REAL,
  end_seconds REAL,
  -- What a person calls the place: "Slide 3", "Sheet Budget A2:F40"; null where the columns above say all.
  label TEXT,
  UNIQUE (document_id, ordinal)
) STRICT;

-- float16 [dimension], little-endian, unit length
CREATE TABLE vectors (
  passage_id INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
  embedder_id TEXT NOT NULL,
  vector BLOB NOT NULL
) STRICT;
CREATE INDEX vectors_by_embedder ON vectors (embedder_id, passage_id);

-- The word index holds no text of its own. \`words\` is a function of ours (words.ts): it cuts scripts that are written
-- without spaces into short pieces and leaves all else as it is. English endings are cut off (porter): SQuAD's questions
-- find their paragraph first in 76.3 instead of 74.0 of 100 cases, and other languages lose nothing. The function must
-- give the same for the same text for ever: a new way of cutting needs a migration that rebuilds this table.
CREATE VIRTUAL TABLE passage_words USING fts5 (
  text, heading, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
  INSERT INTO passage_words (rowid, text, heading) VALUES (new.id, words(new.text), words(new.heading));
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
  INSERT INTO passage_words (passage_words, rowid, text, heading)
  VALUES ('delete', old.id, words(old.text), words(old.heading));
END;

-- At most one row: the generation of the vector index that is in use.
CREATE TABLE index_generation (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  file TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  dimension INTEGER NOT NULL,
  embedder_id TEXT NOT NULL,
  num_vectors INTEGER NOT NULL,
  last_passage_id INTEGER NOT NULL
) STRICT;

CREATE TABLE chats (
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  created_at_ms REAL NOT NULL,
  updated_at_ms REAL NOT NULL,
  deleted_at_ms REAL
) STRICT;

CREATE TABLE turns (
  id TEXT PRIMARY KEY,
  chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  question TEXT NOT NULL,
  asked_at_ms REAL NOT NULL,
  -- JSON of the contract's \`answer\`; null until there is one.
  answer TEXT,
  UNIQUE (chat_id, ordinal)
) STRICT;

-- One JSON value per key.
CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
`;
