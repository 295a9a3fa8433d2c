/** All models moved to another folder: used from there afterwards, or left as they were. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QuothContract } from '../../../app/contract/contract.ts';
import type { Client } from '../../../app/contract/procedure.ts';
import type { ModelsFolder, Ticket } from '../../../app/contract/types.ts';
import { modelFolder, writeManifest } from '../../../app/models/model-folder.ts';
import { createModelsPlace } from '../../../app/models/models-place.ts';
import { moveModels, tidyMove } from '../../../app/models/move-models.ts';
import type { Offer } from '../../../app/models/offer.ts';
import { createScene, installed, noModels, type Scene } from '../outside.ts';

const plan = randomBytes(300_000);
const offerOf = (id: string): Offer => ({
  ...{ id, name: id, role: 'chat', licence: 'MIT', planBytes: plan.length, note: '', checkpoint: null, files: [] },
});
const kit = { ...noModels, offers: ['one', 'two'].map(offerOf) };
const log = () => undefined;

let scene: Scene;
let home: string;
let other: string;

beforeEach(async () => {
  scene = await createScene();
  home = scene.outside.modelsFolder;
  other = join(scene.files, 'other drive');
  await mkdir(other, { recursive: true });
  for (const id of ['one', 'two']) {
    const where = modelFolder(home, id);
    await mkdir(where.download, { recursive: true });
    await writeFile(where.plan, plan);
    const planSha256 = createHash('sha256').update(plan).digest('hex');
    await writeManifest(where, { id, planBytes: plan.length, planSha256, sources: [], installedAtMs: 0 });
  }
  await writeFile(join(home, 'two', 'download', 'part-1.partial'), 'half of it');
});
afterEach(() => scene.remove());

async function ended(client: Client<QuothContract>): Promise<ModelsFolder> {
  for await (const { folder } of client.watchInstalls({})) if (!folder.move) return folder;
  throw new Error('the list ended');
}
const move = (client: Client<QuothContract>, to: string) => client.moveModels({ ticket: scene.ticket(to) as Ticket });
const statesOf = async (client: Client<QuothContract>) =>
  (await client.listModels({})).models.map(({ state }) => state);

describe('the models', () => {
  it('are used from their new place, also after a start and by other profiles', async () => {
    const { app, client } = await scene.open({ kit });
    await move(client, other);
    expect(await ended(client)).toMatchObject({
      state: 'here',
      name: expect.stringContaining('other drive'),
      reason: null,
    });
    expect((await app.listModels()).map((model) => model.plan)).toEqual(
      ['one', 'two'].map((id) => join(other, id, 'plan.quoth')),
    );
    expect((await readdir(home)).sort()).toEqual(['moved.json']);
    expect(await readFile(join(other, 'two', 'download', 'part-1.partial'), 'utf8')).toBe('half of it');
    await app.close();
    scene.outside.profileFolder = join(scene.files, 'another profile');
    const second = await scene.open({ kit });
    expect(await statesOf(second.client)).toEqual(['installed', 'installed']);
    await move(second.client, home);
    await ended(second.client);
    expect((await readdir(home)).sort()).toEqual(['one', 'two']);
    expect(await statesOf(second.client)).toEqual(['installed', 'installed']);
  });

  it('get a folder of their own where other files lie', async () => {
    await writeFile(join(other, 'holiday.jpg'), 'x');
    const { client } = await scene.open({ kit });
    await move(client, other);
    await ended(client);
    expect((await readdir(other)).sort()).toEqual(['Quoth models', 'holiday.jpg']);
    await expect(move(client, other)).rejects.toMatchObject({ code: 'invalid-input' });
  });

  it('stay where they are when a copy is not what it was, and nothing is left there', async () => {
    const bent = Buffer.from(plan);
    bent[5]! ^= 1;
    await writeFile(modelFolder(home, 'two').plan, bent);
    const { client } = await scene.open({ kit });
    await move(client, other);
    expect(await ended(client)).toMatchObject({ reason: expect.stringContaining('nothing was moved') });
    expect(await readdir(other)).toEqual([]);
    expect((await readdir(home)).sort()).toEqual(['one', 'two']);
    expect(await statesOf(client)).toEqual(['installed', 'installed']);
  });

  it('stay where they are when the move is stopped', async () => {
    const place = createModelsPlace(home);
    const controller = new AbortController();
    const letGo = async () => controller.abort();
    const parts = { place, log, letGo: async () => undefined };
    await expect(
      moveModels(other, parts, controller.signal, (step) => step === 'verify' && controller.abort()),
    ).rejects.toMatchObject({ code: 'cancelled' });
    await letGo();
    expect(await readdir(other)).toEqual([]);
    expect((await readdir(home)).sort()).toEqual(['one', 'two']);
    expect(createModelsPlace(home).folder()).toBe(home);
  });

  it('are not moved into their own folder, to where they are, or to what is no folder', async () => {
    const { client } = await scene.open({ kit });
    const file = join(scene.files, 'a file');
    await writeFile(file, 'x');
    await expect(move(client, home)).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(move(client, join(home, 'one', 'download'))).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(move(client, file)).rejects.toMatchObject({ code: 'not-found' });
    expect(await statesOf(client)).toEqual(['installed', 'installed']);
  });

  it('on a drive that is not there are told as such, not as removed for ever', async () => {
    const first = await scene.open({ kit });
    await move(first.client, other);
    await ended(first.client);
    await first.app.close();
    await rm(other, { recursive: true });
    const { client } = await scene.open({ kit });
    expect(await ended(client)).toMatchObject({ state: 'unreachable' });
    await expect(installed(client, 'one')).rejects.toThrow('cannot be reached');
    expect(existsSync(other)).toBe(false);
  });
});

/** A place on another disk than the temporary files, where there is one. */
const otherDisk = ['/dev/shm', '/run'].find(
  (place) => existsSync(place) && statSync(place).dev !== statSync(tmpdir()).dev,
);

describe.skipIf(!otherDisk)('models that go to another disk', () => {
  it('are copied, checked, used there, and gone from the old one', async () => {
    const there = await mkdtemp(join(otherDisk!, 'quoth 山田 '));
    try {
      const { app, client } = await scene.open({ kit });
      await move(client, there);
      expect((await ended(client)).reason).toBe(null);
      expect(Buffer.compare(await readFile(join(there, 'one', 'plan.quoth')), plan)).toBe(0);
      expect(await readdir(home)).toEqual(['moved.json']);
      expect(await statesOf(client)).toEqual(['installed', 'installed']);
      await app.close();
    } finally {
      await rm(there, { recursive: true, force: true });
    }
  });
});

describe('a move that a process did not live to end', () => {
  const journal = (): string => join(home, 'moving.json');
  const left = (names: string[]) =>
    writeFile(journal(), JSON.stringify({ from: home, to: other, names, pid: 999_999_999 }));

  it('leaves no copies', async () => {
    await mkdir(join(other, 'one.arriving'));
    await mkdir(join(other, 'theirs'));
    await left(['one']);
    await tidyMove(createModelsPlace(home), log);
    expect(await readdir(other)).toEqual(['theirs']);
    expect((await readdir(home)).sort()).toEqual(['one', 'two']);
  });

  it('leaves no old files once the new ones are in use', async () => {
    await createModelsPlace(home).moveTo(other);
    await left(['one', 'two']);
    await tidyMove(createModelsPlace(home), log);
    expect(await readdir(home)).toEqual(['moved.json']);
  });
});
