import type { DocumentKind, Scope } from '../../app/contract/types.ts';
import { formatDay } from '../common/format.ts';
import { text } from '../common/text/text.ts';

/** Names that every language has. */
export const kindNames: Readonly<Record<DocumentKind, string>> = {
  pdf: 'PDF',
  docx: 'DOCX',
  doc: 'DOC',
  pptx: 'PPTX',
  xlsx: 'XLSX',
  csv: 'CSV',
  odt: 'ODT',
  ods: 'ODS',
  odp: 'ODP',
  rtf: 'RTF',
  epub: 'EPUB',
  text: 'TXT',
  markdown: 'Markdown',
  html: 'HTML',
  xml: 'XML',
  email: 'EML',
  captions: 'SRT, VTT',
  image: 'PNG, JPEG',
  recording: 'MP3, MP4, WAV',
  zip: 'ZIP',
  youtube: 'YouTube',
  other: '…',
};

export const everything: Scope = { places: [], kinds: [], changedFromMs: null, changedBeforeMs: null };

/** The same scope, or null where it sets no limit. */
export function limiting(scope: Scope): Scope | null {
  const { places, kinds, changedFromMs, changedBeforeMs } = scope;
  return places.length === 0 && kinds.length === 0 && changedFromMs === null && changedBeforeMs === null ? null : scope;
}

/** What is searched, in a few words: "Contracts, lease.docx +2 · PDF · from 1/31/2024". */
export function scopeWords(scope: Scope | null, mostPlaces = 2): string {
  if (!scope) return text('scope.everything');
  const { places, kinds, changedFromMs, changedBeforeMs } = scope;
  const parts: string[] = [];
  const names = places.slice(0, mostPlaces).map(({ name }) => name);
  const more = places.length - names.length;
  if (names.length > 0) parts.push(`${names.join(', ')}${more > 0 ? ` +${more}` : ''}`);
  if (kinds.length > 0) parts.push(kinds.map((kind) => kindNames[kind]).join(', '));
  if (changedFromMs !== null) parts.push(text('scope.from', { day: formatDay(changedFromMs) }));
  // The contract's end is the beginning of the day after.
  if (changedBeforeMs !== null) parts.push(text('scope.to', { day: formatDay(changedBeforeMs - 1) }));
  return parts.join(' · ') || text('scope.everything');
}
