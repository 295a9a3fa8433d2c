/** Named sets of documents. A folder is in one by its path, so that it holds whatever comes into it, watched or not. */
export const collections = `
CREATE TABLE collections (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at_ms REAL NOT NULL,
  deleted_at_ms REAL
) STRICT;

CREATE TABLE collection_documents (
  collection_id TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  PRIMARY KEY (collection_id, document_id)
) STRICT;
CREATE INDEX collection_documents_by_document ON collection_documents (document_id);

CREATE TABLE collection_folders (
  collection_id TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  -- Absolute and resolved.
  path TEXT NOT NULL,
  PRIMARY KEY (collection_id, path)
) STRICT;
`;
