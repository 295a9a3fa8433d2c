import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNodeSpawner } from '../../ingest/readers/node-spawner.ts';
import { createReadFile, type ReaderChild } from '../../ingest/run-reader.ts';
import { docxOf, pdfOf, sourceOf, textOf } from './data.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const signal = () => new AbortController().signal;
const fake = (name: string) => createNodeSpawner({ readerMain: join(root, 'test/fakes/readers', `${name}.ts`) });
const small = { limits: () => ({ deadlineMs: 30_000, memoryBytes: 200e6 }), memoryPollMs: 10 };
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quoth 山田 太郎 '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(name: string, content: string | Uint8Array) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return sourceOf(path);
}

test('a file is read in a process of its own, with progress', async () => {
  const read = createReadFile(createNodeSpawner());
  const seen: number[] = [];
  const pdf = fileWith("it's #1 100% & [done], 😀 報告.pdf", pdfOf([['Page one.'], ['Page two.']]));
  const result = await read(pdf, { signal: signal(), onProgress: (done) => seen.push(done) });
  expect(textOf(result)).toBe('Page one.\nPage two.');
  expect(seen).toEqual([0.5, 1]);
});

test('a reader may read its file and nothing else, and has no network', async () => {
  const readerMain = join(root, 'test/fakes/readers/spying.ts');
  const read = createReadFile(createNodeSpawner({ readerMain }));
  fileWith('a.txt.secret', 'secret');
  const result = await read(fileWith('a.txt', 'open'), { signal: signal() });
  expect(textOf(result)).toBe('FAILED damaged: own done, other refused, write refused, fetch refused, socket refused');
});

test('a reader may read what is installed for it, and nothing beside that', async () => {
  const readerMain = join(root, 'test/fakes/readers/spying.ts');
  const read = createReadFile(createNodeSpawner({ readerMain }));
  const source = fileWith('c.txt', 'open');
  fileWith('c.txt.secret', 'secret');
  for (const [kit, beside] of [
    ['scan-fra/kit', 'scan-fra/manifest.json'],
    ['whisper/kit', 'whisper/kit.old/model.bin'],
  ] as const) {
    const at = (path: string) => join(dirname(source.path), path);
    mkdirSync(at(`${kit}/onnx`), { recursive: true });
    mkdirSync(dirname(at(beside)), { recursive: true });
    for (const path of [`${kit}/data.gz`, `${kit}/onnx/model.bin`, beside]) writeFileSync(at(path), 'x');
    const result = await read(source, {
      signal: signal(),
      ...(kit.startsWith('scan') ? { scanFolders: [at(kit)] } : { speech: { folder: at(kit) } }),
    });
    const detail = (result as { detail: string }).detail;
    expect(detail).toContain('own done, other refused, write refused, fetch refused, socket refused');
    expect(detail).toContain('data.gz done, model.bin done, above refused, beside refused, into kit refused');
  }
});

test('PDFs, DOCX files and pages are readable under the same walls', async () => {
  const read = createReadFile(createNodeSpawner());
  const result = await read(fileWith('b.pdf', pdfOf([['Behind walls.']])), { signal: signal() });
  expect(textOf(result)).toBe('Behind walls.');
  expect(textOf(await read(fileWith('b.docx', docxOf(['Word.'])), { signal: signal() }))).toBe('Word.');
  expect(textOf(await read(fileWith('b.html', '<p>Page.'), { signal: signal() }))).toBe('Page.');
});

test('a reader that cannot load its own code ends as crashed, not as a damaged file', async () => {
  const blind = createNodeSpawner({ codeFolders: [join(root, 'ingest'), join(root, 'package.json')] });
  expect(await createReadFile(blind)(fileWith('b.pdf', pdfOf([['x']])), { signal: signal() })).toMatchObject({
    reason: 'crashed',
  });
});

test('a hanging reader is ended at its deadline', async () => {
  const read = createReadFile(fake('hanging'), { limits: () => ({ deadlineMs: 400, memoryBytes: 1e9 }) });
  expect(await read(fileWith('h.pdf', 'x'), { signal: signal() })).toMatchObject({ reason: 'too-slow', kind: 'pdf' });
});

test('a page that is being recognized adds to the deadline, so a thin file of scans is read', async () => {
  const ended = { type: 'failed', kind: 'pdf', reason: 'no-text', detail: 'after its deadline' } as const;
  const slow = (): ReaderChild => ({
    send: () => {},
    onMessage: (listener) => {
      listener({ type: 'progress', done: 0, isScanning: true });
      setTimeout(() => listener({ type: 'result', result: ended }), 300);
    },
    onExit: () => {},
    kill: () => {},
    memoryBytes: async () => null,
  });
  const read = createReadFile(slow, { limits: () => ({ deadlineMs: 50, memoryBytes: 1e9 }) });
  expect(await read(fileWith('slow.pdf', 'x'), { signal: signal() })).toEqual(ended);
});

test.skipIf(process.platform !== 'linux')('a reader whose memory grows past its cap is ended', async () => {
  const read = createReadFile(fake('hungry'), small);
  expect(await read(fileWith('m.pdf', 'x'), { signal: signal() })).toMatchObject({ reason: 'too-hungry' });
});

test('a reader ends itself past its cap where nobody else watches', async () => {
  const unwatched = { limits: () => ({ deadlineMs: 60_000, memoryBytes: 200e6 }), memoryPollMs: 1e8 };
  const read = createReadFile(fake('hungry-alone'), unwatched);
  expect(await read(fileWith('m.pdf', 'x'), { signal: signal() })).toMatchObject({ reason: 'too-hungry' });
});

test('a reader that fills its heap ends as too hungry', async () => {
  const read = createReadFile(fake('greedy-heap'), { limits: () => ({ deadlineMs: 60_000, memoryBytes: 80e6 }) });
  expect(await read(fileWith('g.pdf', 'x'), { signal: signal() })).toMatchObject({ reason: 'too-hungry' });
});

test('a dying reader ends as crashed, with its code', async () => {
  const result = await createReadFile(fake('dying'))(fileWith('d.pdf', 'x'), { signal: signal() });
  expect(result).toMatchObject({ reason: 'crashed', detail: 'The reader ended with code 3.' });
});

test('a reader that cannot start ends as crashed', async () => {
  const absent = createNodeSpawner({ execPath: join(folder, 'no-such-program') });
  expect(await createReadFile(absent)(fileWith('n.pdf', 'x'), { signal: signal() })).toMatchObject({
    reason: 'crashed',
  });
  const throwing = () => {
    throw new Error('no processes left');
  };
  expect(await createReadFile(throwing)(fileWith('n.pdf', 'x'), { signal: signal() })).toMatchObject({
    reason: 'crashed',
  });
});

test('messages that no reader sends are passed over', async () => {
  const seen: number[] = [];
  const result = await createReadFile(fake('lying'))(fileWith('l.pdf', 'x'), {
    signal: signal(),
    onProgress: (done) => seen.push(done),
  });
  expect(result).toMatchObject({ reason: 'no-text', detail: 'true' });
  expect(seen).toEqual([1]);
});

test('a caller that leaves ends the process at once', async () => {
  let killed = 0;
  const silent = (): ReaderChild => ({
    send: () => {},
    onMessage: () => {},
    onExit: () => {},
    kill: () => {
      killed += 1;
    },
    memoryBytes: async () => null,
  });
  const controller = new AbortController();
  const reading = createReadFile(silent)(fileWith('s.pdf', 'x'), { signal: controller.signal });
  controller.abort();
  expect(await reading).toMatchObject({ type: 'failed', detail: 'stopped' });
  expect(killed).toBe(1);
  expect(await createReadFile(silent)(fileWith('s.pdf', 'x'), { signal: controller.signal })).toMatchObject({
    detail: 'stopped',
  });
});

test('a 2 GB text file ends as too large, unread', async () => {
  const source = fileWith('huge.txt', 'begin');
  truncateSync(source.path, 2 ** 31);
  const result = await createReadFile(createNodeSpawner(), small)(sourceOf(source.path), { signal: signal() });
  expect(result).toMatchObject({ type: 'failed', reason: 'too-large' });
});

test('a file that is empty, gone, or of another kind ends with that reason', async () => {
  const read = createReadFile(createNodeSpawner());
  expect(await read(fileWith('e.pdf', ''), { signal: signal() })).toMatchObject({ reason: 'empty' });
  expect(await read(fileWith('film.pdf', 'GIF89a'), { signal: signal() })).toMatchObject({
    reason: 'unsupported',
  });
  const gone = fileWith('gone.txt', 'x');
  rmSync(gone.path);
  expect(await read(gone, { signal: signal() })).toMatchObject({ reason: 'missing' });
});
