import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../main/setup/build.mjs';

const root = path.resolve(import.meta.dirname, '../..');
const numDocuments = 12;
const numKills = 20;

type Fact = { type?: string; source: string; documentId: string; state: string; numPassages: number };

/** Text of a document; each has a word of its own that no other has. */
const ownWord = (document: number): string => `kennwort${String.fromCharCode(97 + document).repeat(5)}`;
const textOf = (document: number): string =>
  Array.from(
    { length: 30 },
    (_, place) => `Paragraph ${place} of document ${document} speaks of ${ownWord(document)} and of much else besides.`,
  ).join('\n\n');

describe('kill -9 while documents are read', () => {
  let folder = '';
  let profile = '';

  /** Runs a command; `kill` is called with each line and ends it with SIGKILL when it says so. */
  function quoth(words: string[], kill: (line: string, numLines: number) => boolean = () => false): Promise<Fact[]> {
    return new Promise((resolve, reject) => {
      // The core itself, not the launcher: what is killed is what writes.
      const entry = path.join(root, 'out/main/cli.js');
      const child = spawn(process.execPath, [entry, ...words, '--json', '--profile', profile], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const facts: Fact[] = [];
      let rest = '';
      child.stdout.setEncoding('utf8').on('data', (piece: string) => {
        const lines = (rest + piece).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          facts.push(JSON.parse(line));
          if (kill(line, facts.length)) child.kill('SIGKILL');
        }
      });
      child.once('error', reject);
      child.once('close', () => resolve(facts));
    });
  }

  const list = async (): Promise<Fact[]> => {
    const [result] = (await quoth(['list'])) as unknown as { documents: Fact[] }[];
    return result?.documents ?? [];
  };

  beforeAll(async () => {
    await build({ only: ['addon', 'main'] });
    folder = await mkdtemp(path.join(os.tmpdir(), 'quoth kill 山田 '));
    profile = path.join(folder, 'profile');
    await mkdir(path.join(folder, 'documents'));
    for (let document = 0; document < numDocuments; document += 1)
      await writeFile(path.join(folder, 'documents', `document-${document}.txt`), textOf(document));
  }, 600_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it(`loses nothing that was said to be ready, ${numKills} times in a row`, async () => {
    const said = new Set<string>();
    for (let round = 0; round < numKills; round += 1) {
      // Another document each time, so that there is always something to interrupt; killed after the first word of it.
      const changed = path.join(folder, 'documents', `document-${round % numDocuments}.txt`);
      await writeFile(changed, `${textOf(round % numDocuments)}\n\nChanged in round ${round}.`);
      const facts = await quoth(['add', path.join(folder, 'documents')], (_line, numLines) => numLines > round % 4);
      for (const fact of facts) if (fact.state === 'ready') said.add(fact.source);
      const there = new Map((await list()).map((document) => [document.source, document]));
      for (const source of said) expect(there.has(source), `${source} after kill ${round}`).toBe(true);
      expect(there.size).toBeLessThanOrEqual(numDocuments);
    }

    await quoth(['add', path.join(folder, 'documents')]);
    const documents = await list();
    expect(documents.map(({ source, state }) => `${source} ${state}`).sort()).toEqual(
      Array.from({ length: numDocuments }, (_, document) => `document-${document}.txt ready`).sort(),
    );
    for (let document = 0; document < numDocuments; document += 1) {
      const [found] = (await quoth(['search', ownWord(document), '-k', '3'])) as unknown as {
        passages: { source: string; text: string }[];
      }[];
      expect(found?.passages[0]).toMatchObject({ source: `document-${document}.txt` });
      expect(found?.passages[0]?.text).toContain(ownWord(document));
    }
  }, 300_000);
});
