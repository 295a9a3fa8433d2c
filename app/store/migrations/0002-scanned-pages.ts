/** Where the words of scanned pages stand. They are in the passages too; this is for marking a quote on the page's picture. */
export const scannedPages = `
CREATE TABLE scanned_pages (
  document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  page INTEGER NOT NULL,
  -- JSON: [[text, left, top, right, bottom], …] in reading order, in points from the upper left of the upright page.
  words TEXT NOT NULL,
  PRIMARY KEY (document_id, page)
) STRICT, WITHOUT ROWID;
`;
