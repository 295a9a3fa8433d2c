/** How the command line shows an answer. */
import type { Answer } from '../../app/contract/types.ts';
import { placeWords } from './places.ts';

/** Markdown's escapes and bold words are for the window; a terminal shows the signs themselves. */
export const plain = (markdown: string): string =>
  markdown.replace(/(?<!\\)\*\*/g, '').replace(/\\([!-/:-@[-`{-~])/g, '$1');

/** Said under an answer whose passages may not say what was asked. */
export const doubtWords = 'These passages speak of this, but may not say what was asked. Check the quotes.';

export function answerFact({
  text,
  citations,
  refused,
  doubtful,
  writtenBy,
  end,
  timings,
  searchedFor,
  job,
}: Answer): object {
  const facts = citations.map(({ n, documentId, source, place, quote, verified, cell, boxes }) => ({
    n,
    documentId,
    source,
    page: place.page,
    startSeconds: place.startSeconds,
    label: place.label,
    quote,
    verified,
    cell,
    boxes,
  }));
  return {
    type: 'answer',
    text,
    citations: facts,
    refused,
    ...(doubtful ? { doubtful } : {}),
    writtenBy,
    end,
    timings,
    ...(searchedFor === undefined ? {} : { searchedFor }),
    ...(job ? { job } : {}),
  };
}

/** `[1] bridges.pdf, p. 2` and the quote under it. */
export function citationWords({ citations }: Answer): string {
  const words = citations.map(({ n, source, place, quote, verified, cell }) => {
    const told = cell === undefined ? '' : `\n    → ${cell.replace(/\s+/g, ' ')}`;
    const where = [source, placeWords(place)].filter((part) => part !== '').join(', ');
    return `[${n}] ${where}${verified ? '' : ' (not verified)'}\n    “${quote.replace(/\s+/g, ' ')}”${told}`;
  });
  return words.join('\n');
}
