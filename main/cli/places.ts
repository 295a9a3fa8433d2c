/** How the command line shows the things of the contract. */
import type { DocumentSummary, Place } from '../../app/contract/types.ts';

/** "p. 12", "1:03:20", "Slide 3", "letter.pdf, p. 12" or nothing. */
export function placeWords(place: Place): string {
  const { label, page, startSeconds } = place;
  if (label === null) return numberedPlaceWords(place);
  const isWhole = startSeconds === null && (page === null || label.endsWith(` ${page}`));
  return isWhole ? label : `${label}, ${numberedPlaceWords(place)}`;
}

function numberedPlaceWords({ page, startSeconds }: Place): string {
  if (page !== null) return `p. ${page}`;
  if (startSeconds === null) return '';
  const seconds = Math.floor(startSeconds);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const [hours = 0, ...rest] = parts;
  const words = (hours > 0 ? parts : rest).map((part, index) => (index === 0 ? `${part}` : `${part}`.padStart(2, '0')));
  return words.join(':');
}

/** A document as `quoth add` and `quoth list` print it. */
export function documentFact(document: DocumentSummary): object {
  return {
    type: 'document',
    source: document.source,
    documentId: document.id,
    state: document.state,
    reason: document.reason,
    numPages: document.numPages,
    numPassages: document.numPassages,
  };
}

export function documentWords(document: DocumentSummary): string {
  const what =
    document.state === 'ready' ? count(document.numPassages, 'passage') : (document.reason ?? document.state);
  const note = document.state === 'ready' && document.reason ? ` ${document.reason}` : '';
  const pages = document.numPages === null ? '' : `, ${count(document.numPages, 'page')}`;
  return `${document.state.padEnd(11)} ${document.id}  ${document.source} (${what}${pages})${note}`;
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
