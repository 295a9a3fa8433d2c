/** A build that ends at any moment leaves a plan, or what the next build goes on with, or nothing: never half a plan. */
import { copyFileSync, readdirSync } from 'node:fs';
import { mkdir, open, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type BuildOptions, type BuildProgress, buildPlan, type Packer } from '../../../engines/build/build.ts';
import { verifyPlan } from '../../../engines/plan/format.ts';
import { openNative } from '../../native/native.ts';
import { withFolder } from '../checkpoints.ts';
import { readReference, writeHubFolder } from '../reference/reference.ts';

type Counted = { packer: Packer; packed: string[] };

async function counting(): Promise<Counted> {
  const { builder } = await openNative();
  const packed: string[] = [];
  return {
    packed,
    packer: {
      pack(request) {
        packed.push(`${request.from} ${request.numRows} × ${request.numColumns}`);
        return builder.pack(request);
      },
    },
  };
}

/** A small checkpoint, and its plan built in one go. */
async function prepare(folder: string) {
  const checkpoint = await writeHubFolder(readReference('qwen2-bias'), join(folder, 'model'));
  const whole = join(folder, 'whole.plan');
  const { packer, packed } = await counting();
  let numPieces = 0;
  await buildPlan({ checkpoint, out: whole, builder: packer, precision: 'q8', onProgress: () => void numPieces++ });
  return { checkpoint, wholeBytes: await readFile(whole), numPieces, numPacked: packed.length };
}

const build = (folder: string, checkpoint: string, packer: Packer, options: Partial<BuildOptions> = {}) =>
  buildPlan({
    checkpoint,
    out: join(folder, 'a plan'),
    builder: packer,
    precision: 'q8',
    keepUnfinished: true,
    ...options,
  });

const leftIn = async (folder: string) => (await readdir(folder)).filter((name) => name.startsWith('a plan'));

describe('A build', () => {
  test('that is stopped after any piece goes on there, and leaves the same file as one that was not', () =>
    withFolder(async (folder) => {
      const { checkpoint, wholeBytes, numPieces, numPacked } = await prepare(folder);
      expect(numPieces).toBeGreaterThan(15);
      for (let last = 1; last < numPieces; last++) {
        const place = join(folder, `stopped after ${last}`);
        await mkdir(place);
        const stop = new AbortController();
        let seen = 0;
        const first = await counting();
        const stopped = build(place, checkpoint, first.packer, {
          signal: stop.signal,
          onProgress: () => void (++seen === last && stop.abort()),
        });
        await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
        expect(await leftIn(place), `after ${last}`).not.toContain('a plan');

        const second = await counting();
        let progress: BuildProgress | undefined;
        const header = await build(place, checkpoint, second.packer, {
          onProgress: (now) => {
            progress ??= now;
          },
        });
        expect(await leftIn(place)).toEqual(['a plan']);
        expect((await readFile(join(place, 'a plan'))).equals(wholeBytes), `after ${last}`).toBe(true);
        expect(await verifyPlan(join(place, 'a plan'))).toEqual(header);
        if (last > 2) {
          expect(second.packed.length).toBeLessThan(numPacked);
          expect(progress!.keptBytes).toBeGreaterThan(0);
        }
      }
    }));

  test('that is killed at any moment goes on with what was whole then', () =>
    withFolder(async (folder) => {
      const { checkpoint, wholeBytes, numPieces } = await prepare(folder);
      const source = join(folder, 'running');
      await mkdir(source);
      const moments: string[] = [];
      const { packer } = await counting();
      // What a killed process leaves is what its files hold at that moment.
      await build(source, checkpoint, packer, {
        onProgress() {
          const place = join(folder, `killed ${moments.length}`);
          moments.push(place);
          const names = readdirSync(source);
          for (const name of names) copyFileSync(join(source, name), join(folder, `${moments.length - 1} ${name}`));
        },
      });
      expect(moments).toHaveLength(numPieces);
      for (const [at, place] of moments.entries()) {
        await mkdir(place);
        for (const name of readdirSync(folder).filter((file) => file.startsWith(`${at} a plan`)))
          copyFileSync(join(folder, name), join(place, name.slice(`${at} `.length)));
        await build(place, checkpoint, packer);
        expect((await readFile(join(place, 'a plan'))).equals(wholeBytes), `killed at ${at}`).toBe(true);
        expect(await leftIn(place)).toEqual(['a plan']);
      }
    }));

  /** Stops a build near its end; the path of what it left. */
  async function stopLate(folder: string, checkpoint: string, numPieces: number): Promise<string> {
    const stop = new AbortController();
    let seen = 0;
    const { packer } = await counting();
    const onProgress = () => void (++seen === numPieces - 2 && stop.abort());
    await expect(build(folder, checkpoint, packer, { signal: stop.signal, onProgress })).rejects.toThrow(/cancelled/);
    const partial = (await leftIn(folder)).find((name) => name.endsWith('.partial'));
    return join(folder, partial!);
  }

  test('takes over no tensor whose bytes have another hash than its journal says', () =>
    withFolder(async (folder) => {
      const { checkpoint, wholeBytes, numPieces } = await prepare(folder);
      const partial = await stopLate(folder, checkpoint, numPieces);
      const file = await open(partial, 'r+');
      const { size } = await file.stat();
      for (let at = 8192; at < size; at += 4096) await file.write(Buffer.from([0xaa]), 0, 1, at + 100);
      await file.close();
      await writeFile(
        `${partial}.journal`,
        `${await readFile(`${partial}.journal`, 'utf8')}999 nonsense\n3 ${'0'.repeat(63)}`,
      );
      const { packer } = await counting();
      await build(folder, checkpoint, packer);
      expect((await readFile(join(folder, 'a plan'))).equals(wholeBytes)).toBe(true);
    }));

  test('of a checkpoint that changed, or of other precision, begins anew and clears the old away', () =>
    withFolder(async (folder) => {
      const { checkpoint, numPieces, numPacked } = await prepare(folder);
      await stopLate(folder, checkpoint, numPieces);
      await utimes(join(checkpoint, 'model.safetensors'), new Date(), new Date(1e12));
      const second = await counting();
      await build(folder, checkpoint, second.packer);
      expect(second.packed).toHaveLength(numPacked);
      expect(await leftIn(folder)).toEqual(['a plan']);

      await stopLate(folder, checkpoint, numPieces);
      const third = await counting();
      await build(folder, checkpoint, third.packer, { precision: 'f16' });
      expect(await leftIn(folder)).toEqual(['a plan']);
    }));

  test('that was not asked to keep anything leaves nothing', () =>
    withFolder(async (folder) => {
      const { checkpoint } = await prepare(folder);
      const stop = new AbortController();
      const { packer } = await counting();
      const stopped = build(folder, checkpoint, packer, {
        signal: stop.signal,
        keepUnfinished: false,
        onProgress: () => stop.abort(),
      });
      await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
      expect(await leftIn(folder)).toEqual([]);
    }));
});

describe('Two builds of the same into the same place', () => {
  test('at the same time leave one whole plan', () =>
    withFolder(async (folder) => {
      const { checkpoint, wholeBytes } = await prepare(folder);
      const { packer } = await counting();
      const headers = await Promise.all([1, 2, 3].map(() => build(folder, checkpoint, packer)));
      expect((await readFile(join(folder, 'a plan'))).equals(wholeBytes)).toBe(true);
      expect(await leftIn(folder)).toEqual(['a plan']);
      expect(headers[1]).toEqual(headers[0]);
    }));
});

describe('A build is refused before it starts', () => {
  const tooLittle = (disk: number | null, memory: number | null) => ({
    diskBytes: async () => disk,
    memoryBytes: () => memory,
  });

  test('where the disk has not the room, or the memory will not do, with both numbers in one sentence', () =>
    withFolder(async (folder) => {
      const { checkpoint } = await prepare(folder);
      const { packer, packed } = await counting();
      await expect(build(folder, checkpoint, packer, { room: tooLittle(60e6, null) })).rejects.toThrow(
        /^The plan takes 65 MB more on the disk of .*, where 60 MB are free\.$/,
      );
      await expect(build(folder, checkpoint, packer, { room: tooLittle(null, 1e6) })).rejects.toMatchObject({
        code: 'out-of-memory',
        message: expect.stringMatching(/^Building this plan takes \d+ MB of memory, and 1 MB are free\.$/),
      });
      expect(packed).toEqual([]);
      expect(await leftIn(folder)).toEqual([]);
    }));

  test('but not where nothing can be told', () =>
    withFolder(async (folder) => {
      const { checkpoint } = await prepare(folder);
      const { packer } = await counting();
      await build(folder, checkpoint, packer, { room: tooLittle(null, null) });
      expect(await leftIn(folder)).toEqual(['a plan']);
    }));

  test('where the place cannot be written to, or is one of the files it is made from', () =>
    withFolder(async (folder) => {
      const { checkpoint } = await prepare(folder);
      const { packer, packed } = await counting();
      const to = (out: string) => build(folder, checkpoint, packer, { out });
      await expect(to(join(folder, 'none', 'a plan'))).rejects.toThrow(
        /cannot be written to .*: there is no folder .*none\.$/,
      );
      await expect(to(join(folder, 'model', 'model.safetensors', 'plan'))).rejects.toThrow(/there is no folder/);
      await mkdir(join(folder, 'taken'));
      await expect(to(join(folder, 'taken'))).rejects.toThrow(/there is a folder of that name\.$/);
      await expect(to(checkpoint)).rejects.toThrow(/cannot be written over .*, which it is made from\.$/);
      expect(packed).toEqual([]);
    }));
});
