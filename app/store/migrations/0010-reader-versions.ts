/** By which edition of its reader (ingest/reader-versions.ts) a document was read: what an older one read is read again. */
export const readerVersions = `
ALTER TABLE documents ADD COLUMN reader_version INTEGER NOT NULL DEFAULT 1;
`;
