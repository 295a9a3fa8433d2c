import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LibraryEvent } from '../../../app/contract/contract.ts';
import { all, createScene, documentsOf, type Scene, summaryOf } from '../outside.ts';

let scene: Scene;
let folder: string;

beforeEach(async () => {
  scene = await createScene();
  folder = join(scene.files, "my 'docs' #1 %41 [x] 😀");
  await mkdir(join(folder, 'deep'), { recursive: true });
  await writeFile(join(folder, 'bridge.txt'), 'The Golden Gate Bridge opened in 1937. It spans 1280 metres.');
  await writeFile(join(folder, 'deep', 'tower.md'), '# Tower\n\nThe Eiffel Tower was built in 1889 in Paris.');
});
afterEach(() => scene.remove());

type Client = Awaited<ReturnType<Scene['open']>>['client'];
const add = (client: Client, path: string) => all(client.addFiles({ tickets: [scene.ticket(path) as never] }));

describe('adding', () => {
  it('takes in a folder with all that is in it, each file with its end', async () => {
    await writeFile(join(folder, 'empty.txt'), '');
    await writeFile(join(folder, 'broken.pdf'), '%PDF-1.4 this is not one');
    const { client } = await scene.open();
    const events = await add(client, folder);
    expect(summaryOf(events)).toEqual({ numReady: 2, numFailed: 2 });
    const byName = Object.fromEntries(documentsOf(events).map((document) => [document.source, document]));
    expect(byName['bridge.txt']).toMatchObject({ state: 'ready', kind: 'text', numPassages: 1, reason: null });
    expect(byName['tower.md']).toMatchObject({ state: 'ready', kind: 'markdown' });
    expect(byName['empty.txt']).toMatchObject({ state: 'failed', reason: expect.stringContaining('empty') });
    expect(byName['broken.pdf']!.reason).toEqual(expect.any(String));
    expect(JSON.stringify(events)).not.toContain(scene.files);
  });

  it('tells the cells of a sheet and the file in an archive with each passage', async () => {
    await writeFile(join(folder, 'towns.csv'), 'Town,Count\nBergen,3\nAlba,5\n');
    const { client } = await scene.open();
    const [document] = documentsOf(await add(client, join(folder, 'towns.csv')));
    expect(document).toMatchObject({ state: 'ready', kind: 'csv' });
    const { passages } = await client.readDocument({ documentId: document!.id, fromPassage: 0, numPassages: 9 });
    expect(passages.map(({ place, text }) => [place.label, text])).toEqual([
      ['Cells A2:B3', 'Town | Count\nBergen | 3\nAlba | 5'],
    ]);
    const found = await client.search({ question: 'How many in Bergen?', limit: 3 });
    expect(found.passages[0]!.place).toMatchObject({ label: 'Cells A2:B3', page: null });
  });

  it('does nothing for a file that is there and has not changed', async () => {
    let numRead = 0;
    const { readFile } = scene.outside;
    scene.outside.readFile = (source, options) => {
      numRead += 1;
      return readFile(source, options);
    };
    const { client } = await scene.open();
    const first = documentsOf(await add(client, folder));
    expect(numRead).toBe(2);
    const second = await add(client, folder);
    expect(summaryOf(second)).toEqual({ numReady: 2, numFailed: 0 });
    expect(
      documentsOf(second)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(first.map(({ id }) => id).sort());
    // Another date, the same bytes: looked at, not read.
    await utimes(join(folder, 'bridge.txt'), new Date(), new Date(1_600_000_000_000));
    expect(summaryOf(await add(client, folder))).toEqual({ numReady: 2, numFailed: 0 });
    expect(numRead).toBe(2);
  });

  it('reads a changed file anew: its old words are gone, its id stays', async () => {
    const { client } = await scene.open();
    const [before] = documentsOf(await add(client, join(folder, 'bridge.txt')));
    await writeFile(join(folder, 'bridge.txt'), 'The bridge is closed for repairs until further notice.');
    const [after] = documentsOf(await add(client, join(folder, 'bridge.txt')));
    expect(after!.id).toBe(before!.id);
    expect((await client.search({ question: 'Golden Gate 1937', limit: 5 })).passages).toEqual([]);
    const found = await client.search({ question: 'repairs', limit: 5 });
    expect(found.passages[0]!.text).toContain('closed for repairs');
  });

  it('says that a file is missing when its folder is added again without it', async () => {
    const { client } = await scene.open();
    await add(client, folder);
    await rm(join(folder, 'bridge.txt'));
    expect(summaryOf(await add(client, folder))).toEqual({ numReady: 1, numFailed: 0 });
    expect((await client.search({ question: 'Golden Gate bridge', limit: 5 })).passages).toEqual([]);
    const watch = client.watchLibrary({})[Symbol.asyncIterator]();
    const reset = (await watch.next()).value as LibraryEvent;
    await watch.return?.();
    const missing = reset.type === 'reset' && reset.documents.find(({ source }) => source === 'bridge.txt');
    expect(missing).toMatchObject({ state: 'failed', reason: expect.stringContaining('no longer where it was') });
  });

  it.skipIf(process.platform === 'win32')('never follows a link out of the folder, not even at a retry', async () => {
    const secret = join(scene.files, 'secret.txt');
    await writeFile(secret, 'The password is swordfish.');
    await symlink(secret, join(folder, 'innocent.txt'));
    const { client } = await scene.open();
    const rejected = documentsOf(await add(client, folder)).find(({ source }) => source === 'innocent.txt');
    expect(rejected).toMatchObject({ state: 'failed', reason: expect.stringContaining('link') });
    const retried = await all(client.retryDocument({ documentId: rejected!.id }));
    expect(summaryOf(retried)).toEqual({ numReady: 0, numFailed: 1 });
    expect((await client.search({ question: 'swordfish', limit: 5 })).passages).toEqual([]);
  });

  it('retries: what was missing and is back is read', async () => {
    const { client } = await scene.open();
    const path = join(folder, 'bridge.txt');
    await add(client, path);
    await rename(path, `${path}.away`);
    const [gone] = documentsOf(await add(client, path));
    expect(gone).toMatchObject({ state: 'failed' });
    const [still] = documentsOf(await all(client.retryDocument({ documentId: gone!.id })));
    expect(still!.reason).toContain('no longer where it was');
    await rename(`${path}.away`, path);
    const [back] = documentsOf(await all(client.retryDocument({ documentId: gone!.id })));
    expect(back).toMatchObject({ state: 'ready', id: gone!.id });
    expect((await client.search({ question: 'Golden Gate', limit: 5 })).passages).toHaveLength(1);
  });

  it('takes no path where an address is asked for, and says when YouTube does not answer', async () => {
    const { client } = await scene.open();
    for (const address of [join(folder, 'bridge.txt'), `file://${folder}`, 'https://example.com/video'])
      await expect(all(client.addAddress({ address }))).rejects.toMatchObject({ code: 'invalid-input' });
    const [video] = documentsOf(await all(client.addAddress({ address: 'https://youtu.be/dQw4w9WgXcQ' })));
    expect(video).toMatchObject({ state: 'failed', kind: 'youtube', reason: expect.stringContaining('internet') });
  });

  it('knows no ticket that was not given', async () => {
    const { client } = await scene.open();
    const forged = all(client.addFiles({ tickets: ['A'.repeat(32) as never] }));
    await expect(forged).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('watching', () => {
  it('begins with everything, then tells what changes and what is removed', async () => {
    const { client } = await scene.open();
    const watch = client.watchLibrary({})[Symbol.asyncIterator]();
    expect((await watch.next()).value).toEqual({ type: 'reset', documents: [] });
    const [document] = documentsOf(await add(client, join(folder, 'bridge.txt')));
    const states: string[] = [];
    while (states.at(-1) !== 'ready') {
      const event = (await watch.next()).value as LibraryEvent;
      if (event.type === 'changed') states.push(event.document.state);
    }
    await client.removeDocument({ documentId: document!.id });
    expect((await watch.next()).value).toEqual({ type: 'removed', documentId: document!.id });
    await watch.return?.();
  });

  it('does not flood: progress comes at most ten times a second', async () => {
    let nowMs = 1_000_000;
    scene.outside.nowMs = () => nowMs;
    scene.outside.readFile = async (_source, { onProgress }) => {
      for (let step = 0; step <= 1000; step++) {
        nowMs += 1; // a thousand reports within a second
        onProgress?.(step / 1000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return { type: 'failed', kind: 'text', reason: 'no-text', detail: '' };
    };
    const { client } = await scene.open();
    const watch = client.watchLibrary({})[Symbol.asyncIterator]();
    await watch.next();
    const adding = add(client, join(folder, 'bridge.txt'));
    let numReading = 0;
    for (let last = ''; last !== 'no-text'; ) {
      const event = (await watch.next()).value as LibraryEvent;
      if (event.type !== 'changed') continue;
      last = event.document.state;
      if (last === 'reading') numReading += 1;
    }
    await adding;
    await watch.return?.();
    expect(numReading).toBeGreaterThan(1);
    expect(numReading).toBeLessThanOrEqual(12);
  });
});

describe('removing', () => {
  it('takes a document out of search and reading', async () => {
    const { client } = await scene.open();
    const documents = documentsOf(await add(client, folder));
    const bridge = documents.find(({ source }) => source === 'bridge.txt')!;
    await client.removeDocument({ documentId: bridge.id });
    expect((await client.search({ question: 'Golden Gate', limit: 5 })).passages).toEqual([]);
    const read = client.readDocument({ documentId: bridge.id, fromPassage: 0, numPassages: 10 });
    await expect(read).rejects.toMatchObject({ code: 'not-found' });
    await expect(client.removeDocument({ documentId: bridge.id })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('stops the reading of a document that is removed while it is read', async () => {
    let aborted = false;
    let started = (): void => {};
    const reading = new Promise<void>((resolve) => {
      started = resolve;
    });
    scene.outside.readFile = (_source, { signal }) =>
      new Promise((resolve) => {
        started();
        signal.addEventListener('abort', () => {
          aborted = true;
          resolve({ type: 'failed', kind: 'text', reason: 'crashed', detail: 'stopped' });
        });
      });
    const { app, client } = await scene.open();
    const adding = add(client, join(folder, 'bridge.txt'));
    await reading;
    const [document] = app.library.list();
    await client.removeDocument({ documentId: document!.id });
    expect(aborted).toBe(true);
    expect(summaryOf(await adding)).toEqual({ numReady: 0, numFailed: 1 });
    expect(app.library.list()).toEqual([]);
  });
});

describe('a restart', () => {
  it('finds everything again, and goes on with what was not done', async () => {
    const never = new Promise<never>(() => {});
    const { readFile } = scene.outside;
    scene.outside.readFile = (source, options) =>
      source.name === 'tower.md'
        ? Promise.race([
            never,
            new Promise<never>((_resolve, reject) =>
              options.signal.addEventListener('abort', () => reject(new Error('stopped'))),
            ),
          ])
        : readFile(source, options);
    const first = await scene.open();
    const adding = first.client.addFiles({ tickets: [scene.ticket(folder) as never] });
    for await (const event of adding) if (event.type === 'document') break; // the bridge is in, the tower never ends
    await first.app.close();

    scene.outside.readFile = readFile;
    const second = await scene.open();
    await second.app.idle();
    expect(
      second.app.library
        .list()
        .map(({ source, state }) => [source, state])
        .sort(),
    ).toEqual([
      ['bridge.txt', 'ready'],
      ['tower.md', 'ready'],
    ]);
    expect((await second.client.search({ question: 'Eiffel', limit: 5 })).passages).toHaveLength(1);
  });

  it('lets nobody else in while a profile is open', async () => {
    await scene.open();
    await expect(scene.open()).rejects.toMatchObject({ code: 'busy' });
  });
});

describe('reading', () => {
  it('gives the stored text in order, and the bytes of the original', async () => {
    const path = join(folder, 'long.txt');
    const text = Array.from({ length: 400 }, (_, index) => `Sentence number ${index} stands here on its own.`).join(
      ' ',
    );
    await writeFile(path, text);
    const { client } = await scene.open();
    const [document] = documentsOf(await add(client, path));
    const { passages, numPassages } = await client.readDocument({
      documentId: document!.id,
      fromPassage: 0,
      numPassages: 500,
    });
    expect(passages).toHaveLength(numPassages);
    expect(numPassages).toBeGreaterThan(3);
    for (const passage of passages) expect(text).toContain(passage.text.slice(0, 40));
    const pieces = await all(client.readOriginal({ documentId: document!.id }));
    expect(Buffer.concat(pieces.map(({ base64 }) => Buffer.from(base64, 'base64'))).toString()).toBe(text);
    await rm(path);
    await expect(all(client.readOriginal({ documentId: document!.id }))).rejects.toMatchObject({ code: 'not-found' });
  });
});
