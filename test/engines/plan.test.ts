import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  planAlignment,
  planTensorBytes,
  readPlanHeader,
  readPlanTokenizer,
  verifyPlan,
} from '../../engines/plan/format.ts';
import { type PlanWithoutSections, writePlan } from '../../engines/plan/write-plan.ts';
import { withFolder, writeTo } from './checkpoints.ts';

const plan: PlanWithoutSections = {
  architecture: 'llama',
  name: 'Test 山田',
  role: 'chat',
  vocabularySize: 16,
  contextTokens: 64,
  embeddingSize: 0,
  startIds: [1],
  stopIds: [2],
  kv: { type: 'f32', numLayers: 1, numHeads: 1, headSize: 8 },
  template: null,
  program: {
    buffers: [{ rows: 'tokens', width: 32 }],
    steps: [{ op: 'embed', in: [], out: [[0, 0, 32]], weights: [0], scale: 1 }],
    output: 0,
  },
  tensors: [
    { name: 'table', type: 'q8', rows: 16, columns: 32 },
    { name: 'norm', type: 'f32', rows: 1, columns: 32 },
  ],
};

async function* parts(...sizes: number[]): AsyncIterable<Uint8Array> {
  for (const size of sizes) yield new Uint8Array(size).fill(size % 251);
}
const partsOf = (index: number) => (index === 0 ? parts(500, 44) : parts(128));

async function writeTest(folder: string): Promise<string> {
  const out = join(folder, 'a plan.quoth');
  await writePlan({ out, plan, tokenizer: { some: 'tokenizer ½' }, partsOf });
  return out;
}

describe('A plan', () => {
  test('is read as it was written', () =>
    withFolder(async (folder) => {
      const out = await writeTest(folder);
      const header = await readPlanHeader(out);
      expect(header).toMatchObject({ ...plan, tensors: [{ name: 'table' }, { name: 'norm' }] });
      expect(await readPlanTokenizer(out, header)).toEqual({ some: 'tokenizer ½' });
      expect(await verifyPlan(out)).toEqual(header);
      expect(await readdir(folder)).toEqual(['a plan.quoth']);
    }));

  test('may be one of a reranker, with all types of tensors', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'reranker.quoth');
      const types = ['int4_g32', 'int4_g128', 'f8', 'i32'] as const;
      const tensors = types.map((type) => ({ name: type, type, rows: 1, columns: 128 }));
      const sizes = tensors.map(({ type, rows, columns }) => planTensorBytes(type, rows, columns)!);
      const pair = { start: [1], between: [2], end: [2] };
      const reranker = { ...plan, role: 'reranker' as const, kv: null, tensors, pair };
      await writePlan({ out, plan: reranker, tokenizer: {}, partsOf: (index) => parts(sizes[index]!) });
      expect(await readPlanHeader(out)).toMatchObject({ role: 'reranker', tensors });
    }));

  test('has its sections at multiples of 4096 with their hashes, up to its end', () =>
    withFolder(async (folder) => {
      const out = await writeTest(folder);
      const bytes = await readFile(out);
      const { tokenizer, tensors } = await readPlanHeader(out);
      for (const { offset, sizeBytes, sha256 } of [tokenizer, ...tensors]) {
        expect(offset % planAlignment).toBe(0);
        expect(
          createHash('sha256')
            .update(bytes.subarray(offset, offset + sizeBytes))
            .digest('hex'),
        ).toBe(sha256);
      }
      expect(tensors.at(-1)!.offset + tensors.at(-1)!.sizeBytes).toBe(bytes.length);
    }));

  test('is not there at all when writing it fails or is cancelled', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'plan');
      await expect(writePlan({ out, plan, tokenizer: {}, partsOf: () => parts(7) })).rejects.toThrow(
        /table is smaller/,
      );
      await expect(writePlan({ out, plan, tokenizer: {}, partsOf: () => parts(600) })).rejects.toThrow(
        /table is larger/,
      );
      const signal = AbortSignal.abort();
      await expect(writePlan({ out, plan, tokenizer: {}, partsOf, signal })).rejects.toMatchObject({
        code: 'cancelled',
      });
      expect(await readdir(folder)).toEqual([]);
    }));

  test('is refused when any byte of its head is changed, and by its check when any other is', () =>
    withFolder(async (folder) => {
      const bytes = await readFile(await writeTest(folder));
      const headEnd = 48 + bytes.readUInt32LE(12);
      for (let at = 0; at < headEnd; at += 7) {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= 0x10;
        const path = await writeTo(folder, 'damaged', damaged);
        await expect(readPlanHeader(path), `byte ${at}`).rejects.toMatchObject({ code: 'invalid-plan' });
      }
      const header = await readPlanHeader(join(folder, 'a plan.quoth'));
      for (const { offset } of [header.tokenizer, ...header.tensors]) {
        const damaged = Buffer.from(bytes);
        damaged[offset + 5]! ^= 1;
        const path = await writeTo(folder, 'damaged', damaged);
        await expect(verifyPlan(path)).rejects.toMatchObject({ code: 'invalid-plan' });
      }
      for (const size of [0, 7, 47, 48, 100, headEnd, bytes.length - 1]) {
        const path = await writeTo(folder, 'damaged', bytes.subarray(0, size));
        await expect(readPlanHeader(path), `cut at ${size}`).rejects.toMatchObject({ code: 'invalid-plan' });
      }
      const longer = await writeTo(folder, 'damaged', Buffer.concat([bytes, Buffer.alloc(1)]));
      await expect(readPlanHeader(longer)).rejects.toThrow(/longer/);
    }));

  type Json = Record<string, unknown>;
  const lies: [string, (header: Json) => void][] = [
    [
      'a view outside its buffer',
      (h) => ((h.program as Json).steps = [{ op: 'embed', in: [], out: [[0, 1, 32]], weights: [0] }]),
    ],
    ['a buffer that is not there', (h) => ((h.program as Json).output = 1)],
    [
      'a tensor that is not there',
      (h) => ((h.program as Json).steps = [{ op: 'embed', in: [], out: [], weights: [2] }]),
    ],
    ['a tensor of another size than its shape', (h) => ((h.tensors as Json[])[1]!.columns = 31)],
    ['a tensor of an unknown type', (h) => ((h.tensors as Json[])[1]!.type = 'q3')],
    ['4 bits without levels', (h) => Object.assign((h.tensors as Json[])[0]!, { type: 'q4', columns: 32, rows: 16 })],
    ['a section inside another', (h) => ((h.tensors as Json[])[1]!.offset = (h.tensors as Json[])[0]!.offset)],
    ['a section that is not aligned', (h) => ((h.tokenizer as Json).offset = 4097)],
    ['a role that is none', (h) => (h.role = 'painter')],
    ['ids past the vocabulary', (h) => (h.stopIds = [16])],
    ['a size of minus one', (h) => (h.contextTokens = -1)],
    ['no kv heads', (h) => ((h.kv as Json).numHeads = 0)],
  ];
  test.each(lies)('is refused when its header, soundly hashed, states %s', (_, lie) =>
    withFolder(async (folder) => {
      const bytes = await readFile(await writeTest(folder));
      const header = JSON.parse(bytes.toString('utf8', 48, 48 + bytes.readUInt32LE(12)));
      lie(header);
      const text = Buffer.from(JSON.stringify(header));
      const forged = Buffer.concat([
        bytes.subarray(0, 48),
        text,
        Buffer.alloc(planAlignment - ((48 + text.length) % planAlignment)),
      ]);
      forged.writeUInt32LE(text.length, 12);
      createHash('sha256').update(text).digest().copy(forged, 16);
      const path = join(folder, 'forged');
      await writeFile(path, Buffer.concat([forged, bytes.subarray(forged.length)]));
      await expect(readPlanHeader(path)).rejects.toMatchObject({ code: 'invalid-plan' });
    }),
  );
});

test('A tensor takes the bytes that the format states', () => {
  expect(planTensorBytes('f32', 3, 5)).toBe(60);
  expect(planTensorBytes('f16', 3, 5)).toBe(30);
  expect(planTensorBytes('q8', 17, 64)).toBe(2 * 2 * 544);
  expect(planTensorBytes('q4', 16, 32)).toBe(288);
  expect(planTensorBytes('q4', 16, 48)).toBeNull();
  expect(planTensorBytes('int4_g32', 17, 64)).toBe(2 * 2 * 320);
  expect(planTensorBytes('int4_g128', 17, 256)).toBe(2 * 2 * 1088);
  expect(planTensorBytes('int4_g128', 16, 96)).toBeNull();
  expect(planTensorBytes('f8', 3, 50)).toBe(192 + 12);
  expect(planTensorBytes('f8', 2, 32)).toBe(64 + 8);
  expect(planTensorBytes('i32', 1, 7)).toBe(28);
  expect(planTensorBytes('i32', 2, 7)).toBeNull();
  expect(planTensorBytes('f32', 0, 5)).toBeNull();
  expect(planTensorBytes('f32', 2 ** 31, 2 ** 31)).toBeNull();
});
