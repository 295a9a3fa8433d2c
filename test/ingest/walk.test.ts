import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Walked, walk } from '../../ingest/walk.ts';

let base = '';
let folder = '';
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'quoth-walk-')));
  folder = join(base, '山田 太郎');
  mkdirSync(folder);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function put(name: string, content = 'x'): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function walked(...paths: string[]): Promise<string[]> {
  const found: Walked[] = [];
  for await (const item of walk(paths)) found.push(item);
  return found.map((item) =>
    item.type === 'file' ? relative(folder, item.source.path) : `${relative(folder, item.path)}: ${item.reason}`,
  );
}

test('files are found in all folders, in one order, with their names as they are', async () => {
  for (const name of [
    'b.pdf',
    'a.txt',
    "it's #1 100% & [x].md",
    '😀.html',
    '報告 書.docx',
    'sub/deeper/c.PDF',
    'sub/a.txt',
  ])
    put(name);
  const expected = [
    'a.txt',
    'b.pdf',
    "it's #1 100% & [x].md",
    'sub/a.txt',
    'sub/deeper/c.PDF',
    '報告 書.docx',
    '😀.html',
  ];
  expect(await walked(folder)).toEqual(expected);
  expect(await walked(folder)).toEqual(expected);
});

test('a source has the resolved path, the size and the time of its file', async () => {
  const path = put('a.txt', 'five!');
  for await (const item of walk([join(folder, '.', 'sub', '..', 'a.txt')].map(() => path)))
    expect(item).toMatchObject({ type: 'file', source: { path, name: 'a.txt', sizeBytes: 5 } });
});

test('hidden and system files are passed over', async () => {
  for (const name of [
    '.hidden.txt',
    '.git/a.txt',
    '__MACOSX/a.txt',
    'Thumbs.db',
    '~$report.docx',
    'node_modules/x/README.md',
    'a.txt',
  ])
    put(name);
  expect(await walked(folder)).toEqual(['a.txt']);
});

test('kinds that Quoth does not read are listed in a folder, and left to their bytes when named', async () => {
  put('film.avi');
  put('talk.mp4');
  put('README');
  expect(await walked(folder)).toEqual(['README: unsupported', 'film.avi: unsupported', 'talk.mp4']);
  expect(await walked(join(folder, 'README'))).toEqual(['README']);
});

test('a file that is given twice comes once; one that is gone is said to be missing', async () => {
  const path = put('a.txt');
  expect(await walked(path, folder, path, join(folder, 'gone.pdf'))).toEqual(['a.txt', 'gone.pdf: missing']);
});

describe.skipIf(process.platform === 'win32')('where there are links, pipes and permissions', () => {
  test('links that lead out are reported, those inside are followed once, loops end', async () => {
    writeFileSync(join(base, 'secret.txt'), 'secret');
    mkdirSync(join(base, 'elsewhere'));
    put('sub/a.txt');
    symlinkSync(join(base, 'secret.txt'), join(folder, 'out.txt'));
    symlinkSync(join(base, 'elsewhere'), join(folder, 'out'));
    symlinkSync('..', join(folder, 'sub', 'up'));
    symlinkSync('sub/a.txt', join(folder, 'inside.txt'));
    symlinkSync('nothing', join(folder, 'broken.txt'));
    symlinkSync('self.txt', join(folder, 'self.txt'));
    expect(await walked(folder)).toEqual([
      'broken.txt: missing',
      'sub/a.txt',
      'out: outside',
      'out.txt: outside',
      'self.txt: outside',
    ]);
  });

  test('a folder whose name begins like the given one is outside', async () => {
    mkdirSync(`${folder} 2`);
    writeFileSync(join(`${folder} 2`, 'a.txt'), 'x');
    symlinkSync(join(`${folder} 2`, 'a.txt'), join(folder, 'a.txt'));
    expect(await walked(folder)).toEqual(['a.txt: outside']);
  });

  test('a pipe, a device and a socket are never opened', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe.txt')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, 's.txt'), resolve));
    try {
      expect(await walked(folder)).toEqual(['pipe.txt: not-a-file', 's.txt: not-a-file']);
      expect(await walked('/dev/null')).toEqual([`${relative(folder, '/dev/null')}: not-a-file`]);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.skipIf(process.getuid?.() === 0)('what may not be read is locked', async () => {
    chmodSync(put('a.txt'), 0o000);
    put('closed/b.txt');
    chmodSync(join(folder, 'closed'), 0o000);
    expect(await walked(folder)).toEqual(['a.txt: locked', 'closed: locked']);
    chmodSync(join(folder, 'closed'), 0o700);
  });
});

test('leaving the loop by its signal ends the walk', async () => {
  for (let n = 0; n < 20; n++) put(`${n}.txt`);
  const controller = new AbortController();
  const seen: Walked[] = [];
  await expect(async () => {
    for await (const item of walk([folder], controller.signal)) {
      seen.push(item);
      controller.abort();
    }
  }).rejects.toThrow();
  expect(seen.length).toBe(1);
});
