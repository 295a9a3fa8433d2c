/** Models of the person's own files, through the real builder. */
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { QuothContract } from '../../../app/contract/contract.ts';
import type { Client } from '../../../app/contract/procedure.ts';
import type { Ticket } from '../../../app/contract/types.ts';
import { createKit } from '../../../app/models/kit.ts';
import { ggufFile } from '../../engines/checkpoints.ts';
import { tinyRerankerFiles, writeTinyReranker } from '../../fakes/tiny-reranker.ts';
import { openNative } from '../../native/native.ts';
import { createScene, installed, type Scene } from '../outside.ts';

let scene: Scene;
let published: string;

beforeAll(async () => void (await openNative()), 600_000);
beforeEach(async () => {
  const native = await openNative();
  scene = await createScene({ native });
  published = join(scene.files, 'my ranker');
  await writeTinyReranker(published);
});
afterEach(() => scene.remove());

const open = () => scene.open({ kit: createKit(scene.outside, []) });
const bring = (client: Client<QuothContract>, paths: string[], name?: string) =>
  client.importModel({ tickets: paths.map((path) => scene.ticket(path) as Ticket), ...(name ? { name } : {}) });
const modelsOf = async (client: Client<QuothContract>) => (await client.listModels({})).models;

describe('a checkpoint of the person’s own', () => {
  it('becomes a model under its name, in use as any other, and stays one over a start', async () => {
    const { app, client } = await open();
    const { modelId } = await bring(client, [published], '私の順位');
    expect(modelId).toMatch(/^own-model-/);
    const told = await installed(client, modelId, false);
    expect(told.map(({ from, role }) => `${from} ${role}`)).toContain('own-files reranker');
    const [model] = await modelsOf(client);
    expect(model).toMatchObject({
      id: modelId,
      name: '私の順位',
      role: 'reranker',
      state: 'installed',
      inUse: true,
      own: true,
    });
    await app.close();
    const second = await open();
    expect(await modelsOf(second.client)).toMatchObject([{ id: modelId, state: 'installed', inUse: true }]);
    await second.client.removeModel({ modelId });
    expect(await modelsOf(second.client)).toEqual([]);
    await second.client.restoreModel({ modelId });
    expect(await modelsOf(second.client)).toHaveLength(1);
  });

  it('may come file by file, as a browser sends them', async () => {
    const folders = await Promise.all(
      tinyRerankerFiles.map(async (name, index) => {
        const folder = join(scene.files, `sent ${index}`);
        await mkdir(folder);
        await copyFile(join(published, name), join(folder, name));
        return join(folder, name);
      }),
    );
    const { client } = await open();
    const { modelId } = await bring(client, folders, 'Sent');
    await installed(client, modelId, false);
    expect(await modelsOf(client)).toMatchObject([{ name: 'Sent', state: 'installed' }]);
    expect((await readdir(join(scene.outside.modelsFolder, modelId))).sort()).toEqual(['manifest.json', 'plan.quoth']);
  });

  it('that was built elsewhere is taken as the plan it is, after a check of every byte', async () => {
    const first = await open();
    const { modelId } = await bring(first.client, [published], 'Ranker');
    await installed(first.client, modelId, false);
    const plan = join(scene.outside.modelsFolder, modelId, 'plan.quoth');
    const copy = join(scene.files, 'from a friend.quoth');
    await copyFile(plan, copy);
    const second = await bring(first.client, [copy], 'Of a friend');
    const told = await installed(first.client, second.modelId, false);
    expect(told.map(({ step }) => step)).not.toContain('build');
    expect(Buffer.compare(await readFile(plan), await readFile(plan.replace(modelId, second.modelId)))).toBe(0);
    const bent = await readFile(copy);
    bent[bent.length - 1]! ^= 1;
    await writeFile(copy, bent);
    const third = await bring(first.client, [copy], 'Bent');
    await expect(installed(first.client, third.modelId, false)).rejects.toThrow('does not match its hash');
    await first.client.cancelInstall({ modelId: third.modelId });
    expect((await modelsOf(first.client)).map(({ name }) => name)).toEqual(['Of a friend', 'Ranker']);
    await expect(stat(join(scene.outside.modelsFolder, third.modelId))).rejects.toThrow();
  });
});

describe('files that are no model', () => {
  let client: Client<QuothContract>;
  beforeEach(async () => {
    ({ client } = await open());
  });
  const refused = async (paths: string[]): Promise<string> => {
    const error = await bring(client, paths).then(
      () => null,
      (thrown: Error & { code: string }) => thrown,
    );
    expect(error?.code).toMatch(/^(unreadable|unsupported|not-found|invalid-input)$/);
    expect(error?.message).not.toContain(scene.files);
    expect((await modelsOf(client)).length).toBe(0);
    expect(await readdir(scene.outside.modelsFolder).catch(() => [])).toEqual([]);
    return error!.message;
  };
  const made = async (name: string, bytes: Uint8Array | string): Promise<string> => {
    const path = join(scene.files, name);
    await writeFile(path, bytes);
    return path;
  };

  it('are refused at once, each with what it is not', async () => {
    expect(await refused([await made('notes.txt', 'dear diary')])).toContain('notes.txt');
    const empty = join(scene.files, 'nothing');
    await mkdir(empty);
    expect(await refused([empty])).toBe(
      '"nothing" holds no model: neither a config.json with its weights, nor a GGUF file.',
    );
    expect(await refused([await made('cut.gguf', ggufFile({ numTensors: 3 }))])).toContain('cut.gguf');
    expect(await refused([join(published, 'model.safetensors')])).toContain('please give its whole folder');
    expect(await refused([join(scene.files, 'gone')])).toContain('is not there any more');
  });

  it('are refused when they lie about their weights', async () => {
    const config = JSON.parse(await readFile(join(published, 'config.json'), 'utf8')) as object;
    await writeFile(join(published, 'config.json'), JSON.stringify({ ...config, hidden_size: 32 }));
    expect(await refused([published])).not.toBe('');
    await writeFile(join(published, 'config.json'), '{"model_type": "teapot"}');
    expect(await refused([published])).toContain('teapot');
    await writeFile(join(published, 'config.json'), '{"model_ty');
    expect(await refused([published])).toContain('config.json');
  });
});
