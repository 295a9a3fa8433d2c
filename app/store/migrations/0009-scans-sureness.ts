/** How sure the recognition of a scanned page was, 0 to 100, and in which languages it was read; null for those from before. */
export const scansSureness = `
ALTER TABLE scanned_pages ADD COLUMN confidence REAL;
-- Tesseract's names, joined by "+".
ALTER TABLE scanned_pages ADD COLUMN languages TEXT;
`;
