/** For passages that stand word for word in several documents, and for documents of the same bytes. */
export const copies = `
CREATE INDEX passages_by_checksum ON passages (checksum);
`;
