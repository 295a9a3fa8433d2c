import { describe, expect, test } from 'vitest';
import { openSafetensors } from '../../engines/build/safetensors.ts';
import { bytesOf, safetensorsFile, withFolder, writeTo } from './checkpoints.ts';

const entry = (change: object = {}) => ({ dtype: 'F32', shape: [2, 4], data_offsets: [0, 32], ...change });

async function open(bytes: Buffer) {
  return withFolder(async (folder) => {
    const file = await openSafetensors(await writeTo(folder, 'model.safetensors', bytes));
    await file.file.close();
    return file.tensors;
  });
}

describe('A sound safetensors file', () => {
  test('gives its tensors with their places, vectors as one row', async () => {
    const header = {
      __metadata__: { format: 'pt' },
      matrix: entry(),
      vector: entry({ dtype: 'BF16', shape: [8], data_offsets: [32, 48] }),
      cube: entry({ dtype: 'I8', shape: [2, 3, 4], data_offsets: [48, 72] }),
      number: entry({ dtype: 'F16', shape: [], data_offsets: [72, 74] }),
    };
    const start = 8 + Buffer.byteLength(JSON.stringify(header));
    expect(await open(safetensorsFile(header, 74))).toEqual([
      { name: 'matrix', rows: 2, columns: 4, type: 'f32', offset: start, sizeBytes: 32 },
      { name: 'vector', rows: 1, columns: 8, type: 'bf16', offset: start + 32, sizeBytes: 16 },
      { name: 'cube', rows: 6, columns: 4, type: 'i8', offset: start + 48, sizeBytes: 24 },
      { name: 'number', rows: 1, columns: 1, type: 'f16', offset: start + 72, sizeBytes: 2 },
    ]);
  });

  test('may have braces, colons and quotes in its names', async () => {
    const tensors = await open(safetensorsFile({ 'a":{[\\': entry() }, 32));
    expect(tensors[0]!.name).toBe('a":{[\\');
  });
});

const json = (header: unknown, dataBytes = 32) => safetensorsFile(header, dataBytes);
const one = (change: object, dataBytes = 32) => json({ a: entry(change) }, dataBytes);
const sound = one({});
const damages: [string, Buffer][] = [
  ['is empty', Buffer.alloc(0)],
  ['is seven bytes', Buffer.alloc(7)],
  ['claims a header of 2^63 bytes', bytesOf({ u64: 2n ** 63n }, '{}')],
  ['claims a header of 2^53 bytes', bytesOf({ u64: 2n ** 53n }, '{}')],
  ['claims a header longer than the file', bytesOf({ u64: 1000 }, '{}')],
  ['claims a header of a gigabyte', bytesOf({ u64: 2 ** 30 }, '{}')],
  ['has an empty header', json('')],
  ['has a header that is no JSON', json('{"a":')],
  ['has a list as header', json('[]')],
  ['has nothing as header', json('null')],
  ['has a number as header', json('7')],
  ['has a header of broken UTF-8', bytesOf({ u64: 4 }, Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d))],
  [
    'names a tensor twice',
    json(
      '{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}',
    ),
  ],
  ['names a tensor twice, once escaped', json(`{"a":${JSON.stringify(entry())},"\\u0061":${JSON.stringify(entry())}}`)],
  ['gives the type of a tensor twice', json('{"a":{"dtype":"F32","dtype":"F32","shape":[8],"data_offsets":[0,32]}}')],
  ['has a header of broken UTF-8 in a name', bytesOf({ u64: 7 }, '{"', Uint8Array.of(0xc3, 0x28), '":1')],
  ['has a header with a mark before it', json(`\ufeff{"a":${JSON.stringify(entry())}}`)],
  ['has a header after which more stands', json(`{"a":${JSON.stringify(entry())}}{}`)],
  ['has lists in lists without end', json(`{"a":${'['.repeat(200_000)}`)],
  ['has a tensor that is a text', json({ a: 'b' })],
  ['has a tensor that is a list', json({ a: [] })],
  ['has a tensor without a type', one({ dtype: undefined })],
  ['has a tensor of an unknown type', one({ dtype: 'F13' })],
  ['has a tensor whose type is a number', one({ dtype: 4 })],
  ['has a tensor without a shape', one({ shape: undefined })],
  ['has a tensor of a negative size', one({ shape: [-2, -4] })],
  ['has a tensor of half a row', one({ shape: [0.5, 16] })],
  ['has a tensor of no rows', one({ shape: [0, 4] })],
  ['has a tensor whose sizes overflow together', one({ shape: [2 ** 32, 2 ** 32] })],
  ['has a tensor of a hundred dimensions', one({ shape: new Array(100).fill(1) })],
  ['has a tensor larger than all memory', one({ shape: [2 ** 25, 2 ** 25], data_offsets: [0, 2 ** 52] })],
  ['has a tensor whose sizes are texts', one({ shape: ['2', '4'] })],
  ['has a tensor without a place', one({ data_offsets: undefined })],
  ['has a tensor with one end', one({ data_offsets: [0] })],
  ['has a tensor that begins before the data', one({ data_offsets: [-32, 0] })],
  ['has a tensor that ends before it begins', one({ data_offsets: [32, 0] })],
  ['has a tensor at half a byte', one({ data_offsets: [0.5, 32.5] })],
  ['has a tensor of other bytes than its shape', one({ data_offsets: [0, 31] })],
  ['has a tensor past its end', one({ data_offsets: [4, 36] })],
  ['has tensors that share bytes', json({ a: entry(), b: entry({ data_offsets: [28, 60] }) }, 60)],
  ['is cut inside its header', sound.subarray(0, 20)],
  ['is cut inside its last tensor', sound.subarray(0, sound.length - 1)],
];

describe('A damaged safetensors file is refused with a sentence, when it', () => {
  test.each(damages)('%s', async (_, bytes) => {
    await expect(open(bytes)).rejects.toMatchObject({
      name: 'ModelError',
      code: 'invalid-checkpoint',
      message: expect.stringMatching(/\.$/),
    });
  });

  test('is cut anywhere at all', async () => {
    for (let size = 0; size < sound.length; size++) {
      await expect(open(sound.subarray(0, size)), `cut at ${size}`).rejects.toMatchObject({ name: 'ModelError' });
    }
  });
});
