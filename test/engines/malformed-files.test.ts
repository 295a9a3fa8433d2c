import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../engines/build/build.ts';
import { openGgufModel } from '../../engines/build/gguf-shards.ts';
import { bytesOf, ggufFile, ggufText, randomNumbers, withFolder, writeTo } from './checkpoints.ts';
import { llamaTensors, tinyLlama, writeLlamaConfig } from './packed-folders.ts';
import { type RawTensors, safetensorsOf } from './packed-linears.ts';

const isPosix = process.platform !== 'win32';
const refused = {
  name: 'ModelError',
  code: expect.stringMatching(/^(invalid-checkpoint|unsupported-model|invalid-input)$/),
  message: expect.stringMatching(/\.$/),
};

const plain = llamaTensors(tinyLlama, { layout: 'gptq', groupSize: 64 }).plain;
const names = [...plain.keys()];
const [firstName, lastName] = [names[0]!, names.at(-1)!];
const files = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const half = names.length / 2;
const soundMap = Object.fromEntries(names.map((name, at) => [name, files[at < half ? 0 : 1]]));
const some = (from: number, to: number): RawTensors => new Map([...plain].slice(from, to));

/** A folder in two files, with this index. */
async function writeShards(folder: string, index: string | Uint8Array | object): Promise<void> {
  await writeLlamaConfig(folder, tinyLlama, null);
  await writeTo(folder, files[0], safetensorsOf(some(0, half)));
  await writeTo(folder, files[1], safetensorsOf(some(half, names.length)));
  const text = typeof index === 'string' || index instanceof Uint8Array ? index : JSON.stringify(index);
  await writeTo(folder, 'model.safetensors.index.json', text);
}

const mapped = (change: Record<string, unknown>) => ({ weight_map: { ...soundMap, ...change } });
const indices: [string, string | Uint8Array | object][] = [
  ['is empty', ''],
  ['is no JSON', '{"weight_map":'],
  ['is a list', '[]'],
  ['is a text', '"weight_map"'],
  ['has no map', { metadata: {} }],
  ['has a map that is a list', { weight_map: [files[0]] }],
  ['has a map that is nothing', { weight_map: null }],
  ['has a map that is a text', { weight_map: files[0] }],
  ['has an empty map', { weight_map: {} }],
  [
    'has a map that is no UTF-8',
    Buffer.concat([Buffer.from('{"weight_map":{"'), Uint8Array.of(0xff), Buffer.from('":"a"}}')]),
  ],
  ['names a tensor twice', `{"weight_map":{"a":"${files[0]}","a":"${files[1]}"}}`],
  ['has two maps', `{"weight_map":${JSON.stringify(soundMap)},"weight_map":${JSON.stringify(soundMap)}}`],
  ['leads up', mapped({ [firstName]: `../${files[0]}` })],
  ['leads up by the other stroke', mapped({ [firstName]: `..\\${files[0]}` })],
  ['leads to the root', mapped({ [firstName]: `/etc/${files[0]}` })],
  ['leads to a drive', mapped({ [firstName]: `C:${files[0]}` })],
  ['leads into a folder', mapped({ [firstName]: `sub/${files[0]}` })],
  ['names this folder', mapped({ [firstName]: '.' })],
  ['names nothing', mapped({ [firstName]: '' })],
  ['names a file of another kind', mapped({ [firstName]: 'config.json' })],
  ['names a file with a zero in its name', mapped({ [firstName]: `model\0.safetensors` })],
  ['names a file by a number', mapped({ [firstName]: 1 })],
  ['names a file by nothing', mapped({ [firstName]: null })],
  ['names a file by a list', mapped({ [firstName]: [files[0]] })],
  ['names a file that is not there', mapped({ [firstName]: 'model-00003-of-00003.safetensors' })],
  ['names a file by a name without end', mapped({ [firstName]: `${'a'.repeat(5000)}.safetensors` })],
  ['says of a tensor the other file', mapped({ [lastName]: files[0] })],
  ['has a tensor that no file has', mapped({ 'model.more.weight': files[1] })],
  [
    'names two thousand files',
    { weight_map: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`a${i}`, `${i}.safetensors`])) },
  ],
];

describe('A model in several safetensors files', () => {
  test('is read as one', () =>
    withFolder(async (folder) => {
      await writeShards(folder, { metadata: { total_size: 1 }, weight_map: soundMap });
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.tensors.map(({ name }) => name)).toEqual(names);
      expect(Buffer.from(await checkpoint.read(lastName))).toEqual(Buffer.from(plain.get(lastName)!.bytes));
      await checkpoint.close();
    }));

  test.each(indices)('is refused with a sentence when its index %s', (_, index) =>
    withFolder(async (folder) => {
      await writeShards(folder, index);
      await expect(openCheckpoint(folder)).rejects.toMatchObject(refused);
    }),
  );

  test('is refused when a tensor stands in both, when one is cut, when one is a folder', () =>
    withFolder(async (folder) => {
      await writeShards(folder, { weight_map: soundMap });
      await writeTo(folder, files[1], safetensorsOf(some(half - 1, names.length)));
      await expect(openCheckpoint(folder)).rejects.toMatchObject({
        message: expect.stringContaining(names[half - 1]!),
      });
      await writeTo(folder, files[1], safetensorsOf(some(half, names.length)).subarray(0, -1));
      await expect(openCheckpoint(folder)).rejects.toMatchObject({ message: expect.stringContaining(files[1]) });
      await writeTo(folder, files[1], safetensorsOf(some(half, names.length)));
      await mkdir(join(folder, 'more.safetensors'));
      await writeTo(folder, 'model.safetensors.index.json', JSON.stringify(mapped({ [lastName]: 'more.safetensors' })));
      await expect(openCheckpoint(folder)).rejects.toMatchObject({ message: 'more.safetensors is not a file.' });
    }));

  test.skipIf(!isPosix)('may be links to files, as the hub keeps them, and never a pipe', () =>
    withFolder(async (folder) => {
      const blobs = join(folder, 'blobs');
      const snapshot = join(folder, 'snapshot');
      await mkdir(blobs);
      await mkdir(snapshot);
      await writeLlamaConfig(snapshot, tinyLlama, null);
      await symlink(await writeTo(blobs, 'abc', safetensorsOf(plain)), join(snapshot, 'model.safetensors'));
      await (await openCheckpoint(snapshot)).close();
      await symlink(join(blobs, 'none'), join(snapshot, 'more.safetensors'));
      await expect(openCheckpoint(snapshot)).rejects.toMatchObject({ message: 'more.safetensors cannot be opened.' });
      execFileSync('mkfifo', [join(snapshot, 'a.safetensors')]);
      await expect(openCheckpoint(snapshot)).rejects.toMatchObject({ message: 'a.safetensors is not a file.' });
      execFileSync('mkfifo', [join(folder, 'pipe.gguf')]);
      await expect(openCheckpoint(join(folder, 'pipe.gguf'))).rejects.toMatchObject(refused);
    }),
  );
});

const u32 = (key: string, value: number) => bytesOf(ggufText(key), { u32: 4 }, { u32: value });
const splits = (no: number, count: number, tensors: number) => [
  u32('split.no', no),
  u32('split.count', count),
  u32('split.tensors.count', tensors),
];
const tensor = (name: string) => ({ name, dimensions: [8], type: 0, offset: 0 });
const part = (no: number, count: number, name = `t${no}`, tensors = 2) =>
  ggufFile({ metadata: splits(no, count, tensors), tensors: [tensor(name)], dataBytes: 32 });

describe('A GGUF model in several files', () => {
  const open = (shards: Record<string, Buffer>, named: string) =>
    withFolder(async (folder) => {
      for (const [name, bytes] of Object.entries(shards)) await writeTo(folder, name, bytes);
      const model = await openGgufModel(join(folder, named));
      await model.close();
      return model;
    });
  const [one, two] = ['a-00001-of-00002.gguf', 'a-00002-of-00002.gguf'];

  test('is read as one, whichever of them is named', async () => {
    for (const named of [one, two]) {
      const model = await open({ [one]: part(0, 2), [two]: part(1, 2) }, named);
      expect(model.tensors.map(({ name, file }) => `${name} ${file.path.endsWith(name === 't0' ? one : two)}`)).toEqual(
        ['t0 true', 't1 true'],
      );
      expect(model.metadata.get('split.no')).toBe(0);
    }
  });

  const damages: [string, Record<string, Buffer>, string][] = [
    ['lacks its second file', { [one]: part(0, 2) }, one],
    ['lacks its first file', { [two]: part(1, 2) }, two],
    ['has its files in the wrong order', { [one]: part(1, 2), [two]: part(0, 2) }, one],
    ['has the same file twice', { [one]: part(0, 2), [two]: part(0, 2) }, one],
    ['has a file of another model', { [one]: part(0, 2), [two]: part(1, 3) }, one],
    ['has a file that is whole by itself', { [one]: part(0, 2), [two]: ggufFile({}) }, one],
    ['has a name that does not say which file it is', { 'a.gguf': part(0, 2) }, 'a.gguf'],
    ['has a name that says another number of files', { 'a-00001-of-00003.gguf': part(0, 2) }, 'a-00001-of-00003.gguf'],
    ['says a million files', { [one]: part(0, 1_000_000) }, one],
    ['has a tensor twice', { [one]: part(0, 2, 'a'), [two]: part(1, 2, 'a') }, one],
    ['has fewer tensors than it says', { [one]: part(0, 2, 'a', 3), [two]: part(1, 2, 'b', 3) }, one],
    ['has a file that is cut', { [one]: part(0, 2), [two]: part(1, 2).subarray(0, -1) }, one],
  ];
  test.each(damages)('is refused with a sentence when it %s', async (_, shards, named) => {
    await expect(open(shards, named)).rejects.toMatchObject(refused);
  });

  test('is refused when a name in it is no UTF-8', async () => {
    const bytes = ggufFile({ tensors: [tensor('abcdefgh')], dataBytes: 32 });
    bytes[bytes.indexOf('abcdefgh') + 3] = 0xff;
    await expect(open({ 'a.gguf': bytes }, 'a.gguf')).rejects.toMatchObject({
      message: 'a.gguf is damaged: a name in it is no UTF-8.',
    });
  });
});

describe('A checkpoint of llama2.c is refused with a sentence, when it', () => {
  const sizes = [32, 48, 1, 4, 2, 262, 16];
  const file = (header: number[], numNumbers?: number) => {
    const [hidden, inner, layers, heads, kvHeads, vocabulary, context] = sizes as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const kv = (hidden / heads) * kvHeads;
    const perLayer = 2 * hidden + 2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * inner;
    const count = numNumbers ?? vocabulary * hidden + layers * perLayer + hidden + (context * hidden) / heads;
    return Buffer.concat([
      new Uint8Array(Int32Array.from(header).buffer),
      new Uint8Array(randomNumbers(count, 7).buffer),
    ]);
  };
  const sound = file(sizes);
  const header = (index: number, value: number) => file(sizes.map((size, at) => (at === index ? value : size)));
  const names = ['width', 'inner width', 'layers', 'heads', 'heads of keys', 'vocabulary', 'context'];
  const damages: [string, Buffer][] = [
    ['is empty', Buffer.alloc(0)],
    ['is one byte', Buffer.alloc(1)],
    ['is a header and no more', sound.subarray(0, 28)],
    ['is cut inside its header', sound.subarray(0, 27)],
    ['is one number short', sound.subarray(0, -4)],
    ['is one byte short', sound.subarray(0, -1)],
    ['is one byte too long', Buffer.concat([sound, Buffer.alloc(1)])],
    ['is one number too long', Buffer.concat([sound, Buffer.alloc(4)])],
    ['has a head of its own without its numbers', header(5, -262)],
    ['is a zip archive of PyTorch', Buffer.concat([Buffer.from('PK\x03\x04'), sound])],
    ['is a pickle of PyTorch', Buffer.concat([Uint8Array.of(0x80, 2, 0x8a, 10), sound])],
    ['has heads that its width is no multiple of', header(3, 5)],
    ['has heads of half a pair', header(3, 32)],
    ['has heads of keys that its heads are no multiple of', header(4, 3)],
    ['has more heads of keys than heads', header(4, 8)],
    ...names.flatMap((name, index): [string, Buffer][] => [
      [`has no ${name}`, header(index, 0)],
      [`has a ${name} below nothing`, header(index, index === 5 ? -(2 ** 31) : -1)],
      [`has a ${name} past all bounds`, header(index, 2 ** 31 - 1)],
    ]),
  ];
  test.each(damages)('%s', (_, bytes) =>
    withFolder(async (folder) => {
      const path = await writeTo(folder, 'tiny.bin', bytes);
      await expect(openCheckpoint(path)).rejects.toMatchObject({
        ...refused,
        message: expect.stringContaining('tiny.bin'),
      });
    }),
  );
});
