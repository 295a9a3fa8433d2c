/** What is to be said of a model, in the window's language where it is one of the catalogue's. */
import i18next from 'i18next';
import type { ModelSummary } from '../../app/contract/types.ts';
import { text } from '../common/text/text.ts';

/** How the catalogue ends the note of a model of which not every file has a known hash. */
const unverified = /No hash is known for every file beforehand/;

export function noteOf({ id, state, own, note }: ModelSummary): string {
  const name = id.replaceAll('.', '_'); // A dot leads deeper into the texts.
  if (own || state === 'broken' || !i18next.exists(`models.notes.${name}`)) return note;
  const known = text(`models.notes.${name}`);
  return unverified.test(note) ? `${known} ${text('models.unverified')}` : known;
}
