import { describe, expect, test } from 'vitest';
import { openGguf } from '../../engines/build/gguf.ts';
import { bytesOf, type GgufTensorSpec, ggufFile, ggufText, withFolder, writeTo } from './checkpoints.ts';

const text = (key: string, value: string) => bytesOf(ggufText(key), { u32: 8 }, ggufText(value));
const u32 = (key: string, value: number) => bytesOf(ggufText(key), { u32: 4 }, { u32: value });
const tensor = (change: Partial<GgufTensorSpec> = {}): GgufTensorSpec => ({
  name: 'a',
  dimensions: [32, 2],
  type: 0,
  offset: 0,
  ...change,
});

async function open(bytes: Buffer) {
  return withFolder(async (folder) => {
    const gguf = await openGguf(await writeTo(folder, 'model.gguf', bytes));
    await gguf.file.close();
    return gguf;
  });
}

describe('A sound GGUF file', () => {
  test('gives its metadata and its tensors with their places', async () => {
    const list = bytesOf(ggufText('list'), { u32: 9 }, { u32: 6 }, { u64: 2 }, { f32: 0.5 }, { f32: -2 });
    const gguf = await open(
      ggufFile({
        metadata: [text('general.name', 'Führer 山田'), u32('n', 7), list],
        tensors: [tensor(), tensor({ name: 'b', dimensions: [256], type: 16, offset: 256 })],
        dataBytes: 256 + 66,
      }),
    );
    expect([...gguf.metadata]).toEqual([
      ['general.name', 'Führer 山田'],
      ['n', 7],
      ['list', [0.5, -2]],
    ]);
    expect(gguf.tensors).toMatchObject([
      { name: 'a', rows: 2, columns: 32, type: 'f32', sizeBytes: 256 },
      { name: 'b', rows: 1, columns: 256, type: 'iq2_xxs', sizeBytes: 66 },
    ]);
    expect(gguf.tensors[1]!.offset - gguf.tensors[0]!.offset).toBe(256);
  });

  test('may be of version 2 and may state its alignment', async () => {
    const gguf = await open(
      ggufFile({ version: 2, metadata: [u32('general.alignment', 64)], tensors: [], dataBytes: 64 }),
    );
    expect(gguf.tensors).toEqual([]);
  });
});

const huge = 2n ** 63n;
const sound = ggufFile({ metadata: [text('k', 'v')], tensors: [tensor()], dataBytes: 256 });
const damages: [string, Buffer][] = [
  ['is empty', Buffer.alloc(0)],
  ['is three bytes', Buffer.from('GGU')],
  ['begins with something else', ggufFile({ magic: 'GGML', tensors: [tensor()], dataBytes: 256 })],
  ['is of version 1', ggufFile({ version: 1 })],
  ['is of a version to come', ggufFile({ version: 99 })],
  ['is big-endian', ggufFile({ version: 0x03000000 })],
  ['claims 2^63 tensors', ggufFile({ numTensors: huge })],
  ['claims a million tensors', ggufFile({ numTensors: 1_000_000, dataBytes: 4096 })],
  ['claims more tensors than it has', ggufFile({ numTensors: 2, tensors: [tensor()], dataBytes: 256 })],
  ['claims 2^63 entries of metadata', ggufFile({ numMetadata: huge })],
  ['claims more metadata than it has', ggufFile({ numMetadata: 40, metadata: [text('k', 'v')], dataBytes: 64 })],
  ['has a key longer than the file', ggufFile({ numMetadata: 1, metadata: [bytesOf({ u64: 60_000 }, 'k')] })],
  ['has a key of 2^63 bytes', ggufFile({ numMetadata: 1, metadata: [bytesOf({ u64: huge }, 'k')] })],
  [
    'has a text of 2^40 bytes',
    ggufFile({ metadata: [bytesOf(ggufText('k'), { u32: 8 }, { u64: 2 ** 40 })], dataBytes: 64 }),
  ],
  ['has the same key twice', ggufFile({ metadata: [text('k', 'v'), text('k', 'w')] })],
  ['has a value of an unknown type', ggufFile({ metadata: [bytesOf(ggufText('k'), { u32: 13 })], dataBytes: 64 })],
  [
    'has a list of 2^61 numbers',
    ggufFile({ metadata: [bytesOf(ggufText('k'), { u32: 9 }, { u32: 10 }, { u64: 2n ** 61n })], dataBytes: 64 }),
  ],
  [
    'has a list longer than the file',
    ggufFile({ metadata: [bytesOf(ggufText('k'), { u32: 9 }, { u32: 10 }, { u64: 60 })], dataBytes: 64 }),
  ],
  [
    'has lists in lists',
    ggufFile({ metadata: [bytesOf(ggufText('k'), { u32: 9 }, { u32: 9 }, { u64: 1 })], dataBytes: 64 }),
  ],
  ['has an alignment of zero', ggufFile({ metadata: [u32('general.alignment', 0)] })],
  ['has an alignment of 48', ggufFile({ metadata: [u32('general.alignment', 48)] })],
  ['has a text as alignment', ggufFile({ metadata: [text('general.alignment', '32')] })],
  ['has a tensor twice', ggufFile({ tensors: [tensor(), tensor({ offset: 256 })], dataBytes: 512 })],
  ['has a tensor without dimensions', ggufFile({ tensors: [tensor({ dimensions: [] })], dataBytes: 256 })],
  [
    'has a tensor of nine dimensions',
    ggufFile({ tensors: [tensor({ dimensions: new Array(9).fill(1) })], dataBytes: 256 }),
  ],
  ['has a tensor of no rows', ggufFile({ tensors: [tensor({ dimensions: [32, 0] })], dataBytes: 256 })],
  ['has a tensor of 2^62 columns', ggufFile({ tensors: [tensor({ dimensions: [2n ** 62n] })], dataBytes: 256 })],
  [
    'has a tensor whose sizes overflow together',
    ggufFile({ tensors: [tensor({ dimensions: [2n ** 32n, 2n ** 32n] })], dataBytes: 256 }),
  ],
  [
    'has a tensor that is larger than all memory',
    ggufFile({ tensors: [tensor({ dimensions: [2n ** 26n, 2n ** 26n] })], dataBytes: 256 }),
  ],
  ['has a tensor of an unknown type', ggufFile({ tensors: [tensor({ type: 77 })], dataBytes: 256 })],
  ['has a tensor of a removed type', ggufFile({ tensors: [tensor({ type: 4 })], dataBytes: 256 })],
  ['has columns that are no whole blocks', ggufFile({ tensors: [tensor({ type: 12 })], dataBytes: 256 })],
  ['has a tensor past its end', ggufFile({ tensors: [tensor({ offset: 32 })], dataBytes: 256 })],
  ['has a tensor at 2^53', ggufFile({ tensors: [tensor({ offset: 2n ** 53n })], dataBytes: 256 })],
  ['has a tensor that is not aligned', ggufFile({ tensors: [tensor({ offset: 1 })], dataBytes: 512 })],
  [
    'has tensors that share bytes',
    ggufFile({ tensors: [tensor(), tensor({ name: 'b', offset: 224 })], dataBytes: 512 }),
  ],
  ['is cut inside its head', sound.subarray(0, 40)],
  ['is cut inside its last tensor', sound.subarray(0, sound.length - 1)],
];

describe('A damaged GGUF file is refused with a sentence, when it', () => {
  test.each(damages)('%s', async (_, bytes) => {
    await expect(open(bytes)).rejects.toMatchObject({
      name: 'ModelError',
      code: expect.stringMatching(/^(invalid-checkpoint|unsupported-model)$/),
      message: expect.stringMatching(/\.$/),
    });
  });

  test('is cut anywhere at all', async () => {
    for (let size = 0; size < sound.length; size += 3) {
      await expect(open(sound.subarray(0, size)), `cut at ${size}`).rejects.toMatchObject({ name: 'ModelError' });
    }
  });
});
