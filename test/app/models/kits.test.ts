/** Speech models and languages of scanned pages: fetched, checked, paused, moved and removed as models are, and built never. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QuothContract } from '../../../app/contract/contract.ts';
import type { Client } from '../../../app/contract/procedure.ts';
import type { ModelId, ModelsWork, Ticket } from '../../../app/contract/types.ts';
import type { AppKit } from '../../../app/models/kit.ts';
import type { Offer } from '../../../app/models/offer.ts';
import { offers } from '../../../app/models/offers.ts';
import { keptBytesOf, kits } from '../../../engines/catalogue.ts';
import type { RunOptions } from '../../../ingest/reader-process.ts';
import { archiveOf } from '../../fakes/package-archive.ts';
import { all, createScene, documentsOf, installed, noModels, type Scene } from '../outside.ts';

const words = randomBytes(8_000_000);
const ear = randomBytes(90_000);
const archives = new Map([
  ['/french', archiveOf(['old/fra.gz', randomBytes(5_000)], ['best/fra.gz', words])],
  ['/german', archiveOf(['best/deu.gz', Buffer.from('Wörter')])],
  ['/hearing', archiveOf(['config.json', Buffer.from('{}')], ['onnx/ear.onnx', ear])],
]);
const hash = (bytes: Buffer, algorithm: string, encoding: 'hex' | 'base64') =>
  createHash(algorithm).update(bytes).digest(encoding);

function offerOf(id: string, role: 'speech' | 'scan', archive: string, files: Record<string, [string, Buffer]>): Offer {
  const bytes = archives.get(`/${archive}`)!;
  const integrity = `sha512-${hash(bytes, 'sha512', 'base64')}`;
  const from = { type: 'npm' as const, package: archive, version: '1.0.0', sizeBytes: bytes.length, integrity };
  return {
    ...{ id, name: id, role, licence: 'MIT', note: '', checkpoint: null, languages: [id] },
    planBytes: Object.values(files).reduce((sum, [, content]) => sum + content.length, 0),
    files: Object.entries(files).map(([name, [member, content]]) => {
      return { name, sha256: hash(content, 'sha256', 'hex'), parts: [{ ...from, member: `package/${member}` }] };
    }),
  };
}

let scene: Scene;
let server: Server;
let kit: AppKit;
let asked: { path: string; range: string | undefined }[];
/** What is sent of an archive; null holds it back after its first megabyte until it is called. */
let change: (bytes: Buffer) => Buffer;
let hold: (() => void)[] | null;
let readWith: RunOptions[];

beforeEach(async () => {
  asked = [];
  readWith = [];
  change = (bytes) => bytes;
  hold = null;
  server = createServer((request, response) => {
    const { range } = request.headers;
    asked.push({ path: request.url!, range });
    const whole = change(Buffer.from(archives.get(request.url!)!));
    const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    const to = Number(/bytes=\d+-(\d+)/.exec(range ?? '')?.[1] ?? whole.length - 1) + 1;
    const rest = whole.subarray(from, to);
    const about = range ? { 'content-range': `bytes ${from}-${to - 1}/${whole.length}` } : {};
    response.writeHead(range ? 206 : 200, { 'content-length': rest.length, etag: '"1"', ...about });
    if (!hold) return void response.end(rest);
    response.write(rest.subarray(0, 1_200_000));
    hold.push(() => response.end(rest.subarray(1_200_000)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  scene = await createScene({
    fetch: globalThis.fetch,
    packageAddress: async (name) => `${origin}/${name}`,
    readFile: async (_source, options) => {
      readWith.push(options);
      return options.speech
        ? { type: 'failed', kind: 'recording', reason: 'damaged', detail: 'no sound' }
        : { type: 'failed', kind: 'recording', reason: 'no-speech-model', detail: 'none' };
    },
  });
  kit = {
    ...noModels,
    offers: [
      offerOf('scan-fra', 'scan', 'french', { 'fra.gz': ['best/fra.gz', words] }),
      offerOf('scan-deu', 'scan', 'german', { 'deu.gz': ['best/deu.gz', Buffer.from('Wörter')] }),
      offerOf('ear', 'speech', 'hearing', {
        'config.json': ['config.json', Buffer.from('{}')],
        'onnx/ear.onnx': ['onnx/ear.onnx', ear],
      }),
    ],
  };
});
afterEach(async () => {
  server.closeAllConnections();
  await scene.remove();
  server.close();
});

const folderOf = (id: string): string => join(scene.outside.modelsFolder, id);
const stateOf = async (client: Client<QuothContract>, id: string) =>
  (await client.listModels({})).models.find((model) => model.id === id)!;
async function until(client: Client<QuothContract>, wanted: (work: ModelsWork) => boolean): Promise<void> {
  for await (const work of client.watchInstalls({})) if (wanted(work)) return;
}
/** Adds a file and says what its reader was given. */
async function readsWith(client: Client<QuothContract>, name: string): Promise<RunOptions> {
  const path = join(scene.files, name);
  await writeFile(path, `ID3 ${name}`);
  await all(client.addFiles({ tickets: [scene.ticket(path) as Ticket] }));
  return readWith.at(-1)!;
}

describe('The catalogue of kits', () => {
  it('knows every file by its size and hash before it is fetched, and never builds one', () => {
    expect(kits.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['whisper-base', 'whisper-tiny', 'whisper-small', 'scan-fra', 'scan-jpn', 'scan-chi_sim']),
    );
    for (const entry of kits) {
      for (const file of entry.files) {
        expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(file.sizeBytes).toBeGreaterThan(0);
        expect(Buffer.from(file.archive.integrity.replace('sha512-', ''), 'base64')).toHaveLength(64);
      }
      const offer = offers.find(({ id }) => id === entry.id)!;
      expect(offer).toMatchObject({ role: entry.role, planBytes: keptBytesOf(entry), checkpoint: null });
      if (entry.role === 'scan') expect(entry.languages).toHaveLength(1);
    }
    expect(new Set(offers.map(({ id }) => id)).size).toBe(offers.length);
  });
});

describe('A kit', () => {
  it('is fetched, checked and kept as it is, and readers are let into its files alone', async () => {
    const { client } = await scene.open({ kit });
    expect(await readsWith(client, 'before.mp3')).toMatchObject({ scanFolders: [] });
    const steps = new Set((await installed(client, 'scan-fra')).map(({ step }) => step));
    expect(steps).not.toContain('build');
    expect((await readdir(folderOf('scan-fra'))).sort()).toEqual(['kit', 'manifest.json']);
    expect(Buffer.compare(await readFile(join(folderOf('scan-fra'), 'kit', 'fra.gz')), words)).toBe(0);
    expect(await stateOf(client, 'scan-fra')).toMatchObject({
      ...{ state: 'installed', inUse: true, planBytes: words.length, plan: null, fit: null, languages: ['scan-fra'] },
    });
    await installed(client, 'ear');
    expect(await readFile(join(folderOf('ear'), 'kit', 'onnx', 'ear.onnx'))).toEqual(ear);
    const { scanFolders, speech } = await readsWith(client, 'after.mp3');
    expect(scanFolders).toEqual([join(folderOf('scan-fra'), 'kit')]);
    expect(speech).toEqual({ folder: join(folderOf('ear'), 'kit') });
    // Connections are in the ledger by their host alone.
    const { connections } = await client.readLedger({ before: null, limit: 50 });
    expect(connections.filter(({ purpose }) => purpose === 'model').length).toBeGreaterThanOrEqual(2);
  });

  it('whose archive came damaged is fetched again from the beginning, and refused where it stays so', async () => {
    const { client } = await scene.open({ kit });
    change = (bytes) => {
      bytes[bytes.length >> 1]! ^= 1;
      return bytes;
    };
    await expect(installed(client, 'scan-fra')).rejects.toThrow('hash');
    expect(await stateOf(client, 'scan-fra')).toMatchObject({ state: 'available' });
    change = (bytes) => bytes;
    await installed(client, 'scan-fra');
    expect(await stateOf(client, 'scan-fra')).toMatchObject({ state: 'installed' });
  });

  it('one piece of which the disk changed while it was paused gets that piece again, and no other', async () => {
    const { client } = await scene.open({ kit });
    hold = [];
    await client.installModel({ modelId: 'scan-fra' as ModelId });
    await until(client, ({ installs: [one] }) => (one?.doneBytes ?? 0) >= 1_100_000);
    await client.pauseInstall({ modelId: 'scan-fra' as ModelId });
    await until(client, ({ installs: [one] }) => one?.state === 'paused');
    hold = null;
    const partial = join(folderOf('scan-fra'), 'download', 'part-1.partial');
    const kept = await readFile(partial);
    expect(kept.length).toBeGreaterThanOrEqual(1_100_000);
    kept[500_000]! ^= 1;
    await writeFile(partial, kept);
    asked = [];
    await installed(client, 'scan-fra');
    expect(asked[0]!.range).toBe(`bytes=${kept.length}-`);
    expect(asked.slice(1).map(({ range }) => range)).toContain(`bytes=0-${(1 << 20) - 1}`);
    expect(asked.every(({ range }) => range !== undefined)).toBe(true);
    expect(Buffer.compare(await readFile(join(folderOf('scan-fra'), 'kit', 'fra.gz')), words)).toBe(0);
  });

  it('is gone on with after a start where it was left', async () => {
    const first = await scene.open({ kit });
    hold = [];
    await first.client.installModel({ modelId: 'scan-fra' as ModelId });
    await until(first.client, ({ installs: [one] }) => (one?.doneBytes ?? 0) >= 1_100_000);
    await first.app.close();
    hold = null;
    const { client } = await scene.open({ kit });
    await installed(client, 'scan-fra', false);
    expect(await stateOf(client, 'scan-fra')).toMatchObject({ state: 'installed' });
    expect(asked.at(-1)!.range).toMatch(/^bytes=1\d+-$/);
  });

  it('is not fetched while Quoth is to stay offline', async () => {
    const { client } = await scene.open({ kit });
    await client.changeSettings({ offline: true });
    await expect(installed(client, 'scan-deu')).rejects.toThrow();
    expect(asked).toEqual([]);
  });

  it('that was removed can be brought back, and is gone from the disk later', async () => {
    const { app, client } = await scene.open({ kit });
    await installed(client, 'scan-deu');
    const { freedBytes } = await client.removeModel({ modelId: 'scan-deu' as ModelId });
    expect(freedBytes).toBeGreaterThanOrEqual(Buffer.byteLength('Wörter'));
    expect(await stateOf(client, 'scan-deu')).toMatchObject({ state: 'available', inUse: false });
    expect((await readsWith(client, 'a.mp3')).scanFolders).toEqual([]);
    await client.restoreModel({ modelId: 'scan-deu' as ModelId });
    expect(await stateOf(client, 'scan-deu')).toMatchObject({ state: 'installed', inUse: true });
    await client.removeModel({ modelId: 'scan-deu' as ModelId });
    await app.close();
    expect(existsSync(folderOf('scan-deu'))).toBe(false);
  });

  it('moves to another drive with the models, and is used there', async () => {
    const other = join(scene.files, 'other drive');
    await mkdir(other);
    const { client } = await scene.open({ kit });
    await installed(client, 'ear');
    await client.moveModels({ ticket: scene.ticket(other) as Ticket });
    await until(client, ({ folder }) => !folder.move);
    expect((await readsWith(client, 'b.mp3')).speech).toEqual({ folder: join(other, 'ear', 'kit') });
    expect(existsSync(folderOf('ear'))).toBe(false);
  });

  it('whose file is cut off or missing counts as broken, and is used by no reader', async () => {
    const { client } = await scene.open({ kit });
    await installed(client, 'ear');
    await writeFile(join(folderOf('ear'), 'kit', 'onnx', 'ear.onnx'), 'short');
    expect(await stateOf(client, 'ear')).toMatchObject({ state: 'broken', inUse: false });
    expect((await readsWith(client, 'c.mp3')).speech).toBeUndefined();
    await rm(join(folderOf('ear'), 'kit'), { recursive: true });
    expect(await stateOf(client, 'ear')).toMatchObject({ state: 'broken' });
    await installed(client, 'ear');
    expect(await stateOf(client, 'ear')).toMatchObject({ state: 'installed', inUse: true });
  });
});

describe('Languages of scanned pages', () => {
  it('are all used, but for those that are set aside', async () => {
    const { client } = await scene.open({ kit });
    await installed(client, 'scan-fra');
    await installed(client, 'scan-deu');
    const folders = async () => (await readsWith(client, `${randomBytes(4).toString('hex')}.mp3`)).scanFolders;
    expect(await folders()).toHaveLength(2);
    await client.useModel({ modelId: 'scan-fra' as ModelId, inUse: false });
    expect(await folders()).toEqual([join(folderOf('scan-deu'), 'kit')]);
    expect(await stateOf(client, 'scan-fra')).toMatchObject({ state: 'installed', inUse: false });
    await client.useModel({ modelId: 'scan-fra' as ModelId, inUse: true });
    expect(await folders()).toHaveLength(2);
    // Who fetches one anew wants it used.
    await client.useModel({ modelId: 'scan-deu' as ModelId, inUse: false });
    await client.removeModel({ modelId: 'scan-deu' as ModelId });
    await client.restoreModel({ modelId: 'scan-deu' as ModelId });
    expect(await folders()).toHaveLength(1);
    await installed(client, 'scan-deu');
    expect(await folders()).toHaveLength(2);
  });
});

describe('A recording that waits for a speech model', () => {
  it('is read by itself once one is installed', async () => {
    const { client } = await scene.open({ kit });
    const path = join(scene.files, 'talk.mp3');
    await writeFile(path, 'ID3 a talk');
    const [waiting] = documentsOf(await all(client.addFiles({ tickets: [scene.ticket(path) as Ticket] })));
    expect(waiting).toMatchObject({ state: 'failed', problem: 'no-speech-model' });
    const watched = (async () => {
      for await (const event of client.watchLibrary({}))
        if (event.type === 'changed' && event.document.problem === 'damaged') return event.document;
      throw new Error('the library ended');
    })();
    await installed(client, 'ear');
    // That reader was given the model, and said something else.
    expect(await watched).toMatchObject({ id: waiting!.id });
    expect(readWith.at(-1)!.speech).toEqual({ folder: join(folderOf('ear'), 'kit') });
  });
});
