/** Which edition of its reader a kind of document has: what an older one has read is read again, when nothing else is to be done. */
import { type DocumentKind, documentKinds } from './source.ts';

/**
 * To be raised with every change that gives another text, other places or other cells for files that could be read before. An
 * archive and a letter hold files of other kinds, and follow them.
 */
const raised: Partial<Record<DocumentKind, number>> = {
  pdf: 2, // fields behind their labels, signatures, letters that only a glyph's name tells
  doc: 2, // headings
  docx: 2, // the numbers of headings and lists
  xlsx: 2, // numbers as a sheet shows them
  html: 2, // the numbers of ordered lists
  epub: 2,
  zip: 2,
  email: 2,
};

/** From 1. */
export const readerVersions = Object.fromEntries(documentKinds.map((kind) => [kind, raised[kind] ?? 1])) as Readonly<
  Record<DocumentKind, number>
>;
