/** The ledger of every connection to another computer: its host and its size, never an address's path nor what was said. */
export const connections = `
CREATE TABLE connections (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  started_at_ms REAL NOT NULL,
  ended_at_ms REAL,
  host TEXT NOT NULL,
  purpose TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('open', 'done', 'failed', 'stopped', 'refused')),
  status INTEGER,
  -- Null where it cannot be known.
  sent_bytes INTEGER,
  received_bytes INTEGER
) STRICT;
`;
