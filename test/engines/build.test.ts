import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPlan, openCheckpoint } from '../../engines/build/build.ts';
import { readLlama2cTokenizer } from '../../engines/build/llama2c-checkpoint.ts';
import { readPlanTokenizer, verifyPlan } from '../../engines/plan/format.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';
import { openNative } from '../native/native.ts';
import { bytesOf, hasShared, randomNumbers, sharedData, withFolder, writeTo } from './checkpoints.ts';

const sizes = { hidden: 32, inner: 48, layers: 1, heads: 4, kvHeads: 2, vocabulary: 262, context: 16 };

/** A model of llama2.c with random weights. */
function llama2cFile(change: Partial<typeof sizes> = {}): Buffer {
  const { hidden, inner, layers, heads, kvHeads, vocabulary, context } = { ...sizes, ...change };
  const kv = (hidden / heads) * kvHeads;
  const perLayer = 2 * hidden + 2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * inner;
  const count = vocabulary * hidden + layers * perLayer + hidden + (context * hidden) / heads;
  const header = Int32Array.of(hidden, inner, layers, heads, kvHeads, vocabulary, context);
  return Buffer.concat([new Uint8Array(header.buffer), new Uint8Array(randomNumbers(count, 7).buffer)]);
}

/** Its tokenizer: the control pieces, all bytes, a space and two letters. */
function llama2cTokenizer(): Buffer {
  const pieces = ['<unk>', '\n<s>\n', '\n</s>\n'];
  for (let byte = 0; byte < 256; byte++) pieces.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  pieces.push(' ', 'a', ' a');
  return bytesOf({ u32: 8 }, ...pieces.flatMap((piece, at) => [bytesOf({ f32: -at }, { u32: piece.length }, piece)]));
}

/** Float32 and order alone: what a packer must do for a small model. */
const copying = {
  async pack(request: { bytes: Uint8Array; to: string; numRows: number; numColumns: number; rowOrder?: Int32Array }) {
    expect(request.to).toBe('f32');
    const rowBytes = request.numColumns * 4;
    expect(request.bytes.length).toBe(request.numRows * rowBytes);
    const { rowOrder, bytes } = request;
    if (rowOrder === undefined) return bytes;
    return Buffer.concat([...rowOrder].map((row) => bytes.subarray(row * rowBytes, (row + 1) * rowBytes)));
  },
};

async function writeModel(folder: string, model = llama2cFile()): Promise<string> {
  await writeTo(folder, `tok${sizes.vocabulary}.bin`, llama2cTokenizer());
  return writeTo(folder, 'tiny.bin', model);
}

describe('A checkpoint of llama2.c', () => {
  test('becomes a plan that verifies, with its tokenizer and every weight', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'tiny.plan');
      const seen: number[] = [];
      const header = await buildPlan({
        checkpoint: await writeModel(folder),
        out,
        builder: copying,
        onProgress: ({ doneBytes, totalBytes }) => seen.push(doneBytes / totalBytes),
      });
      expect(await verifyPlan(out)).toEqual(header);
      expect(header).toMatchObject({
        architecture: 'llama',
        role: 'chat',
        vocabularySize: 262,
        contextTokens: 16,
        startIds: [1],
        kv: { type: 'f32', numLayers: 1, numHeads: 2, headSize: 8 },
      });
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.at(-1)).toBe(1);
      const tokenizer = loadTokenizer(await readPlanTokenizer(out, header));
      expect([...tokenizer.encode('a é')]).toEqual([1, 261, 259, 3 + 0xc3, 3 + 0xa9]);

      // Row 1 of the queries was row 2 of the checkpoint: pairs side by side became pairs half a head apart.
      const file = await readFile(out);
      const fused = header.tensors.find(({ name }) => name.includes('q_proj'))!;
      const checkpoint = await openCheckpoint(join(folder, 'tiny.bin'));
      const q = await checkpoint.read('model.layers.0.self_attn.q_proj.weight');
      await checkpoint.close();
      expect(file.subarray(fused.offset + 128, fused.offset + 256)).toEqual(Buffer.from(q.subarray(256, 384)));
    }));

  test('is refused when it is cut, longer, of impossible sizes, or without a tokenizer', () =>
    withFolder(async (folder) => {
      const sound = llama2cFile();
      const changed = (at: number, value: number) => {
        const bytes = Buffer.from(sound);
        bytes.writeInt32LE(value, 4 * at);
        return bytes;
      };
      const bad = [
        sound.subarray(0, 20),
        sound.subarray(0, sound.length - 4),
        Buffer.concat([sound, Buffer.alloc(4)]),
        ...[0, 1, 2, 3, 4, 6].flatMap((at) => [changed(at, 0), changed(at, -1), changed(at, 2 ** 31 - 1)]),
        changed(3, 5),
        changed(4, 3),
        changed(5, 0),
        changed(5, -(2 ** 31)),
      ];
      for (const [at, bytes] of bad.entries()) {
        const path = await writeModel(folder, bytes);
        await expect(openCheckpoint(path), `number ${at}`).rejects.toMatchObject({ code: 'invalid-checkpoint' });
      }
      const alone = await writeTo(folder, 'alone.bin', llama2cFile({ vocabulary: 300 }));
      await expect(buildPlan({ checkpoint: alone, out: join(folder, 'p'), builder: copying })).rejects.toThrow(
        /no tokenizer/,
      );
      for (const size of [0, 5, 100, llama2cTokenizer().length - 1]) {
        const path = await writeTo(folder, 'tokenizer.cut', llama2cTokenizer().subarray(0, size));
        await expect(readLlama2cTokenizer(path, 262)).rejects.toMatchObject({ code: 'invalid-checkpoint' });
      }
    }));

  test('leaves nothing behind when building is cancelled or packing fails', () =>
    withFolder(async (folder) => {
      const checkpoint = await writeModel(folder);
      const before = await readdir(folder);
      const stop = new AbortController();
      const options = { checkpoint, out: join(folder, 'plan'), builder: copying };
      await expect(
        buildPlan({ ...options, signal: stop.signal, onProgress: () => stop.abort() }),
      ).rejects.toMatchObject({ code: 'cancelled' });
      const failing = { pack: () => Promise.reject(new Error('full')) };
      await expect(buildPlan({ ...options, builder: failing })).rejects.toThrow('model.embed_tokens.weight: full');
      expect(await readdir(folder)).toEqual(before);
    }));
});

describe('A checkpoint is refused with one sentence', () => {
  test('when there is none, when it is a folder without a model, when its index leads outside', () =>
    withFolder(async (folder) => {
      await expect(openCheckpoint(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'invalid-input' });
      await expect(openCheckpoint(folder)).rejects.toThrow(/holds no config\.json/);
      await writeTo(folder, 'config.json', JSON.stringify({ model_type: 'llama' }));
      await expect(openCheckpoint(folder)).rejects.toThrow(/holds no safetensors file/);
      const index = { weight_map: { a: '../../../etc/passwd' } };
      await writeTo(folder, 'model.safetensors.index.json', JSON.stringify(index));
      await expect(openCheckpoint(folder)).rejects.toThrow(/outside its folder/);
    }));
});

const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };

describe.skipIf(!hasShared)('stories260K, built and run', () => {
  const weights = join(sharedData, 'weights');
  const build = async (out: string, fuse: boolean) =>
    buildPlan({ checkpoint: join(weights, 'stories260K.bin'), out, builder: (await openNative()).builder, fuse });

  test('tells its story word by word as it was published', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'stories.plan');
      const header = await build(out, true);
      const tokenizer = loadTokenizer(await readPlanTokenizer(out, header));
      const engine = await (await openNative()).loadEngine({ plan: out, kvTokens: 256 });
      const decoder = tokenizer.streamDecoder();
      let text = '';
      const request = { ids: tokenizer.encode(''), maxTokens: 200, stopIds: [], sampling: greedy, priority: 0 };
      for await (const event of engine.generate(request)) if (event.type === 'tokens') text += decoder.push(event.ids);
      await engine.close();
      expect(text + decoder.end()).toBe(await readFile(join(weights, 'stories260K.expected_t0_n200.txt'), 'utf8'));
    }));

  test('gives the same probabilities fused and as it was written', () =>
    withFolder(async (folder) => {
      const scores: Float32Array[] = [];
      for (const fuse of [true, false]) {
        const out = join(folder, `${fuse}.plan`);
        const header = await build(out, fuse);
        const tokenizer = loadTokenizer(await readPlanTokenizer(out, header));
        const engine = await (await openNative()).loadEngine({ plan: out, kvTokens: 256 });
        scores.push(await engine.score(tokenizer.encode('Once upon a time, there was a big dog named Tom.')));
        await engine.close();
      }
      const [fused, written] = scores as [Float32Array, Float32Array];
      expect(fused.length).toBeGreaterThan(10);
      for (let i = 1; i < fused.length; i++) expect(Math.abs(fused[i]! - written[i]!)).toBeLessThan(1e-5);
    }));
});
