import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createNodeSpawner } from '../../ingest/readers/node-spawner.ts';
import { createReadFile } from '../../ingest/run-reader.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { bytesOf, dataFolder, docxOf, filesBelow, hasData, pdfOf, sourceOf, zipOf } from './data.ts';

// QUOTH_LONG=1 reads all of pdf.js' corpus, else each ninth file of it, and 1,000 mutants instead of 48:
// a process per file takes 0.2 s.
const isLong = process.env.QUOTH_LONG === '1';

/** Reads files two at a time, each in its own process. */
async function readAll(paths: string[]): Promise<Map<string, ReadResult>> {
  const read = createReadFile(createNodeSpawner());
  const results = new Map<string, ReadResult>();
  const waiting = [...paths];
  const work = async () => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift())
      results.set(path, await read(sourceOf(path), { signal: new AbortController().signal }));
  };
  await Promise.all([work(), work()]);
  return results;
}

/** Ends that are the file's own; `crashed`, `too-slow` and `too-hungry` would be ours. */
const properEnds = ['damaged', 'no-text', 'password', 'empty', 'unsupported', 'too-large'];

describe.skipIf(!hasData)('bad documents', () => {
  const broken = filesBelow(join(dataFolder, 'documents/broken'));
  const corpus = filesBelow(join(dataFolder, 'documents/pdf/pdfjs')).filter((_, at) => isLong || at % 9 === 0);
  const office = filesBelow(join(dataFolder, 'documents/office')).filter(
    (path, at) => isLong || (/\.(docx|pptx|xlsx)$/.test(path) && at % 4 === 0),
  );

  test.each([
    ['every broken file', broken],
    [isLong ? "all of pdf.js' corpus" : "a ninth of pdf.js' corpus", corpus],
    ['real office files', office],
  ])('%s ends in a state with a reason', { timeout: 300_000 }, async (_what, paths) => {
    const results = await readAll(paths);
    expect(results.size).toBe(paths.length);
    expect(paths.length).toBeGreaterThan(20);
    const improper = [...results].filter(
      ([, result]) => result.type === 'failed' && !properEnds.includes(result.reason),
    );
    expect(improper).toEqual([]);
    // A wall that is too high would make all of them fail.
    expect([...results.values()].filter((result) => result.type === 'read').length).toBeGreaterThan(paths.length / 4);
    for (const [, result] of results) if (result.type === 'read') expect(result.sections.length).toBeGreaterThan(0);
  });
});

describe('mutants of good documents', () => {
  const folder = mkdtempSync(join(tmpdir(), 'quoth-mutants-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const words = Array.from({ length: 300 }, (_, n) => `Sentence ${n} of a good document.`);
  const good: [string, Uint8Array][] = [
    ['a.pdf', pdfOf([words.slice(0, 40), words.slice(40, 80), ['End.']])],
    ['a.docx', docxOf(['# Title', ...words])],
    [
      'a.html',
      new TextEncoder().encode(
        `<h1>T</h1><table>${words.map((text) => `<tr><td>${text}&amp;</td></tr>`).join('')}</table>`,
      ),
    ],
    ['a.md', new TextEncoder().encode(`---\na: b\n---\n# T\n\n\`\`\`\n${words.join('\n\n## x\n')}`)],
    ['a.txt', new TextEncoder().encode(words.join('\n\n'))],
    ['a.csv', new TextEncoder().encode(words.map((text, n) => `${n},"${text}"`).join('\n'))],
    ['a.rtf', new TextEncoder().encode(`{\\rtf1\\ansi ${words.join("\\par\\'e9 ")}}`)],
    ['a.xml', new TextEncoder().encode(`<a>${words.map((text) => `<b c="1">${text}</b>`).join('')}</a>`)],
    ['a.eml', new TextEncoder().encode(`Subject: S\n\n${words.join('\n\n')}`)],
    ['a.srt', new TextEncoder().encode(words.map((text) => `00:00:01,000 --> 00:00:02,000\n${text}\n`).join('\n'))],
    ['a.zip', zipOf(words.slice(0, 20).map((text, n) => ({ name: `${n}.txt`, data: new TextEncoder().encode(text) })))],
    ...(hasData
      ? [
          'pdf/pypdf_samples/004-pdflatex-4-pages__pdflatex-4-pages.pdf',
          'pdf/pdfjs/issue17492.pdf',
          'groundtruth/docx/word_sample.docx',
          'groundtruth/docx/unit_test_headers_numbered.docx',
          'groundtruth/pptx/powerpoint_sample.pptx',
          'groundtruth/xlsx/xlsx_04_inflated.xlsx',
          'groundtruth/odf/odf_table_with_title_01.ods',
        ].map((path): [string, Uint8Array] => [
          `real.${path.split('.').at(-1)}`,
          bytesOf(join(dataFolder, 'documents', path)),
        ])
      : []),
  ];

  /** The same numbers on every machine (mulberry32), so that a failing mutant can be found again. */
  function createRandom(seed: number): (limit: number) => number {
    let state = seed;
    return (limit) => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
    };
  }

  function mutate(bytes: Uint8Array, random: (limit: number) => number): Uint8Array {
    const mutant = Uint8Array.from(bytes);
    const kind = random(6);
    if (kind === 0) for (let n = 0; n < 30; n++) mutant[random(mutant.length)]! ^= 1 << random(8);
    if (kind === 1) return mutant.slice(0, 1 + random(mutant.length));
    if (kind === 2) mutant.copyWithin(random(mutant.length), random(mutant.length), random(mutant.length));
    if (kind === 3) mutant.fill(random(256), random(mutant.length), random(mutant.length));
    // A digit or a length field becomes a huge one.
    if (kind === 4)
      for (let n = 0; n < 200; n++) {
        const at = random(mutant.length);
        if (mutant[at]! >= 0x30 && mutant[at]! <= 0x39) mutant[at] = 0x39;
      }
    if (kind === 5) {
      const at = mutant.length - 1 - random(Math.min(400, mutant.length));
      for (let n = 0; n < 8; n++) mutant[Math.min(mutant.length - 1, at + n)] = random(256);
    }
    return mutant;
  }

  test('each ends in a state within the limits', { timeout: 900_000 }, async () => {
    const numMutants = isLong ? 1000 : 48;
    const paths = Array.from({ length: numMutants }, (_, seed) => {
      const [name, bytes] = good[seed % good.length]!;
      const path = join(folder, `${seed}-${name}`);
      writeFileSync(path, mutate(bytes, createRandom(seed)));
      return path;
    });
    const results = await readAll(paths);
    const improper = [...results].filter(
      ([, result]) => result.type === 'failed' && !properEnds.includes(result.reason),
    );
    expect(improper).toEqual([]);
    expect(results.size).toBe(numMutants);
  });
});
