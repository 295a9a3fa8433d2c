/** What a question was asked in: JSON of the contract's `scope`; null for everything. */
export const scopes = `
ALTER TABLE turns ADD COLUMN scope TEXT;
`;
