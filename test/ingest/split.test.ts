import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { estimateTokens } from '../../ingest/embedder.ts';
import { readPdf } from '../../ingest/readers/pdf.ts';
import { readText } from '../../ingest/readers/text.ts';
import { sentencesOf } from '../../ingest/sentences.ts';
import type { Section } from '../../ingest/source.ts';
import { splitSections } from '../../ingest/split.ts';
import { bytesOf, dataFolder, hasData, textsOf } from './data.ts';

/** One token per word or East Asian character: simple enough to count by eye. */
const countTokens = (text: string) =>
  text.match(/[\u3040-\u30ff\u4e00-\u9fff]|[^\s\u3040-\u30ff\u4e00-\u9fff]+/gu)?.length ?? 0;
const split = (sections: Section[], mostTokens = 20) => splitSections(sections, { countTokens, mostTokens });
const page = (number: number, text: string, heading: string | null = null): Section => ({
  text,
  locator: { type: 'page', page: number },
  heading,
});
const paragraph = (number: number, text: string, heading: string | null = null): Section => ({
  text,
  locator: { type: 'paragraph', paragraph: number },
  heading,
});
const caption = (startSeconds: number, endSeconds: number, text: string): Section => ({
  text,
  locator: { type: 'time', startSeconds, endSeconds },
  heading: null,
});
const sentence = (n: number) => `This is sentence number ${n} of them.`;
const texts = (text: string) => sentencesOf(text).map(({ from, to }) => text.slice(from, to));

describe('sentences', () => {
  test('end where a reader would end them', () => {
    expect(
      texts('Dr. Smith came at 3.14 p.m. and left. "Really?" he asked! Yes… See e.g. Fig. 3 there. J. S. Bach.'),
    ).toEqual([
      'Dr. Smith came at 3.14 p.m. and left.',
      '"Really?"',
      'he asked!',
      'Yes…',
      'See e.g. Fig. 3 there.',
      'J. S. Bach.',
    ]);
    expect(texts('吾輩は猫である。名前はまだ無い。「どこで？」と聞いた！終わり')).toEqual([
      '吾輩は猫である。',
      '名前はまだ無い。',
      '「どこで？」',
      'と聞いた！',
      '終わり',
    ]);
    expect(texts('Heading without a stop\n\nA paragraph\nover lines.')).toEqual([
      'Heading without a stop',
      'A paragraph\nover lines.',
    ]);
    expect(texts('पहला वाक्य। दूसरा वाक्य।')).toEqual(['पहला वाक्य।', 'दूसरा वाक्य।']);
    expect(texts(' \n ')).toEqual([]);
  });

  test('leave nothing out, however long and strange the text', () => {
    for (const text of [
      'x'.repeat(10_000),
      'a b '.repeat(5000),
      '1,2;3\n'.repeat(3000),
      '😀'.repeat(3000),
      '. . . ! ? '.repeat(900),
    ]) {
      const pieces = texts(text);
      expect(pieces.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
      for (const piece of pieces) {
        expect(piece.length).toBeLessThanOrEqual(400);
        expect(piece.isWellFormed()).toBe(true);
      }
    }
  });
});

describe('chunks', () => {
  const long = Array.from({ length: 12 }, (_, n) => sentence(n)).join(' ');

  test('are verbatim slices of whole sentences within the size, and share one at their borders', () => {
    const section = page(1, long);
    const chunks = split([section], 30);
    expect(chunks.length).toBeGreaterThan(2);
    for (const [index, chunk] of chunks.entries()) {
      expect(section.text).toContain(chunk.text);
      expect(countTokens(chunk.text)).toBeLessThanOrEqual(30);
      expect(chunk.ordinal).toBe(index);
      const previous = chunks[index - 1];
      if (previous) expect(sentencesOf(chunk.text).length).toBeGreaterThan(0);
      if (previous) expect(previous.text.endsWith(texts(chunk.text)[0]!)).toBe(true);
    }
    for (let n = 0; n < 12; n++) expect(chunks.some((chunk) => chunk.text.includes(sentence(n)))).toBe(true);
  });

  test('never cross a page', () => {
    const chunks = split([page(1, 'Short one.'), page(2, 'Short two.'), page(4, long)]);
    expect(chunks[0]).toMatchObject({ text: 'Short one.', locator: { page: 1 } });
    expect(chunks[1]).toMatchObject({ text: 'Short two.', locator: { page: 2 } });
    for (const chunk of chunks.slice(2)) expect(chunk.locator).toEqual({ type: 'page', page: 4 });
  });

  test('of one page are of like size', () => {
    const sizes = split([page(1, long)], 50).map((chunk) => countTokens(chunk.text));
    expect(sizes.length).toBe(2);
    expect(Math.min(...sizes)).toBeGreaterThan(Math.max(...sizes) * 0.5);
  });

  test('join short paragraphs, with the first one as their place', () => {
    const chunks = split([paragraph(1, 'One.'), paragraph(2, 'Two.'), paragraph(3, 'Three.')]);
    expect(chunks).toEqual([
      { ordinal: 0, text: 'One.\n\nTwo.\n\nThree.', locator: { type: 'paragraph', paragraph: 1 }, heading: null },
    ]);
  });

  test('begin anew under a new heading, once there is enough text', () => {
    const many = Array.from({ length: 15 }, (_, n) => sentence(n)).join(' ');
    const chunks = split(
      [paragraph(1, 'A', 'A'), paragraph(2, many, 'A'), paragraph(3, 'B', 'B'), paragraph(4, 'Text of B.', 'B')],
      200,
    );
    expect(chunks.map((chunk) => chunk.heading)).toEqual(['A', 'B']);
    expect(chunks[1]!.text).toBe('B\n\nText of B.');
  });

  test('leave room for their heading', () => {
    const heading = 'A heading of six words here';
    for (const chunk of split([page(1, long, heading)], 30))
      expect(countTokens(`${heading}\n${chunk.text}`)).toBeLessThanOrEqual(30);
  });

  test('cut what has no sentences at spaces, and what has no spaces anywhere', () => {
    const words = Array.from({ length: 100 }, (_, n) => `word${n}`).join(' ');
    const chunks = split([page(1, words)]);
    expect(textsOf(chunks).join(' ')).toBe(words);
    const perCharacter = { countTokens: (text: string) => text.length, mostTokens: 50 };
    const solid = splitSections([page(1, '猫'.repeat(333))], perCharacter);
    expect(textsOf(solid).join('')).toBe('猫'.repeat(333));
    expect(Math.max(...solid.map((chunk) => chunk.text.length))).toBeLessThanOrEqual(50);
  });

  test('of captions last 45 to 60 seconds and know when they begin and end', () => {
    const captions = Array.from({ length: 100 }, (_, n) =>
      caption(n * 3, n * 3 + 3, n % 5 === 4 ? 'the end.' : `words ${n}`),
    );
    const chunks = splitSections(captions, { countTokens, mostTokens: 220 });
    for (const { locator } of chunks.slice(0, -1)) {
      expect(locator.type).toBe('time');
      if (locator.type !== 'time') continue;
      expect(locator.endSeconds - locator.startSeconds).toBeGreaterThanOrEqual(45);
      expect(locator.endSeconds - locator.startSeconds).toBeLessThanOrEqual(60);
    }
    expect(chunks[0]!.locator).toMatchObject({ startSeconds: 0 });
    expect(chunks.at(-1)!.locator).toMatchObject({ endSeconds: 300 });
    const together = textsOf(chunks).join(' ');
    for (let n = 0; n < 100; n++) if (n % 5 !== 4) expect(together).toContain(`words ${n}`);
  });

  test('of nothing are none', () => {
    expect(split([])).toEqual([]);
    expect(split([page(1, '  ')])).toEqual([]);
  });
});

describe.skipIf(!hasData)('chunks of real documents', () => {
  const options = { countTokens: estimateTokens, mostTokens: 220 };

  test('of a filing are of the wanted size, and each is on its page', async () => {
    const result = await readPdf(bytesOf(join(dataFolder, 'qa/docugami-sec10q/2023_Q1_AMZN.pdf')), 'a.pdf');
    if (result.type !== 'read') throw new Error(result.reason);
    const chunks = splitSections(result.sections, options);
    const sizes = chunks.map((chunk) => estimateTokens(chunk.text));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(220);
    expect(sizes.reduce((sum, size) => sum + size, 0) / sizes.length).toBeGreaterThan(120);
    for (const chunk of chunks) {
      const here = result.sections.filter(
        (section) =>
          section.locator.type === 'page' &&
          chunk.locator.type === 'page' &&
          section.locator.page === chunk.locator.page,
      );
      const words = (text: string) => text.replace(/\s+/g, ' ');
      const prose = here.filter((section) => !section.row).map((section) => section.text);
      if (!chunk.cells) expect(words(prose.join('\n'))).toContain(words(chunk.text));
      // Of a table each cell stands in a row of the page, its column's name before it.
      for (const { start, endExclusive, isLabel } of chunk.cells ?? []) {
        const shown = chunk.text.slice(start, endExclusive);
        const named = here.flatMap((section) => section.row?.named ?? []);
        const cell = named.find(({ column, text }) => shown === (column === '' ? text : `${column}: ${text}`));
        expect(cell, shown).toBeDefined();
        if (!isLabel) expect(here.some((section) => section.text.includes(cell!.text))).toBe(true);
      }
    }
  });

  test('of a Japanese novel end with their sentences', () => {
    const book = new Uint8Array(
      gunzipSync(bytesOf(join(dataFolder, 'documents/languages/wagahaiwa_nekodearu.txt.gz'))),
    );
    const result = readText(book, 'cat.txt');
    if (result.type !== 'read') throw new Error(result.reason);
    const chunks = splitSections(result.sections, options);
    expect(chunks.length).toBeGreaterThan(1000);
    const whole = chunks.filter((chunk) => /[。！？」』）\]…―—–]$/u.test(chunk.text));
    expect(whole.length / chunks.length).toBeGreaterThan(0.85);
  });
});

describe('captions that say who speaks', () => {
  const caption = (at: number, speaker: string | undefined, text: string): Section => ({
    text,
    locator: { type: 'time', startSeconds: at, endSeconds: at + 5 },
    heading: null,
    ...(speaker ? { speaker } : {}),
  });

  test('name each speaker where a turn begins, and a new turn begins a chunk when one is long enough', () => {
    const sections = [
      caption(0, 'Ada', 'The pond is cold.'),
      caption(5, 'Ada', 'It is winter.'),
      caption(10, 'Ben', 'And the ducks?'),
      caption(20, 'Ada', 'They stay.'),
      caption(30, 'Ben', 'All of them.'),
      caption(35, undefined, 'Laughter.'),
    ];
    const chunks = splitSections(sections, { countTokens: (text) => text.split(' ').length });
    expect(chunks.map(({ text }) => text)).toEqual([
      'Ada: The pond is cold. It is winter. Ben: And the ducks? Ada: They stay.',
      'Ben: All of them. Laughter.',
    ]);
  });
});
