/** What a job works with, whatever it does. */
import type { StoredPassage } from '../../ingest/store.ts';
import { citationNumber } from '../chats/citations.ts';
import { asLine } from '../chats/markdown.ts';
import { toPassage } from '../chats/to-passage.ts';
import type { Citation, DocumentId } from '../contract/types.ts';
import type { NoteLine } from '../store/job-table.ts';
import type { ModelHand } from './model-hand.ts';
import type { Part, PassagesOf } from './parts.ts';
import type { JobWords } from './words.ts';

/** A document of the job with its parts. */
export type Planned = { id: DocumentId; title: string; parts: Part[] };

/** A sentence for the result, with the words of a passage that bear it; `text` null = these words themselves. */
export type Line = { text: string | null; passage: StoredPassage; start: number; endExclusive: number };

export type Worker = {
  words: JobWords;
  /** Aborts when the person stops the job: what was read until then is made into a result. */
  signal: AbortSignal;
  /** Null where none is installed. */
  model: ModelHand | null;
  passagesOf: PassagesOf;
  notes: {
    read(part: Part): NoteLine[] | null;
    save(part: Part, lines: readonly NoteLine[]): void;
  };
  /** Lets others run, and a person who asks come first. Call between two parts. */
  breathe(): Promise<void>;
  onBegin(part: Part): void;
  /** `inOwnWords`: the model was asked and had nothing that could be used. */
  onRead(part: Part, numPassages: number, inOwnWords: boolean): void;
  /** All parts are read, or as many as will be. */
  onJoin(): void;
};

export const quoteOf = ({ passage, start, endExclusive }: Line): string => passage.text.slice(start, endExclusive);

/** Writes a result: Markdown whose every line carries the number of its quote. */
export function createPage() {
  const blocks: string[] = [];
  const citations: Citation[] = [];
  const bear = (line: Line): string => {
    const { passage, start, endExclusive } = line;
    const unscored = { score: 0, similarity: null, wordScore: null, rerankScore: null };
    return `[${citationNumber(citations, toPassage({ ...passage, ...unscored }), { start, endExclusive }, line.text ?? '')}]`;
  };
  /** What a model wrote is text, not markup: it has read the document, and says what that made it say. */
  const say = (line: Line): string =>
    line.text === null ? `“${asLine(quoteOf(line))}” ${bear(line)}` : `${asLine(line.text)} ${bear(line)}`;
  return {
    citations,
    text: () => blocks.join('\n\n'),
    heading: (text: string) => void blocks.push(`### ${asLine(text)}`),
    paragraph: (text: string) => void blocks.push(text),
    list: (items: readonly string[]) =>
      void (items.length > 0 && blocks.push(items.map((item) => `- ${item}`).join('\n'))),
    say,
  };
}

export type Page = ReturnType<typeof createPage>;
