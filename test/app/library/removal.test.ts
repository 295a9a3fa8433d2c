import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../../app/contract/contract.ts';
import { documentProblem } from '../../../app/contract/types.ts';
import { videoRefusals } from '../../../ingest/reasons.ts';
import { failureReasons } from '../../../ingest/source.ts';
import { storeUpload } from '../../../main/loopback/upload.ts';
import { all, createScene, documentsOf, type Scene, summaryOf } from '../outside.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await createScene();
});
afterEach(() => scene.remove());

type Client = Awaited<ReturnType<Scene['open']>>['client'];
const add = async (client: Client, ...paths: string[]) =>
  documentsOf(await all(client.addFiles({ tickets: paths.map((path) => scene.ticket(path) as never) })));

async function write(name: string, text: string): Promise<string> {
  const path = join(scene.files, name);
  await writeFile(path, text);
  return path;
}

/** A file as it comes through a browser. */
const send = (name: string, text: string): Promise<string> =>
  storeUpload(join(scene.outside.profileFolder, 'dropped'), name, Buffer.byteLength(text), Readable.from([text]));

/** Every file of the profile whose bytes hold the word. */
async function holders(word: string): Promise<string[]> {
  const entries = await readdir(scene.outside.profileFolder, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name), 'latin1');
    if (bytes.toLowerCase().includes(word)) found.push(entry.name);
  }
  return found;
}

describe('removing', () => {
  it('takes the copy of a file that came through a browser with it, and says what it freed', async () => {
    const { app, client } = await scene.open();
    const text = 'Zyxwvutania is our secret, and nobody else knows.';
    const [document] = await add(client, await send('secret.txt', text));
    const details = await client.describeDocument({ documentId: document!.id });
    expect(details).toMatchObject({ isCopy: true, isThere: true, folderName: null });
    expect(details.storedBytes).toBeGreaterThanOrEqual(2 * text.length);
    expect((await client.describeLibrary({})).copiesBytes).toBe(text.length);
    expect(await holders('zyxwvutania')).not.toEqual([]);
    const events = await all(client.removeDocuments({ documentIds: [document!.id] }));
    expect(events).toEqual([
      { type: 'removed', documentId: document!.id },
      { type: 'summary', numDocuments: 1, numPassages: 1, freedBytes: details.storedBytes },
    ]);
    await app.idle();
    expect(await holders('zyxwvutania')).toEqual([]);
    expect(await readdir(join(scene.outside.profileFolder, 'dropped'))).toEqual([]);
    expect((await client.describeLibrary({})).copiesBytes).toBe(0);
  });

  it('leaves the person’s own file where it is, and the same bytes under another name', async () => {
    const { client } = await scene.open();
    const own = await write('own.txt', 'The mill is old.');
    const first = await send('a.txt', 'The mill is new.');
    const second = await send('b.txt', 'The mill is new.');
    const documents = await add(client, own, first, second);
    const idOf = (name: string) => documents.find(({ source }) => source === name)!.id;
    await all(client.removeDocuments({ documentIds: [idOf('own.txt'), idOf('a.txt')] }));
    expect(await readFile(own, 'utf8')).toBe('The mill is old.');
    expect(await readFile(second, 'utf8')).toBe('The mill is new.');
    expect((await client.search({ question: 'mill', limit: 9 })).passages.map(({ source }) => source)).toEqual([
      'b.txt',
    ]);
  });

  it('takes the document’s words and name out of every saved answer and every scope', async () => {
    const { app, client } = await scene.open();
    const [document] = await add(client, await write('zyxwvutania.txt', 'Qwertzland had 12,000 mills in 1937.'));
    const place = { type: 'document' as const, documentId: document!.id, name: document!.title };
    const scope = { places: [place], kinds: [], changedFromMs: null, changedBeforeMs: null };
    const events: AskEvent[] = await all(client.ask({ question: 'How many mills in 1937?', chatId: null, scope }));
    const { chatId } = events.find((event) => event.type === 'started')!;
    const details = await client.describeDocument({ documentId: document!.id });
    expect(details.citedIn).toMatchObject([{ chatId, question: 'How many mills in 1937?' }]);
    await all(client.removeDocuments({ documentIds: [document!.id] }));
    await app.idle();
    expect(await holders('qwertzland')).toEqual([]);
    expect(await holders('zyxwvutania')).toEqual([]);
    const [turn] = (await client.readChat({ chatId })).turns;
    expect(turn!.scope!.places).toEqual([{ ...place, name: 'Removed document' }]);
  });

  it('of many goes on over those that are gone, and ends where its caller leaves', async () => {
    const { app, client } = await scene.open();
    const paths = await Promise.all(['a', 'b', 'c', 'd'].map((name) => write(`${name}.txt`, `The mill ${name}.`)));
    const ids = (await add(client, ...paths)).map(({ id }) => id);
    await client.removeDocument({ documentId: ids[0]! });
    const events = await all(client.removeDocuments({ documentIds: ids.slice(0, 2) }));
    expect(events.at(-1)).toMatchObject({ type: 'summary', numDocuments: 1 });
    for await (const event of client.removeDocuments({ documentIds: ids.slice(2) })) {
      expect(event).toEqual({ type: 'removed', documentId: ids[2] });
      break;
    }
    await app.idle();
    expect(app.library.list().length).toBeLessThanOrEqual(1);
  });
});

describe('reading anew', () => {
  it('reads also what has not changed, if that is wanted; the id stays', async () => {
    let numRead = 0;
    const { readFile: read } = scene.outside;
    scene.outside.readFile = (source, options) => {
      numRead += 1;
      return read(source, options);
    };
    const { client } = await scene.open();
    const [document] = await add(client, await write('a.txt', 'The mill is old.'));
    expect(numRead).toBe(1);
    await all(client.retryDocuments({ documentIds: [document!.id] }));
    expect(numRead).toBe(1);
    const events = await all(client.retryDocuments({ documentIds: [document!.id], anew: true }));
    expect(numRead).toBe(2);
    expect(summaryOf(events)).toEqual({ numReady: 1, numFailed: 0 });
    expect(documentsOf(events)[0]!.id).toBe(document!.id);
    expect((await client.search({ question: 'mill', limit: 3 })).passages).toHaveLength(1);
  });

  it('of a document whose file is gone keeps its text and says so', async () => {
    const { client } = await scene.open();
    const path = await write('a.txt', 'The mill is old.');
    const [document] = await add(client, path);
    await import('node:fs/promises').then(({ rm }) => rm(path));
    await expect(all(client.retryDocuments({ documentIds: [document!.id], anew: true }))).rejects.toMatchObject({
      code: 'not-found',
    });
    expect((await client.describeDocument({ documentId: document!.id })).isThere).toBe(false);
    expect((await client.search({ question: 'mill', limit: 3 })).passages).toHaveLength(1);
  });

  it('of all that failed takes those whose files are mended by now', async () => {
    const { client } = await scene.open();
    const paths = [await write('a.txt', ''), await write('b.txt', '')];
    const documents = await add(client, ...paths);
    expect(documents.map(({ problem }) => problem)).toEqual(['empty', 'empty']);
    await write('a.txt', 'The mill is old.');
    const events = await all(client.retryDocuments({ documentIds: documents.map(({ id }) => id) }));
    expect(summaryOf(events)).toEqual({ numReady: 1, numFailed: 1 });
    expect(documentsOf(events).find(({ source }) => source === 'a.txt')).toMatchObject({ problem: null });
  });
});

describe('a document’s details', () => {
  it('say where it lies, what it is written in and what is kept of it', async () => {
    const { client } = await scene.open();
    const folder = join(scene.files, 'work', 'Verträge');
    await mkdir(folder, { recursive: true });
    const text = 'Le moulin de la ville est fermé depuis que le pont a été construit par les ouvriers dans la vallée.';
    await writeFile(join(folder, 'moulin.txt'), text);
    const [document] = await add(client, join(folder, 'moulin.txt'));
    const details = await client.describeDocument({ documentId: document!.id });
    expect(details).toMatchObject({
      language: 'fr',
      folderName: 'work › Verträge',
      isThere: true,
      isCopy: false,
      numVectors: 0,
      citedIn: [],
    });
    expect(details.storedBytes).toBeGreaterThan(text.length);
    expect(JSON.stringify(details)).not.toContain(scene.files);
    const { folders } = await client.listPlaces({});
    expect(folders.find(({ folder: key }) => key === details.document.folder)).toMatchObject({ numDocuments: 1 });
  });

  it('name every reason that a document can fail for', () => {
    const named = new Set<string>(documentProblem.options);
    expect([...failureReasons, ...Object.keys(videoRefusals)].filter((reason) => !named.has(reason))).toEqual([]);
    expect(named.size).toBe(failureReasons.length + Object.keys(videoRefusals).length);
  });
});
