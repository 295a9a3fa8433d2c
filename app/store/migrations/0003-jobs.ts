/** Work on whole documents that has not come to its end. A job that has is gone: its result is the turn's answer. */
export const jobs = `
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY,
  turn_id TEXT NOT NULL UNIQUE REFERENCES turns (id) ON DELETE CASCADE,
  -- JSON of the contract's \`jobTask\`.
  task TEXT NOT NULL,
  language TEXT NOT NULL,
  -- An end of the process leaves \`active\`: the next start goes on.
  state TEXT NOT NULL CHECK (state IN ('active', 'stopped', 'failed')),
  reason TEXT
) STRICT;

-- What a chat model made of one part of a document: the dear half of a job, which an end of the process must not cost again.
-- With its document, its words go too.
CREATE TABLE job_notes (
  turn_id TEXT NOT NULL REFERENCES jobs (turn_id) ON DELETE CASCADE,
  document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  -- The part's first and last passage and the model: ids of passages are never used twice, so the same key is the same text.
  part TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (turn_id, part)
) STRICT;
CREATE INDEX job_notes_by_document ON job_notes (document_id);
`;
