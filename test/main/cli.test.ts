import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createChatTable } from '../../app/store/chat-table.ts';
import { openDatabase } from '../../app/store/database.ts';
import { makeAnswer, makeCitation, makeDocument, makePassage } from '../fakes/app-handlers.ts';

const root = path.resolve(import.meta.dirname, '../..');
const launcher = path.join(root, 'main/cli/quoth.mjs');
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'quoth cli 山田 '));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Ended = { code: number | null; out: string; err: string };

function quoth(words: string[], options: { input?: string; node?: string } = {}): Promise<Ended> {
  const { input = '', node = process.execPath } = options;
  return new Promise((resolve) => {
    const child = spawn(node, [launcher, ...words], { cwd: folder });
    const ended: Ended = { code: null, out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      ended.out += piece;
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      ended.err += piece;
    });
    child.once('close', (code) => resolve({ ...ended, code }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

const sentence = /^\S[^\n]*\n$/;

describe('wrong use is one sentence on stderr, nothing on stdout, and 2', () => {
  const wrong = [
    [],
    ['frobnicate'],
    ['constructor'],
    ['add'],
    ['list', 'all'],
    ['folders', 'polish'],
    ['folders', 'pause'],
    ['folders', 'list', 'all'],
    ['collections', 'polish'],
    ['collections', 'create'],
    ['collections', 'rename', 'x'],
    ['collections', 'list', 'all'],
    ['collections', 'show', 'x', 'y'],
    ['remove'],
    ['search'],
    ['search', 'two', 'words'],
    ['search', 'x', '-k', '0'],
    ['search', 'x', '-k', 'ten'],
    ['search', 'x', '--bogus', '1'],
    ['ask'],
    ['summarise', 'two', 'words'],
    ['mentions'],
    ['compare', 'one'],
    ['jobs', 'polish'],
    ['jobs', 'resume'],
    ['chats', 'two', 'words'],
    ['export'],
    ['export', 'x', '--format', 'stone'],
    ['models', 'polish'],
    ['models', 'install'],
    ['build', 'x'],
    ['generate', '--model', 'x'],
    ['generate', '--prompt', 'x', '--prompt-ids', 'y', '--model', 'x'],
    ['generate', '--prompt', 'x', '--temperature', 'hot', '--model', 'x'],
    ['score', '--model', 'x'],
    ['tokenize'],
    ['embed'],
    ['eval', 'taste'],
    ['eval', 'retrieval'],
    ['eval', 'retrieval', 'more'],
    ['eval', 'tables'],
    ['bench'],
    ['bench', 'patience'],
    ['serve', '--port', '70000'],
    ['serve', '--port', '-1'],
  ];
  it.each(wrong.map((words) => [words.join(' '), words] as const))('quoth %s', async (_shown, words) => {
    const { code, out, err } = await quoth(words);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    if (words.length > 0) expect(err).toMatch(sentence);
  });
});

describe('what fails is one sentence on stderr, and 1', () => {
  it.each([
    [['add', 'no such file.pdf'], /There is no file or folder ".*no such file\.pdf"\./],
    [['folders', 'remove', 'folder_1'], /There is no watched folder "folder_1"/],
    [['remove', 'doc_1'], /There is no document "doc_1"/],
    [['summarise', 'none.pdf'], /"none\.pdf" is neither a document nor a folder/],
    [['jobs', 'resume', 'turn_1'], /There is no job "turn_1"/],
    [['ask', 'x', '--chat', 'none'], /There is no chat "none"\./],
    [['export', 'none'], /There is no chat "none"/],
    [['build', 'none.gguf', '--out', 'a.plan'], /There is no "none\.gguf"\./],
    [['generate', '--model', 'none.plan', '--prompt', 'x'], /There is no plan file ".*none\.plan"/],
    [['score', '--model', 'text.txt', '--ids', 'text.txt'], /text\.txt is not a sound plan/],
    [['tokenize', '--model', 'text.txt'], /text\.txt is not a sound plan/],
  ] as const)('quoth %j', async (words, wanted) => {
    await writeFile(path.join(folder, 'text.txt'), 'no plan at all');
    const { code, out, err } = await quoth([...words, '--profile', path.join(folder, 'profile')]);
    expect(err).toMatch(wanted);
    expect(err).toMatch(sentence);
    expect({ code, out }).toEqual({ code: 1, out: '' });
  });
});

describe('saved chats', () => {
  const profile = () => path.join(folder, 'profile of chats');

  beforeAll(() => {
    const database = openDatabase({ profileFolder: profile(), nowMs: Date.now, log: () => undefined });
    const chats = createChatTable(database, { nowMs: () => 1e12, randomBytes });
    const passage = makePassage(1, makeDocument(1, { title: 'Lease' }), '', { page: 3 });
    for (const title of ['The lease', 'The other lease']) {
      const turn = chats.addTurn(chats.create(title), 'How does it end?');
      chats.saveAnswer(turn, makeAnswer('With notice [1].', [makeCitation(1, passage, `three months, says ${title}`)]));
    }
    database.close();
  });

  const run = async (...words: string[]) => quoth([...words, '--profile', profile()]);

  it('are listed, and found by the words of their quotes', async () => {
    expect((await run('chats')).out).toMatch(
      /^chat_\w{16} {2}2001-09-09 {2}The other lease\nchat_\w{16} {2}2001-09-09 {2}The lease\n$/,
    );
    expect((await run('chats', 'says other')).out).toMatch(
      /The other lease\n {4}three months, says The other lease\n$/,
    );
    expect((await run('chats', 'windmill')).out).toBe('No chat speaks of that.\n');
  });

  it('are exported with their quotes', async () => {
    const { out, code } = await run('export', 'the other');
    expect(code).toBe(0);
    expect(out).toContain('[^1-1]: “three months, says The other lease” — *Lease*');
    const file = path.join(folder, 'a chat.html');
    expect((await run('export', 'The lease', '--format', 'html', '--out', file)).out).toBe(`Wrote ${file}.\n`);
    expect(await readFile(file, 'utf8')).toContain(
      '<blockquote class="quote">three months, says The lease</blockquote>',
    );
  });

  it('are not guessed at, and not written where nothing can be written', async () => {
    expect((await run('export', 'lease')).err).toMatch(/^2 chats are called so/);
    expect((await run('export', 'The lease', '--out', path.join(folder, 'no', 'x.md'))).err).toMatch(
      /could not be written/,
    );
  });
});

describe('watched folders', () => {
  it('are added, listed, paused and forgotten, with their documents or without', async () => {
    const papers = path.join(folder, '書類');
    await mkdir(papers);
    await writeFile(path.join(papers, 'bridge.txt'), 'The Golden Gate Bridge opened in 1937.');
    const at = ['--json', '--profile', path.join(folder, 'watching')];
    expect((await quoth(['add', '--watch', papers, ...at])).code).toBe(0);
    const list = async () => JSON.parse((await quoth(['folders', ...at])).out).folders;
    const [{ id, path: shown, numReady }] = await list();
    expect({ shown, numReady }).toEqual({ shown: papers, numReady: 1 });
    await quoth(['folders', 'pause', id, ...at]);
    expect(await list()).toMatchObject([{ id, state: 'paused' }]);
    expect((await quoth(['folders', 'remove', id, '--with-documents', ...at])).code).toBe(0);
    expect(await list()).toEqual([]);
    expect(JSON.parse((await quoth(['list', ...at])).out).documents).toEqual([]);
  });
});

describe('whole documents', () => {
  it('are searched for every mention, compared and summarised, with what was read', async () => {
    const papers = path.join(folder, '契約');
    await mkdir(papers);
    const rest = 'Either side may end the contract in writing. Pets are allowed.';
    await writeFile(path.join(papers, 'old.txt'), `The monthly fee is 100 euros for the flat. ${rest}`);
    await writeFile(path.join(papers, 'new.txt'), `The monthly fee is 120 euros for the flat. ${rest}`);
    await writeFile(path.join(papers, 'empty.txt'), '');
    const at = ['--profile', path.join(folder, 'whole')];
    // Models of this machine would take part: these commands are told that there are none.
    const environment = process.env.QUOTH_MODELS;
    process.env.QUOTH_MODELS = path.join(folder, 'no models');
    try {
      await quoth(['add', papers, ...at]);
      const { out, code } = await quoth(['mentions', 'fees', '--in', papers, ...at]);
      expect(code).toBe(0);
      expect(out).toContain('2 places in 2 documents.');
      expect(out).toContain('- “The monthly fee is 100 euros for the flat.” [');
      expect(out).toContain('Read 2 of 2 parts of 2 documents (2 passages). Could not be read: 1 document.');
      expect(out).toContain('empty.txt: This file is empty.');
      expect((await quoth(['mentions', 'fee', '--in', 'old', ...at])).out).toContain('1 place in 1 document.');
      const compared = (await quoth(['compare', path.join(papers, 'old.txt'), 'new.txt', ...at])).out;
      expect(compared).toContain('the same in both: 2; that differ: 1;');
      const facts = (await quoth(['summarise', papers, ...at, '--json'])).out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(facts[0]).toMatchObject({ type: 'started', turnId: expect.stringMatching(/^turn_/) });
      expect(facts.at(-1)).toMatchObject({
        type: 'answer',
        writtenBy: 'quotes',
        job: { coverage: { numParts: 2, numRead: 2 } },
      });
      expect(facts.at(-1).citations.every((citation: { verified: boolean }) => citation.verified)).toBe(true);
      expect((await quoth(['summarise', 'e', ...at])).err).toMatch(/^2 documents are called so/);
      expect((await quoth(['jobs', ...at])).out).toBe('Nothing is on its way.\n');
    } finally {
      if (environment === undefined) delete process.env.QUOTH_MODELS;
      else process.env.QUOTH_MODELS = environment;
    }
  });
});

describe('help', () => {
  it('lists all commands and is no failure', async () => {
    const { code, out } = await quoth(['help']);
    expect(code).toBe(0);
    for (const name of 'add list folders collections remove search ask summarise mentions compare jobs chats export models build quantize generate score tokenize embed eval bench engine serve doctor'.split(
      ' ',
    ))
      expect(out).toContain(`quoth ${name}`);
    expect((await quoth(['search', '--help'])).out).toMatch(/^quoth search <question>/);
  });
});

describe('collections', () => {
  it('are made, filled, asked in, emptied and deleted, by their names', async () => {
    const profile = path.join(folder, 'shelf 棚');
    const files = path.join(folder, 'files 書類');
    await mkdir(files, { recursive: true });
    await writeFile(path.join(files, 'mill.txt'), 'The mill by the river is old.');
    await writeFile(path.join(folder, 'tower of the mill.txt'), 'The tower of the mill is new.');
    const run = async (...words: string[]): Promise<unknown> => {
      const { code, out, err } = await quoth([...words, '--json', '--profile', profile]);
      expect([code, err]).toEqual([0, '']);
      return JSON.parse(out.trim().split('\n').at(-1) ?? 'null');
    };
    await run('add', files, path.join(folder, 'tower of the mill.txt'));
    await run('collections', 'create', 'Mühlen');
    expect(await run('collections', 'add', 'mühlen', files)).toMatchObject({ collection: { numDocuments: 1 } });
    expect(await run('collections', 'add', 'Mühlen', 'tower of the mill.txt')).toMatchObject({
      collection: { numDocuments: 2 },
    });
    expect(await run('collections', 'take', 'Mühlen', files)).toMatchObject({ collection: { numDocuments: 1 } });
    const found = (await run('search', 'mill', '--collection', 'MÜHLEN')) as { passages?: unknown[] };
    expect(JSON.stringify(found)).toContain('tower');
    expect(JSON.stringify(found)).not.toContain('river');
    expect(await run('mentions', 'mill', '--collection', 'Mühlen')).toMatchObject({ type: 'answer' });
    await run('collections', 'rename', 'Mühlen', 'Mills');
    expect(await run('collections', 'show', 'Mills')).toMatchObject({
      documents: [{ source: 'tower of the mill.txt' }],
    });
    await run('collections', 'delete', 'Mills');
    expect(await run('collections')).toEqual({ collections: [] });
    const { code, err } = await quoth(['search', 'mill', '--collection', 'Mills', '--profile', profile]);
    expect([code, err]).toEqual([1, 'There is no collection called "Mills".\n']);
  });
});

describe('the launcher', () => {
  const systemNode = ['/usr/bin/node', '/usr/local/bin/node'].find((file) => existsSync(file));

  it.skipIf(!systemNode)('works from the Node of the system, whatever its age', async () => {
    const { code, out } = await quoth(['help'], { node: systemNode });
    expect(code).toBe(0);
    expect(out).toContain('quoth add');
  });

  it('is what `npx quoth` runs', () => {
    const { status, stdout } = spawnSync('npx', ['quoth', 'help'], {
      cwd: root,
      encoding: 'utf8',
      shell: process.platform === 'win32',
    });
    expect(status).toBe(0);
    expect(stdout).toContain('quoth add');
  });
});
