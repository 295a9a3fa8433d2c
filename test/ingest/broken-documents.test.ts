import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createNodeSpawner } from '../../ingest/readers/node-spawner.ts';
import { createReadFile } from '../../ingest/run-reader.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { dataFolder, filesBelow, hasData, sourceOf } from './data.ts';

// QUOTH_LONG=1 reads all of pdf.js' corpus, else each fifth file of it: a process per file takes 0.2 s.
const isLong = process.env.QUOTH_LONG === '1';
const root = fileURLToPath(new URL('../..', import.meta.url));
const codeFolders = [join(root, 'ingest'), join(root, 'node_modules'), join(root, 'package.json')];

/** Reads files two at a time, each in its own process. */
async function readAll(paths: string[]): Promise<Map<string, ReadResult>> {
  const read = createReadFile(createNodeSpawner({ codeFolders }));
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
  const corpus = filesBelow(join(dataFolder, 'documents/pdf/pdfjs')).filter((_, at) => isLong || at % 5 === 0);
  const office = filesBelow(join(dataFolder, 'documents/office')).filter((path) => isLong || path.endsWith('.docx'));

  test.each([
    ['every broken file', broken],
    [isLong ? "all of pdf.js' corpus" : "a fifth of pdf.js' corpus", corpus],
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
