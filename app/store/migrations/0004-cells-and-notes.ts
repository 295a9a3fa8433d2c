/**
 * Where the cells of tables stand on their pages, for marking the cell that a quote speaks of; and what of a document could not
 * be read.
 */
export const cellsAndNotes = `
-- JSON: [[start, end, 1 for a label and 0 for a value, left, top, right, bottom], …]: which stretches of the text are cells, and
-- where they stand, in points from the upper left of the upright page. Null where the passage is no table of a page.
ALTER TABLE passages ADD COLUMN cells TEXT;
-- Of a document that was read: for the person, what of it was not. Null where all was.
ALTER TABLE documents ADD COLUMN note TEXT;
`;
