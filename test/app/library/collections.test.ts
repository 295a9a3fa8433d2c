import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../../app/contract/contract.ts';
import type { Collection, CollectionId, Scope } from '../../../app/contract/types.ts';
import { all, createScene, documentsOf, type Scene } from '../outside.ts';

let scene: Scene;
let contracts: string;

beforeEach(async () => {
  scene = await createScene();
  contracts = join(scene.files, 'contracts 契約');
  await mkdir(contracts, { recursive: true });
  await writeFile(join(contracts, 'lease.txt'), 'The lease of the mill ends in March 2027.');
  await writeFile(join(scene.files, 'bridge.txt'), 'The bridge of the mill opened in 1937.');
  await writeFile(join(scene.files, 'tower.txt'), 'The tower of the mill was built in 1889.');
});
afterEach(() => scene.remove());

type Client = Awaited<ReturnType<Scene['open']>>['client'];

async function addAll(client: Client, paths: string[], watch = false) {
  const tickets = paths.map((path) => scene.ticket(path) as never);
  const documents = documentsOf(await all(client.addFiles({ tickets, watch })));
  return Object.fromEntries(documents.map((document) => [document.source, document.id]));
}

async function collectionsOf(client: Client): Promise<Collection[]> {
  for await (const { collections } of client.watchCollections({})) return collections;
  return [];
}

const within = (id: CollectionId): Scope => ({
  places: [{ type: 'collection', collectionId: id, name: 'x' }],
  kinds: [],
  changedFromMs: null,
  changedBeforeMs: null,
});

async function foundIn(client: Client, scope: Scope): Promise<string[]> {
  const { passages } = await client.search({ question: 'mill', limit: 10, scope });
  return passages.map(({ source }) => source).sort();
}

async function sourcesOf(client: Client, id: CollectionId): Promise<string[]> {
  for await (const event of client.watchLibrary({}))
    if (event.type === 'reset')
      return event.documents
        .filter(({ collections }) => collections.includes(id))
        .map(({ source }) => source)
        .sort();
  return [];
}

describe('a collection', () => {
  it('holds the documents that are put into it, and a question in it finds only those', async () => {
    const { client } = await scene.open();
    const ids = await addAll(client, [scene.files]);
    const { collectionId } = await client.createCollection({ name: 'Old things', documentIds: [ids['bridge.txt']!] });
    const { collectionId: other } = await client.createCollection({ name: 'Empty' });
    await client.addToCollection({ collectionId, documentIds: [ids['tower.txt']!, ids['bridge.txt']!] });
    expect(await collectionsOf(client)).toMatchObject([
      { name: 'Empty', numDocuments: 0 },
      { name: 'Old things', numDocuments: 2, numReady: 2 },
    ]);
    expect(await foundIn(client, within(collectionId))).toEqual(['bridge.txt', 'tower.txt']);
    expect(await foundIn(client, within(other))).toEqual([]);
    // A document may be in several.
    await client.addToCollection({ collectionId: other, documentIds: [ids['tower.txt']!] });
    expect(await foundIn(client, within(other))).toEqual(['tower.txt']);
    await client.takeFromCollection({ collectionId, documentIds: [ids['tower.txt']!] });
    expect(await foundIn(client, within(collectionId))).toEqual(['bridge.txt']);
    expect(await foundIn(client, within(other))).toEqual(['tower.txt']);
  });

  it('holds all of a folder that is in it, the later files too, and those of no folder whose name only begins so', async () => {
    const { client, app } = await scene.open();
    await addAll(client, [contracts], true);
    const [{ place } = { place: null }] = app.library.listFolders();
    const { collectionId } = await client.createCollection({ name: 'Contracts', folders: [place!] });
    expect(await foundIn(client, within(collectionId))).toEqual(['lease.txt']);
    await writeFile(join(contracts, 'deed.txt'), 'The deed of the mill is of 1901.');
    await mkdir(`${contracts} 2`);
    await writeFile(join(`${contracts} 2`, 'other.txt'), 'Another mill.');
    await addAll(client, [join(contracts, 'deed.txt'), `${contracts} 2`]);
    expect(await foundIn(client, within(collectionId))).toEqual(['deed.txt', 'lease.txt']);
    expect(await sourcesOf(client, collectionId)).toEqual(['deed.txt', 'lease.txt']);
    const [collection] = await collectionsOf(client);
    expect(collection).toMatchObject({ numDocuments: 2, folders: [{ folder: place }] });
    expect(collection!.folders[0]!.name).toMatch(/› contracts 契約$/);
  });

  it('keeps a document that is in it with its folder, and says so', async () => {
    const { client, app } = await scene.open();
    const ids = await addAll(client, [contracts], true);
    const folders = [app.library.listFolders()[0]!.place];
    const documentIds = [ids['lease.txt']!];
    const { collectionId } = await client.createCollection({ name: 'Contracts', documentIds, folders });
    expect(await client.takeFromCollection({ collectionId, documentIds })).toEqual({ numKept: 1 });
    expect(await foundIn(client, within(collectionId))).toEqual(['lease.txt']);
    expect(await client.takeFromCollection({ collectionId, folders })).toEqual({ numKept: 0 });
    expect(await foundIn(client, within(collectionId))).toEqual([]);
  });

  it('is kept over a restart, with its folder when that is not watched any more', async () => {
    const first = await scene.open();
    await addAll(first.client, [contracts], true);
    const [folder] = first.app.library.listFolders();
    const { collectionId } = await first.client.createCollection({ name: 'Contracts', folders: [folder!.place] });
    await first.client.removeFolder({ folderId: folder!.id, keepDocuments: true });
    await first.app.close();
    const { client } = await scene.open();
    expect(await collectionsOf(client)).toMatchObject([{ id: collectionId, name: 'Contracts', numDocuments: 1 }]);
    expect(await foundIn(client, within(collectionId))).toEqual(['lease.txt']);
  });

  it('forgets the place of a folder that is removed with its documents', async () => {
    const { client, app } = await scene.open();
    await addAll(client, [contracts], true);
    const [folder] = app.library.listFolders();
    await client.createCollection({ name: 'Contracts', folders: [folder!.place] });
    await client.removeFolder({ folderId: folder!.id, keepDocuments: false });
    expect(await collectionsOf(client)).toMatchObject([{ numDocuments: 0, folders: [] }]);
  });

  it('has a name of its own: the same in other letters is refused, renaming to itself is not', async () => {
    const { client } = await scene.open();
    const { collectionId } = await client.createCollection({ name: 'Café' });
    await expect(client.createCollection({ name: ' CAFE\u0301 ' })).rejects.toMatchObject({ code: 'invalid-input' });
    await client.renameCollection({ collectionId, name: 'CAFÉ' });
    await client.createCollection({ name: 'Other' });
    await expect(client.renameCollection({ collectionId, name: 'other' })).rejects.toMatchObject({
      code: 'invalid-input',
    });
    expect((await collectionsOf(client)).map(({ name }) => name)).toEqual(['CAFÉ', 'Other']);
  });

  it('comes back as it was when its deletion is undone, under another name where its own is taken', async () => {
    const { client, app } = await scene.open();
    const ids = await addAll(client, [scene.files]);
    const documentIds = [ids['bridge.txt']!];
    const { collectionId } = await client.createCollection({ name: 'Mine', documentIds });
    await client.deleteCollection({ collectionId });
    expect(await collectionsOf(client)).toEqual([]);
    expect(await foundIn(client, within(collectionId))).toEqual([]);
    expect(await sourcesOf(client, collectionId)).toEqual([]);
    await client.createCollection({ name: 'Mine' });
    await client.restoreCollection({ collectionId });
    expect((await collectionsOf(client)).map(({ name }) => name)).toEqual(['Mine', 'Mine 2']);
    expect(await foundIn(client, within(collectionId))).toEqual(['bridge.txt']);
    await client.deleteCollection({ collectionId });
    await app.close();
    const again = await scene.open();
    await expect(again.client.restoreCollection({ collectionId })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('that is not there, and a folder that is not, are refused without a trace', async () => {
    const { client } = await scene.open();
    const collectionId = 'collection_0000000000000000' as CollectionId;
    for (const work of [
      () => client.addToCollection({ collectionId }),
      () => client.renameCollection({ collectionId, name: 'x' }),
      () => client.deleteCollection({ collectionId }),
      () => client.createCollection({ name: 'x', folders: ['place_0123456789abcdef' as never] }),
    ])
      await expect(work()).rejects.toMatchObject({ code: 'not-found' });
    expect(await collectionsOf(client)).toEqual([]);
  });

  it('is kept with the question that was asked in it, and read whole by a job', async () => {
    const { client, app } = await scene.open();
    const ids = await addAll(client, [scene.files]);
    const documentIds = [ids['bridge.txt']!, ids['tower.txt']!];
    const { collectionId } = await client.createCollection({ name: 'Old things', documentIds });
    const events: AskEvent[] = await all(
      client.ask({ question: 'What of the mill?', chatId: null, scope: within(collectionId) }),
    );
    const sources = events.find((event) => event.type === 'sources');
    expect(sources?.passages.map(({ source }) => source).sort()).toEqual(['bridge.txt', 'tower.txt']);
    const started = events.find((event) => event.type === 'started');
    const { turns } = await client.readChat({ chatId: started!.chatId });
    expect(turns[0]!.scope).toEqual(within(collectionId));
    const scope = { type: 'collection' as const, collectionId };
    const job = await client.startJob({ task: { type: 'mentions', words: 'mill', scope }, chatId: null });
    expect(job.question).toContain('Old things');
    await app.idle();
    const answer = (await client.readChat({ chatId: job.chatId })).turns[0]!.answer!;
    expect(answer.job!.coverage).toMatchObject({ numDocuments: 2, unread: [] });
    await rm(join(scene.files, 'tower.txt'));
  });

  it('tells its counts anew when a document of it is removed', async () => {
    const { client } = await scene.open();
    const ids = await addAll(client, [scene.files]);
    const documentIds = [ids['bridge.txt']!, ids['tower.txt']!];
    await client.createCollection({ name: 'Mine', documentIds });
    const told = (async () => {
      for await (const { collections } of client.watchCollections({}))
        if (collections[0]?.numDocuments === 1) return collections;
      return [];
    })();
    await client.removeDocument({ documentId: documentIds[0]! });
    expect(await told).toMatchObject([{ numDocuments: 1, numReady: 1 }]);
  });
});
