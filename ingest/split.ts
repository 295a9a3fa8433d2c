/**
 * Sections → chunks of the embedder's size. A chunk's text is made of verbatim slices of the document, so that a quote from
 * it can be found there again; it never crosses a page; whole sentences where possible.
 */
import { cutBefore, type Span, sentencesOf } from './sentences.ts';
import type { Chunk, Section } from './source.ts';
import { areOfOneTable, cutTable } from './split-table.ts';

export type SplitOptions = {
  /** How many tokens the embedder makes of a text, without its special tokens. */
  countTokens: (text: string) => number;
  /** The most tokens that a chunk and its heading have together. MiniLM takes 256 with two special ones. */
  mostTokens?: number;
};

const defaultMostTokens = 220;
/** A run under a heading that is shorter than this is joined with the next: five words alone say nothing. */
const fewTokens = 80;
/** A run of paragraphs is cut after so many chunks at the latest: a book without headings is not one run. */
const longestRun = 10;
/** How much of a chunk may be the repeated last sentence of the one before. */
const overlapShare = 0.25;

/** A sentence, or a part of one that is longer than a chunk. */
type Unit = Span & { section: number; numTokens: number };

/** Chunks with ordinals 0, 1, 2 … in the order of the sections. */
export function splitSections(sections: readonly Section[], options: SplitOptions): Chunk[] {
  return [...batchesOfChunks(sections, options)].flat();
}

/** The same in batches of some chunks, so that a caller can let others run in between: counting tokens takes time. */
export function* batchesOfChunks(sections: readonly Section[], options: SplitOptions): Iterable<Chunk[]> {
  const { countTokens } = options;
  const mostTokens = options.mostTokens ?? defaultMostTokens;
  let chunks: Chunk[] = [];
  let numChunks = 0;
  let run: Unit[] = [];
  let runTokens = 0;

  const endRun = () => {
    if (run.length > 0) cutRun(run, runTokens);
    run = [];
    runTokens = 0;
  };
  const cutRun = (units: Unit[], numTokens: number) => {
    const budget = budgetFor(sections[units[0]!.section]!.heading);
    let remaining = numTokens;
    let first = 0;
    while (first < units.length) {
      // Chunks of like size: a page of 230 tokens makes two halves, not one whole and a crumb.
      const numLeft = Math.ceil(remaining / budget);
      const target = numLeft === 1 ? budget : Math.min(budget, remaining / numLeft + budget * 0.1);
      let end = first;
      let total = 0;
      while (end < units.length && (end === first || total + units[end]!.numTokens <= target))
        total += units[end++]!.numTokens;
      addChunk(units.slice(first, end));
      const last = units[end - 1]!;
      const repeats = end < units.length && end - first > 1 && last.numTokens <= budget * overlapShare;
      const fits = repeats && last.numTokens + units[end]!.numTokens <= target;
      first = fits ? end - 1 : end;
      remaining -= total - (fits ? last.numTokens : 0);
    }
  };
  const addChunk = (units: Unit[]) => {
    const text = sliceUnits(sections, units);
    const { locator, heading, label } = sections[units[0]!.section]!;
    chunks.push({ ordinal: numChunks++, text, locator, heading, label });
  };
  const budgetFor = (heading: string | null) =>
    mostTokens - (heading === null ? 0 : Math.min(Math.floor(mostTokens / 2), countTokens(heading) + 1));

  const tableSplit = {
    countTokens,
    mostTokens,
    cutText: (text: string, budget: number) =>
      [...unitsOf(text, { from: 0, to: text.length }, 0, budget, countTokens)].map(({ from, to, numTokens }) => ({
        text: text.slice(from, to).trim(),
        numTokens,
      })),
  };
  for (const [index, section] of sections.entries()) {
    const previous = sections[index - 1];
    if (section.locator.type === 'time') continue;
    if (section.row) {
      endRun();
      if (previous && areOfOneTable(previous, section)) continue;
      // A table's rows are cut where its first one stands.
      for (const chunk of cutTable(sections, index, tableSplit)) chunks.push({ ...chunk, ordinal: numChunks++ });
      if (chunks.length > 0) yield chunks;
      chunks = [];
      continue;
    }
    if (!previous || previous.row || !isOnPageOf(section, previous) || previous.label !== section.label) endRun();
    else if (previous.heading !== section.heading && runTokens >= fewTokens) endRun();
    const budget = budgetFor(section.heading);
    for (const span of sentencesOf(section.text)) {
      for (const unit of unitsOf(section.text, span, index, budget, countTokens)) {
        run.push(unit);
        runTokens += unit.numTokens;
      }
      if (section.locator.type !== 'page' && runTokens > longestRun * mostTokens) endRun();
      if (chunks.length > 0) {
        yield chunks;
        chunks = [];
      }
    }
  }
  endRun();
  for (const chunk of joinCaptions(sections, countTokens, mostTokens)) chunks.push({ ...chunk, ordinal: numChunks++ });
  if (chunks.length > 0) yield chunks;
}

/** Chunks never cross a page, which is what is cited. */
function isOnPageOf({ locator }: Section, { locator: other }: Section): boolean {
  if (locator.type !== 'page' || other.type !== 'page') return locator.type === other.type;
  return locator.page === other.page;
}

/** A sentence as one unit, or in parts of at most `budget` tokens. */
function* unitsOf(
  text: string,
  span: Span,
  section: number,
  budget: number,
  countTokens: (text: string) => number,
): Iterable<Unit> {
  const numTokens = countTokens(text.slice(span.from, span.to));
  if (numTokens <= budget || span.to - span.from < 2) return yield { ...span, section, numTokens };
  // Proportional first, so that few counts are needed; each half is checked again.
  const share = Math.max(1, Math.floor(((span.to - span.from) * budget) / numTokens / 1.1));
  const cut = cutBefore(text, span.from, span.from + share);
  const middle = cut > span.from && cut < span.to ? cut : span.from + Math.ceil((span.to - span.from) / 2);
  yield* unitsOf(text, { from: span.from, to: middle }, section, budget, countTokens);
  yield* unitsOf(text, { from: middle, to: span.to }, section, budget, countTokens);
}

/** The verbatim text from the first unit to the last; sections stay apart by a blank line. */
function sliceUnits(sections: readonly Section[], units: readonly Unit[]): string {
  const parts: { section: number; from: number; to: number }[] = [];
  for (const unit of units) {
    const last = parts.at(-1);
    if (last?.section === unit.section) last.to = unit.to;
    else parts.push({ section: unit.section, from: unit.from, to: unit.to });
  }
  return parts.map((part) => sections[part.section]!.text.slice(part.from, part.to).trim()).join('\n\n');
}

const shortestCaptionSeconds = 45;
const shortestTurnSeconds = 25;
const longestCaptionSeconds = 60;

/**
 * Captions are a few words each: they are joined into chunks of 45 to 60 s, ending with a sentence where one ends. The last
 * caption is repeated in the next chunk, since captions cut through sentences.
 */
function joinCaptions(
  sections: readonly Section[],
  countTokens: (text: string) => number,
  mostTokens: number,
): Omit<Chunk, 'ordinal'>[] {
  type Caption = {
    text: string;
    heading: string | null;
    label?: string;
    speaker?: string;
    start: number;
    end: number;
    numTokens: number;
  };
  const captions: Caption[] = [];
  for (const { text, locator, heading, label, speaker } of sections)
    if (locator.type === 'time' && text.trim())
      captions.push({
        text: text.trim(),
        heading,
        label,
        speaker,
        start: locator.startSeconds,
        end: locator.endSeconds,
        numTokens: countTokens(text),
      });

  const chunks: Omit<Chunk, 'ordinal'>[] = [];
  let first = 0;
  while (first < captions.length) {
    const start = captions[first]!.start;
    let end = first;
    let numTokens = 0;
    while (end < captions.length) {
      const caption = captions[end]!;
      if (caption.label !== captions[first]!.label) break; // another file of the same archive
      if (end > first && (numTokens + caption.numTokens > mostTokens || caption.end - start > longestCaptionSeconds))
        break;
      // A turn of another speaker begins a chunk where there is enough for one.
      const turns = caption.speaker !== undefined && caption.speaker !== captions[end - 1]?.speaker;
      if (end > first && turns && caption.start - start >= shortestTurnSeconds) break;
      numTokens += caption.numTokens;
      end += 1;
      if (caption.end - start >= shortestCaptionSeconds && /[.!?。！？…]["'”’」]?$/u.test(caption.text)) break;
    }
    const joined = captions.slice(first, end);
    chunks.push({
      text: withSpeakers(joined),
      locator: { type: 'time', startSeconds: start, endSeconds: Math.max(...joined.map((caption) => caption.end)) },
      heading: captions[first]!.heading,
      label: captions[first]!.label,
    });
    const last = captions[end - 1]!;
    const repeats =
      end < captions.length &&
      last.label === captions[end]!.label &&
      joined.length > 2 &&
      !/[.!?。！？…]["'”’」]?$/u.test(last.text);
    first = repeats && last.numTokens < mostTokens * overlapShare ? end - 1 : end;
  }
  return chunks;
}

/** Words of captions in a row, each speaker named where they begin. */
function withSpeakers(captions: readonly { text: string; speaker?: string | undefined }[]): string {
  return captions
    .map(({ text, speaker }, at) =>
      speaker !== undefined && speaker !== captions[at - 1]?.speaker ? `${speaker}: ${text}` : text,
    )
    .join(' ');
}
