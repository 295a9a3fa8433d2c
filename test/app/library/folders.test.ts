import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LibraryEvent } from '../../../app/contract/contract.ts';
import type { DocumentSummary, WatchedFolder } from '../../../app/contract/types.ts';
import type { FolderOptions } from '../../../app/library/folders.ts';
import type { AppKit } from '../../../app/models/kit.ts';
import { createSmallNative } from '../../fakes/small-native.ts';
import { embedAllByHash } from '../../ingest/hashing-embedder.ts';
import { all, createScene, documentsOf, noModels, type Scene } from '../outside.ts';

let scene: Scene;
let folder: string;
let numRead: number;
const timing: FolderOptions = { quietMs: 50, lookAgainMs: 50, recheckMs: 100, forgetAfterMs: 200 };

beforeEach(async () => {
  scene = await createScene();
  const { readFile } = scene.outside;
  numRead = 0;
  scene.outside.readFile = (source, options) => {
    numRead += 1;
    return readFile(source, options);
  };
  folder = await mkdtemp(join(scene.files, '山田 太郎 '));
  await mkdir(join(folder, 'deep'));
  await writeFile(join(folder, 'bridge.txt'), 'The Golden Gate Bridge opened in 1937. It spans 1280 metres.');
  await writeFile(join(folder, 'deep', 'tower.md'), '# Tower\n\nThe Eiffel Tower was built in 1889 in Paris.');
});
afterEach(() => scene.remove());

type Opened = Awaited<ReturnType<typeof openApp>>;

async function openApp(options: FolderOptions = timing, kit: AppKit = noModels) {
  const { app, client, disconnect } = await scene.open({ folders: options, kit });
  const documents = new Map<string, DocumentSummary>();
  const checks = new Set<() => void>();
  let folders: WatchedFolder[] = [];
  const apply = (event: LibraryEvent): void => {
    if (event.type === 'changed') documents.set(event.document.id, event.document);
    else if (event.type === 'removed') documents.delete(event.documentId);
    else for (const document of event.documents) documents.set(document.id, document);
  };
  const look = (): void => {
    for (const check of checks) check();
  };
  void (async () => {
    for await (const event of client.watchLibrary({})) {
      apply(event);
      look();
    }
  })().catch(() => {});
  void (async () => {
    for await (const event of client.watchFolders({})) {
      folders = event.folders;
      look();
    }
  })().catch(() => {});
  return {
    app,
    client,
    documents,
    folders: () => folders,
    add: (path = folder) => all(client.addFiles({ tickets: [scene.ticket(path) as never], watch: true })),
    /** Waits on what the library tells until this holds. */
    until: (holds: () => boolean) =>
      new Promise<void>((resolve) => {
        const check = (): void => {
          if (!holds()) return;
          checks.delete(check);
          resolve();
        };
        checks.add(check);
        check();
      }),
    bySource: (source: string) => [...documents.values()].find((document) => document.source === source),
    isReady: (source: string) => [...documents.values()].some((one) => one.source === source && one.state === 'ready'),
    found: async (question: string) =>
      (await client.search({ question, limit: 5 })).passages.map((passage) => passage.source),
    passageIds: async (document: DocumentSummary) =>
      (await client.readDocument({ documentId: document.id, fromPassage: 0, numPassages: 9 })).passages.map(
        (passage) => passage.passageId,
      ),
    async close() {
      disconnect();
      await app.close();
    },
  };
}

async function opened(): Promise<Opened> {
  const app = await openApp();
  await app.add();
  return app;
}

describe('a watched folder', () => {
  it('is listed with its state and counts, and no path of it crosses the border', async () => {
    const { client, folders, until, add } = await openApp();
    const events = await add();
    expect(documentsOf(events)).toHaveLength(2);
    await until(() => folders()[0]?.state === 'watching' && folders()[0]?.numReady === 2);
    expect(folders()).toMatchObject([{ numDocuments: 2, numReady: 2, numWorking: 0, reason: null }]);
    expect(folders()[0]!.name).toMatch(/ › 山田 太郎 /);
    expect(JSON.stringify([events, folders()])).not.toContain(scene.files);
    // Added again: the same folder.
    await all(client.addFiles({ tickets: [scene.ticket(folder) as never], watch: true }));
    expect(folders()).toHaveLength(1);
    expect(numRead).toBe(2);
  });

  it('is only one where one lies in another', async () => {
    const { app, add } = await openApp();
    await add(join(folder, 'deep'));
    expect(app.library.listFolders()).toHaveLength(1);
    await add(folder);
    expect(app.library.listFolders().map(({ path }) => path)).toEqual([folder]);
    await add(join(folder, 'deep'));
    expect(app.library.listFolders().map(({ path }) => path)).toEqual([folder]);
    expect(numRead).toBe(2);
  });

  it('brings a new file, a changed file and a new folder into the search', async () => {
    const { until, isReady, found, documents, bySource } = await opened();
    await writeFile(join(folder, '運河.txt'), 'The Suez Canal joins two seas.');
    await until(() => isReady('運河.txt'));
    expect(await found('Suez')).toEqual(['運河.txt']);

    const { id } = bySource('bridge.txt')!;
    await writeFile(join(folder, 'bridge.txt'), 'The bridge is closed for repairs until further notice, they say.');
    await until(() => documents.get(id as never)!.sizeBytes === 64 && isReady('bridge.txt'));
    expect(await found('repairs')).toEqual(['bridge.txt']);
    expect(await found('1937')).toEqual([]);

    await mkdir(join(folder, 'new', 'deeper'), { recursive: true });
    await writeFile(join(folder, 'new', 'deeper', 'dam.txt'), 'The Hoover Dam holds back Lake Mead.');
    await until(() => isReady('dam.txt'));
    expect(await found('Hoover')).toEqual(['dam.txt']);
  });

  it('never cites a file that is deleted: it leaves the search, then the library', async () => {
    const { until, found, bySource, app } = await opened();
    await rm(join(folder, 'bridge.txt'));
    await until(() => bySource('bridge.txt')?.state !== 'ready');
    expect(await found('Golden Gate')).toEqual([]);
    await until(() => bySource('bridge.txt') === undefined);
    expect(app.library.list().map(({ source }) => source)).toEqual(['tower.md']);
    await rm(join(folder, 'deep'), { recursive: true });
    await until(() => bySource('tower.md') === undefined);
    expect(app.library.list()).toEqual([]);
  });

  it('knows a file by its bytes where it is renamed or moved: nothing is read again', async () => {
    const { until, found, bySource, isReady, passageIds, app } = await opened();
    const before = bySource('bridge.txt')!;
    const ids = await passageIds(before);
    await rename(join(folder, 'bridge.txt'), join(folder, 'deep', '橋.txt'));
    await until(() => isReady('橋.txt'));
    const after = bySource('橋.txt')!;
    expect(after).toMatchObject({ id: before.id, title: '橋', numPassages: before.numPassages });
    expect(await passageIds(after)).toEqual(ids);
    expect(await found('Golden Gate')).toEqual(['橋.txt']);

    await rename(join(folder, 'deep'), join(folder, 'deeply'));
    await until(() => app.library.list().every(({ state }) => state === 'ready'));
    await app.idle();
    expect(bySource('tower.md')).toMatchObject({ title: 'Tower', state: 'ready' });
    expect(bySource('橋.txt')!.id).toBe(before.id);
    expect(numRead).toBe(2);
    expect(app.library.list()).toHaveLength(2);
  });

  it('knows a file that turns up in another watched folder, also some time after it went', async () => {
    const { until, bySource, isReady, add } = await openApp({ ...timing, forgetAfterMs: 60_000 });
    const other = join(scene.files, 'other');
    await mkdir(other);
    await add();
    await add(other);
    const { id } = bySource('bridge.txt')!;
    const aside = join(scene.files, 'aside.txt');
    await rename(join(folder, 'bridge.txt'), aside);
    await until(() => bySource('bridge.txt')?.state === 'failed');
    await rename(aside, join(other, 'found again.txt'));
    await until(() => isReady('found again.txt'));
    expect(bySource('found again.txt')!.id).toBe(id);
    expect(numRead).toBe(2);
  });

  it('takes a copy for a document of its own', async () => {
    const { until, isReady, bySource } = await opened();
    await writeFile(join(folder, 'copy.txt'), 'The Golden Gate Bridge opened in 1937. It spans 1280 metres.');
    await until(() => isReady('copy.txt'));
    expect(bySource('copy.txt')!.id).not.toBe(bySource('bridge.txt')!.id);
    expect(bySource('bridge.txt')!.state).toBe('ready');
  });

  it('follows editors that write beside the file and rename over it', async () => {
    const { until, bySource, found, app } = await opened();
    const { id } = bySource('bridge.txt')!;
    for (let round = 0; round < 5; round++) {
      await writeFile(join(folder, 'bridge.txt.tmp'), `Round ${round}: the bridge was painted in orange vermilion.`);
      await rename(join(folder, 'bridge.txt.tmp'), join(folder, 'bridge.txt'));
    }
    await until(() => bySource('bridge.txt')?.state === 'ready' && bySource('bridge.txt')?.sizeBytes === 52);
    await app.idle();
    expect(bySource('bridge.txt')!.id).toBe(id);
    expect(await found('vermilion')).toEqual(['bridge.txt']);
    expect((await found('1937')).length).toBe(0);
    expect(app.library.list()).toHaveLength(2);
    // Five saves in a row are one change, or few.
    expect(numRead).toBeLessThanOrEqual(2 + 5);
  });

  it('passes over what is hidden, unfinished or made by programs, and links that lead out or in circles', async () => {
    const { until, isReady, app } = await opened();
    const outside = join(scene.files, 'outside.txt');
    await writeFile(outside, 'This lies outside of the folder.');
    for (const name of ['.hidden.txt', '~$report.docx', 'draft.tmp', 'film.txt.part', 'notes.txt~'])
      await writeFile(join(folder, name), 'Not for the library.');
    for (const name of ['node_modules', '.git', '__pycache__']) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'readme.txt'), 'Not for the library.');
    }
    await symlink(folder, join(folder, 'deep', 'loop'), 'junction');
    await symlink(outside, join(folder, 'out.txt'));
    await writeFile(join(folder, 'last.txt'), 'The last one.');
    await until(() => isReady('last.txt'));
    await app.idle();
    const names = app.library.list().filter(({ state }) => state === 'ready');
    expect(names.map(({ source }) => source).sort()).toEqual(['bridge.txt', 'last.txt', 'tower.md']);
  });

  it('finds at the next start what changed while Quoth was closed, and reads nothing else', async () => {
    const first = await opened();
    const { id } = first.bySource('bridge.txt')!;
    await first.close();
    await rename(join(folder, 'bridge.txt'), join(folder, 'a new name.txt'));
    await rm(join(folder, 'deep', 'tower.md'));
    await writeFile(join(folder, 'deep', 'well.txt'), 'The well is forty metres deep.');
    expect(numRead).toBe(2);
    const { until, isReady, bySource, found, documents } = await openApp();
    await until(() => isReady('well.txt') && isReady('a new name.txt') && documents.size === 2);
    expect(bySource('a new name.txt')!.id).toBe(id);
    expect(await found('Eiffel')).toEqual([]);
    expect(numRead).toBe(3);
  });

  it('does not cite a deleted file even where nobody watches: a command that only searches', async () => {
    const first = await opened();
    await first.close();
    await rm(join(folder, 'bridge.txt'));
    await writeFile(join(folder, 'deep', 'other.txt'), 'Another Golden Gate is a strait.');
    const { client } = await scene.open({ resume: false });
    expect((await client.search({ question: 'Golden Gate', limit: 5 })).passages).toEqual([]);
    expect((await client.search({ question: 'Eiffel', limit: 5 })).passages).toHaveLength(1);
  });

  it('embeds nothing again for a rename: the vectors stay', async () => {
    const model = join(scene.outside.modelsFolder, 'tiny');
    await mkdir(model, { recursive: true });
    await writeFile(join(model, 'plan.quoth'), 'plan');
    const manifest = { id: 'tiny', planBytes: 4, planSha256: '0'.repeat(64), sources: [], installedAtMs: 1 };
    await writeFile(join(model, 'manifest.json'), JSON.stringify(manifest));
    let numEmbedded = 0;
    const kit = {
      ...noModels,
      offers: [
        {
          id: 'tiny',
          name: 'Tiny',
          role: 'embedder' as const,
          licence: '',
          planBytes: 4,
          note: '',
          checkpoint: null,
          files: [],
        },
      ],
      openEmbedder: async () => ({
        id: 'tiny',
        dimension: 64,
        maxTokens: 256,
        countTokens: (text: string) => text.length / 4,
        async embed(texts: readonly string[]) {
          numEmbedded += texts.length;
          return embedAllByHash([...texts]);
        },
      }),
    };
    scene.outside.native = createSmallNative();
    const { app, until, isReady, bySource, passageIds, add } = await openApp(timing, kit);
    await add();
    await app.idle();
    expect(numEmbedded).toBe(2);
    const ids = await passageIds(bySource('bridge.txt')!);
    await rename(join(folder, 'bridge.txt'), join(folder, 'renamed.txt'));
    await until(() => isReady('renamed.txt'));
    await app.idle();
    expect(numEmbedded).toBe(2);
    expect(await passageIds(bySource('renamed.txt')!)).toEqual(ids);
    await writeFile(join(folder, 'new.txt'), 'One more.');
    await until(() => isReady('new.txt'));
    expect(numEmbedded).toBe(3);
  });

  it('keeps all documents while the folder itself is away, says so, and goes on when it is back', async () => {
    const { until, folders, found, app, isReady } = await opened();
    const away = join(scene.files, 'away');
    await rename(folder, away);
    await until(() => folders()[0]?.state === 'unreachable');
    expect(folders()[0]!.reason).toContain('stay');
    expect(app.library.list().map(({ state }) => state)).toEqual(['ready', 'ready']);
    expect(await found('Golden Gate')).toEqual(['bridge.txt']);
    await writeFile(join(away, 'meanwhile.txt'), 'Written while the drive was away.');
    await rename(away, folder);
    await until(() => isReady('meanwhile.txt') && folders()[0]?.state === 'watching');
    expect(numRead).toBe(3);
    await rm(join(folder, 'meanwhile.txt'));
    await until(() => app.library.list().length === 2);
  });

  it('keeps all documents when an empty folder stands in its place: a mount point whose drive is away', async () => {
    const first = await opened();
    await first.close();
    await rename(folder, join(scene.files, 'away'));
    await mkdir(folder);
    const { until, folders, app } = await openApp();
    await until(() => folders()[0]?.state === 'unreachable');
    expect(app.library.list().map(({ state }) => state)).toEqual(['ready', 'ready']);
  });

  it('forgets all documents when the person empties it', async () => {
    const { until, folders, app } = await opened();
    await rm(join(folder, 'bridge.txt'));
    await rm(join(folder, 'deep'), { recursive: true });
    await until(() => app.library.list().length === 0);
    expect(folders()[0]!.state).toBe('watching');
  });

  it('rests while it is paused, also over a start, and catches up when it is resumed', async () => {
    const first = await opened();
    const { id } = first.app.library.listFolders()[0]!;
    await first.client.pauseFolder({ folderId: id });
    await first.until(() => first.folders()[0]?.state === 'paused');
    await writeFile(join(folder, 'later.txt'), 'Written while it was paused.');
    await first.close();
    const { client, until, folders, app, isReady } = await openApp();
    await app.idle();
    expect(folders()[0]?.state ?? 'paused').toBe('paused');
    expect(app.library.list()).toHaveLength(2);
    await client.resumeFolder({ folderId: id });
    await until(() => isReady('later.txt'));
    expect(numRead).toBe(3);
  });

  it('is forgotten with its documents or without them; the files stay', async () => {
    const { client, until, folders, app, add } = await opened();
    await client.removeFolder({ folderId: folders()[0]!.id, keepDocuments: true });
    await until(() => folders().length === 0);
    expect(app.library.list()).toHaveLength(2);
    await add();
    await client.removeFolder({ folderId: app.library.listFolders()[0]!.id, keepDocuments: false });
    expect(app.library.list()).toEqual([]);
    expect(app.library.listFolders()).toEqual([]);
    await expect(client.pauseFolder({ folderId: `folder_${'0'.repeat(16)}` as never })).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it('takes as many files as it may, and says that there are more', async () => {
    for (let file = 0; file < 5; file++) await writeFile(join(folder, `f${file}.txt`), `File number ${file}.`);
    const { until, folders, add, app } = await openApp({ ...timing, maxFiles: 4 });
    await add();
    await until(() => folders()[0]?.state === 'too-many');
    expect(folders()[0]!.reason).toBe(
      'This folder holds more than 4 files, and the others were not read. Watch smaller folders inside of it instead.',
    );
    expect(app.library.list()).toHaveLength(4);
  });

  it('is looked through again and again where the system tells of no changes', async () => {
    scene.outside.watchFolder = (_folder, { onFailed }) => {
      queueMicrotask(() => onFailed(new Error('ENOSPC')));
      return { ready: Promise.resolve(), close: async () => {} };
    };
    const { until, folders, isReady, add } = await openApp();
    await add();
    await until(() => folders()[0]?.state === 'looking');
    await writeFile(join(folder, 'quietly.txt'), 'Nobody told of this one.');
    await until(() => isReady('quietly.txt'));
  });
});
