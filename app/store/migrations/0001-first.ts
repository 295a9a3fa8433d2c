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
  -- The word index's key.
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  question TEXT NOT NULL,
  asked_at_ms REAL NOT NULL,
  -- The turn that it follows; null at a chat's beginning. Turns with the same one are siblings: a question that was edited
  -- or asked again. No foreign key: of a damaged file, a turn is kept whose parent is lost (branches.ts).
  parent_id TEXT,
  -- Of siblings, the one that is shown.
  is_shown INTEGER NOT NULL CHECK (is_shown IN (0, 1)),
  -- JSON of the contract's \`answer\`; null until there is one.
  answer TEXT,
  -- JSON of what the search found, best first: ids of passages with their scores, no words. Null until there is an answer.
  found TEXT,
  UNIQUE (chat_id, ordinal)
) STRICT;

-- What was asked, answered and quoted, for the search in chats; it holds no text of its own. \`answer_words\` and
-- \`source_words\` (chat-search.ts) take what they can out of an answer, damaged or not. Few rows: words that are taken out
-- leave the file at once.
CREATE VIRTUAL TABLE turn_words USING fts5 (
  question, answer, sources, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO turn_words (turn_words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN
  INSERT INTO turn_words (rowid, question, answer, sources)
  VALUES (new.number, words(new.question), answer_words(new.answer), source_words(new.answer));
END;
CREATE TRIGGER turns_changed AFTER UPDATE OF question, answer ON turns BEGIN
  INSERT INTO turn_words (turn_words, rowid, question, answer, sources)
  VALUES ('delete', old.number, words(old.question), answer_words(old.answer), source_words(old.answer));
  INSERT INTO turn_words (rowid, question, answer, sources)
  VALUES (new.number, words(new.question), answer_words(new.answer), source_words(new.answer));
END;
CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN
  INSERT INTO turn_words (turn_words, rowid, question, answer, sources)
  VALUES ('delete', old.number, words(old.question), answer_words(old.answer), source_words(old.answer));
END;

-- One JSON value per key.
CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
`;
