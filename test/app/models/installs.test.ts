/** Models on their way: queued, paused, gone on with after a start, followed by whoever looks. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QuothContract } from '../../../app/contract/contract.ts';
import type { Client } from '../../../app/contract/procedure.ts';
import type { Install, ModelId, ModelsWork } from '../../../app/contract/types.ts';
import type { AppKit } from '../../../app/models/kit.ts';
import type { Offer } from '../../../app/models/offer.ts';
import { createScene, installed, noModels, type Scene } from '../outside.ts';

const bytes = randomBytes(3_000_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const one = 'one' as ModelId;
const two = 'two' as ModelId;

let scene: Scene;
let server: Server;
let kit: AppKit;
/** Of each answer: from which byte on. */
let asked: { path: string; from: number }[];
/** Sends so much of each answer and then holds the rest back, until it is called. */
let held: { after: number; release: (() => void)[] } | null;

beforeEach(async () => {
  asked = [];
  held = null;
  server = createServer((request, response: ServerResponse) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    asked.push({ path: request.url!, from });
    const rest = bytes.subarray(from);
    const headers: Record<string, string | number> = { 'content-length': rest.length, etag: '"1"' };
    if (from > 0) headers['content-range'] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(from > 0 ? 206 : 200, headers);
    if (!held) return void response.end(rest);
    const { after } = held;
    response.write(rest.subarray(0, after));
    held.release.push(() => response.end(rest.subarray(after)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  scene = await createScene({ fetch: globalThis.fetch });
  const offerOf = (id: string): Offer => ({
    ...{ id, name: id.toUpperCase(), role: 'chat', licence: 'MIT', planBytes: bytes.length, note: '' },
    checkpoint: 'model.gguf',
    files: [
      {
        name: 'model.gguf',
        sha256: null,
        parts: [{ type: 'web', address: `${origin}/${id}`, sizeBytes: bytes.length, exact: true, sha256 }],
      },
    ],
  });
  kit = {
    ...noModels,
    offers: ['one', 'two'].map(offerOf),
    build: async ({ folder, plan }) => writeFile(plan, await readFile(join(folder, 'model.gguf'))),
  };
});

afterEach(async () => {
  server.closeAllConnections();
  await scene.remove();
  server.close();
});

/** Follows the list until it is as wanted, and gives it. */
async function until(client: Client<QuothContract>, wanted: (work: ModelsWork) => boolean): Promise<ModelsWork> {
  for await (const work of client.watchInstalls({})) if (wanted(work)) return work;
  throw new Error('the list ended');
}
const stateOf = (work: ModelsWork, id: ModelId): Install['state'] | undefined =>
  work.installs.find(({ modelId }) => modelId === id)?.state;
const fetchedOf = (work: ModelsWork, id: ModelId): number =>
  work.installs.find(({ modelId }) => modelId === id)?.doneBytes ?? 0;

describe('models on their way', () => {
  it('come one after another, in the order in which they were asked for', async () => {
    held = { after: 1_000_000, release: [] };
    const { client } = await scene.open({ kit });
    await client.installModel({ modelId: one });
    await client.installModel({ modelId: two });
    const work = await until(client, (now) => fetchedOf(now, one) >= 1_000_000);
    expect([stateOf(work, one), stateOf(work, two)]).toEqual(['running', 'waiting']);
    expect(asked.map(({ path }) => path)).toEqual(['/one']);
    const release = held.release;
    held = null;
    for (const go of release) go();
    await until(client, ({ installs }) => installs.length === 0);
    expect(asked.map(({ path }) => path)).toEqual(['/one', '/two']);
  });

  it('are told to every watcher alike, also to one that comes later', async () => {
    held = { after: 1_000_000, release: [] };
    const { client } = await scene.open({ kit });
    await client.installModel({ modelId: one });
    await until(client, (now) => fetchedOf(now, one) >= 1_000_000);
    const late = await until(client, () => true);
    expect(late.installs).toMatchObject([
      { modelId: one, state: 'running', step: 'download', totalBytes: bytes.length },
    ]);
  });

  it('go on while nobody looks', async () => {
    const { app, client, disconnect } = await scene.open({ kit });
    await client.installModel({ modelId: one });
    disconnect();
    const again = await scene.open({ kit: noModels }).catch(() => null);
    expect(again).toBe(null); // the profile is still open
    for await (const { installs } of app.handlers.watchInstalls({}, new AbortController().signal))
      if (installs.length === 0) break;
    expect((await app.listModels()).find(({ id }) => id === one)?.state).toBe('installed');
  });

  it('that are paused keep what has arrived, let the next one begin, and go on from there', async () => {
    held = { after: 1_000_000, release: [] };
    const { client } = await scene.open({ kit });
    await client.installModel({ modelId: one });
    await client.installModel({ modelId: two });
    await until(client, (now) => fetchedOf(now, one) >= 1_000_000);
    held = null;
    await client.pauseInstall({ modelId: one });
    const work = await until(client, (now) => stateOf(now, two) === undefined);
    expect(work.installs).toMatchObject([{ modelId: one, state: 'paused', doneBytes: 1_000_000 }]);
    await installed(client, one);
    expect(asked.map(({ path, from }) => `${path} ${from}`)).toEqual(['/one 0', '/two 0', '/one 1000000']);
    expect((await client.listModels({})).models.map(({ state }) => state)).toEqual(['installed', 'installed']);
  });

  it('go on by themselves after a start; those that were paused wait, and show what they have', async () => {
    held = { after: 1_000_000, release: [] };
    const first = await scene.open({ kit });
    await first.client.installModel({ modelId: one });
    await until(first.client, (now) => fetchedOf(now, one) >= 1_000_000);
    await first.client.pauseInstall({ modelId: one });
    await first.client.installModel({ modelId: two });
    await until(first.client, (now) => fetchedOf(now, two) >= 1_000_000);
    await first.app.close();
    held = null;
    const second = await scene.open({ kit });
    const work = await until(second.client, (now) => stateOf(now, two) === undefined && fetchedOf(now, one) > 0);
    expect(work.installs).toMatchObject([
      { modelId: one, state: 'paused', doneBytes: 1_000_000, totalBytes: bytes.length },
    ]);
    expect(asked.at(-1)).toEqual({ path: '/two', from: 1_000_000 });
    await installed(second.client, one);
    expect(asked.at(-1)).toEqual({ path: '/one', from: 1_000_000 });
  });

  it('are left alone by a command that only looks', async () => {
    held = { after: 1_000_000, release: [] };
    const first = await scene.open({ kit });
    await first.client.installModel({ modelId: one });
    await until(first.client, (now) => fetchedOf(now, one) >= 1_000_000);
    await first.app.close();
    held = null;
    const looking = await scene.open({ kit, resume: false });
    const work = await until(looking.client, (now) => fetchedOf(now, one) > 0);
    expect(stateOf(work, one)).toBe('waiting');
    await installed(looking.client, two);
    expect(asked.map(({ path }) => path)).toEqual(['/one', '/two']);
    await looking.app.close();
    const last = await scene.open({ kit });
    await installed(last.client, one, false);
    expect(asked.at(-1)).toEqual({ path: '/one', from: 1_000_000 });
  });

  it('that are cancelled leave nothing behind', async () => {
    held = { after: 1_000_000, release: [] };
    const { client } = await scene.open({ kit });
    await client.installModel({ modelId: one });
    await until(client, (now) => fetchedOf(now, one) >= 1_000_000);
    await client.cancelInstall({ modelId: one });
    expect((await until(client, () => true)).installs).toEqual([]);
    expect(existsSync(join(scene.outside.modelsFolder, 'one', 'download'))).toBe(false);
    expect((await client.listModels({})).models[0]?.state).toBe('available');
  });

  it('that failed say why, stay in the list over a start, and go on when they are asked to', async () => {
    const { build } = kit;
    kit.build = async () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    const first = await scene.open({ kit });
    await expect(installed(first.client, one)).rejects.toThrow('The disk is full.');
    await first.app.close();
    kit.build = build;
    const second = await scene.open({ kit });
    const work = await until(second.client, ({ installs }) => installs.length > 0);
    expect(work.installs).toMatchObject([{ state: 'failed', reason: expect.stringContaining('The disk is full') }]);
    await installed(second.client, one);
    expect(asked).toHaveLength(1);
  });
});

describe('a removed model', () => {
  it('frees what it says, and can be brought back until its bytes are gone', async () => {
    const { app, client } = await scene.open({ kit });
    await installed(client, one);
    const plan = join(scene.outside.modelsFolder, 'one', 'plan.quoth');
    const { freedBytes } = await client.removeModel({ modelId: one });
    expect(freedBytes).toBeGreaterThan(bytes.length);
    expect((await client.listModels({})).models[0]).toMatchObject({ state: 'available', inUse: false });
    await client.restoreModel({ modelId: one });
    expect((await client.listModels({})).models[0]).toMatchObject({ state: 'installed', inUse: true });
    await client.removeModel({ modelId: one });
    expect(existsSync(plan)).toBe(true);
    await app.close();
    expect(existsSync(join(scene.outside.modelsFolder, 'one'))).toBe(false);
    const second = await scene.open({ kit });
    await expect(second.client.restoreModel({ modelId: one })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('comes back without a download when it is installed again in time', async () => {
    const { client } = await scene.open({ kit });
    await installed(client, one);
    await client.removeModel({ modelId: one });
    await installed(client, one);
    expect(asked).toHaveLength(1);
    expect((await client.listModels({})).models[0]?.state).toBe('installed');
  });

  it('that a process could not finish is finished by the next', async () => {
    const first = await scene.open({ kit });
    await installed(first.client, one);
    const where = join(scene.outside.modelsFolder, 'one');
    await first.app.close();
    await writeFile(join(where, 'removed.json'), await readFile(join(where, 'manifest.json')));
    await rm(join(where, 'manifest.json'));
    const { client } = await scene.open({ kit });
    await until(client, () => true);
    expect(existsSync(where)).toBe(false);
  });
});
