/**
 * One of many files is added, changed, renamed, moved, deleted: how long until the search shows it. `QUOTH_MANY_FILES=10000`
 * for the figures; the times are printed, and no test fails for them.
 */
import { mkdir, readFile as readBytes, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { all, createScene, type Scene, summaryOf } from '../outside.ts';

const numFiles = Number(process.env.QUOTH_MANY_FILES ?? 300);
const filesOfFolder = 100;
let scene: Scene;

beforeEach(async () => {
  scene = await createScene();
});
afterEach(() => scene.remove());

it(`${numFiles} files are followed, and only the one that changes is read`, async () => {
  const folder = join(scene.files, '山田 太郎', '文書');
  for (let file = 0; file < numFiles; file++) {
    const at = join(folder, `part ${Math.floor(file / filesOfFolder)}`);
    if (file % filesOfFolder === 0) await mkdir(at, { recursive: true });
    await writeFile(join(at, `${file} 契約.txt`), `Contract w${file}x with a party.`);
  }
  const { readFile } = scene.outside;
  let numRead = 0;
  // A process for each of so many files would measure the processes.
  scene.outside.readFile = async (source) => {
    numRead += 1;
    const text = await readBytes(source.path, 'utf8');
    const sections = [{ text, locator: { type: 'paragraph' as const, paragraph: 1 }, heading: null }];
    return { type: 'read', kind: 'text', title: source.name, numPages: null, sections };
  };
  const first = await scene.open();
  const times: Record<string, number> = {};
  const timed = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const startMs = performance.now();
    await work();
    times[name] = Math.round(performance.now() - startMs);
  };
  await timed('added', async () => {
    const events = await all(first.client.addFiles({ tickets: [scene.ticket(folder) as never], watch: true }));
    expect(summaryOf(events)).toEqual({ numReady: numFiles, numFailed: 0 });
  });
  expect(numRead).toBe(numFiles);
  first.disconnect();
  await first.app.close();

  const { app, client } = await scene.open();
  await timed('compared at the start', () => app.idle());
  expect(numRead).toBe(numFiles);

  // From here with the real reader, a process for each file.
  scene.outside.readFile = (source, options) => {
    numRead += 1;
    return readFile(source, options);
  };
  const events = client.watchLibrary({})[Symbol.asyncIterator]();
  /** The names found for a question, asked again at every event until they are these. */
  const untilFound = async (question: string, names: string[]): Promise<void> => {
    for (;;) {
      const { passages } = await client.search({ question, limit: 3 });
      if (JSON.stringify(passages.map(({ source }) => source)) === JSON.stringify(names)) return;
      expect((await events.next()).done).toBe(false);
    }
  };
  const one = join(folder, 'part 1');
  await timed('a new file', async () => {
    await writeFile(join(one, '新しい.txt'), 'The zebra crossing is new.');
    await untilFound('zebra', ['新しい.txt']);
  });
  await timed('a changed file', async () => {
    await writeFile(join(one, '150 契約.txt'), 'The walrus signs the contract now.');
    await untilFound('walrus', ['150 契約.txt']);
  });
  const numReadBefore = numRead;
  await timed('a renamed file', async () => {
    await rename(join(one, '151 契約.txt'), join(one, '改名.txt'));
    await untilFound('w151x', ['改名.txt']);
  });
  await timed('a moved file', async () => {
    await rename(join(one, '152 契約.txt'), join(folder, 'part 2', '152 契約.txt'));
    await untilFound('w152x', ['152 契約.txt']);
    while (app.library.list().some(({ source, state }) => source === '152 契約.txt' && state !== 'ready'))
      await events.next();
  });
  await timed('a renamed folder of 100 files', async () => {
    await rename(join(folder, 'part 0'), join(folder, 'renamed'));
    await app.idle();
    await untilFound('w99x', ['99 契約.txt']);
  });
  expect(numRead).toBe(numReadBefore);
  await timed('a deleted file', async () => {
    await rm(join(one, '153 契約.txt'));
    await untilFound('w153x', []);
  });
  process.stdout.write(`${numFiles} files, ms: ${JSON.stringify(times)}\n`);
}, 600_000);
