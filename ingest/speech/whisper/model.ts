/**
 * Whisper's two networks as ONNX files, run by ONNX Runtime's WebAssembly on this thread alone: it reads neither the disk nor the
 * network and needs no native code, so it may stand in the process that parses an untrusted recording.
 */
import { open, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as Runtime from 'onnxruntime-web/wasm';
import { numFrames } from './features.ts';
import { withOutputs } from './network-file.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

/** What was heard in one stretch; `release` as soon as it is written down. */
export type Heard = {
  /**
   * Feeds tokens to the decoder from the beginning. The answer is the scores (before softmax) of every token that may follow:
   * float32 [tokens.length, numTokens].
   */
  begin(tokens: readonly number[]): Promise<Float32Array>;
  /** Feeds one more token; the scores of what may follow it. */
  next(token: number): Promise<Float32Array>;
};

export type SpeechModel = {
  vocabulary: Vocabulary;
  numBands: number;
  /** `features`: float32 [numBands, numFrames]. */
  hear(features: Float32Array): Promise<Heard>;
};

type Ort = typeof Runtime;
type Tensor = Runtime.Tensor;

const mostJsonBytes = 16e6;
const mostNetworkBytes = 1e9;

export const modelFiles = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'onnx/encoder_model_quantized.onnx',
  'onnx/decoder_model_merged_quantized.onnx',
] as const;

/** Loads the model of a folder with `modelFiles`. Throws where one is missing or is not what it should be. */
export async function loadSpeechModel(folder: string): Promise<SpeechModel> {
  const json = async (name: string): Promise<unknown> =>
    JSON.parse(new TextDecoder().decode(await readBounded(join(folder, name), mostJsonBytes)));
  const config = await json('config.json');
  const vocabulary = readVocabulary(config, await json('generation_config.json'), await json('tokenizer.json'));
  const facts = config as Record<string, unknown>;
  const width = count(facts.d_model, 4096);
  const heads = count(facts.decoder_attention_heads, 64);
  const numBands = count(facts.num_mel_bins, 256);

  const ort = await loadRuntime();
  const load = async (name: string, isWanted: (output: string) => boolean) =>
    ort.InferenceSession.create(withOutputs(await readBounded(join(folder, name), mostNetworkBytes), isWanted), {
      executionProviders: ['wasm'],
      intraOpNumThreads: 1,
      enableCpuMemArena: false, // it would keep the most that the encoder ever needed
    });
  const encoder = await load('onnx/encoder_model_quantized.onnx', (output) => output === 'last_hidden_state');
  const decoder = await load('onnx/decoder_model_merged_quantized.onnx', (output) => !output.includes('attentions'));
  const pastNames = decoder.inputNames.filter((name) => name.startsWith('past_key_values.'));
  const presentOf = (name: string): string => name.replace('past_key_values', 'present');
  const ownNames = pastNames.filter((name) => name.includes('.decoder.'));
  const empty = () => new ort.Tensor('float32', new Float32Array(0), [1, heads, 0, width / heads]);
  const firstOutputs = ['logits', ...pastNames.map(presentOf)];
  const nextOutputs = ['logits', ...ownNames.map(presentOf)];

  async function hear(features: Float32Array): Promise<Heard> {
    const input = new ort.Tensor('float32', features, [1, numBands, numFrames]);
    const heard = (await encoder.run({ input_features: input }, ['last_hidden_state'])).last_hidden_state!;
    const past: Record<string, Tensor> = {};

    async function feed(tokens: readonly number[], isFirst: boolean): Promise<Float32Array> {
      const ids = new ort.Tensor('int64', BigInt64Array.from(tokens, BigInt), [1, tokens.length]);
      const outputs = await decoder.run(
        {
          input_ids: ids,
          encoder_hidden_states: heard,
          use_cache_branch: new ort.Tensor('bool', [!isFirst], [1]),
          ...past,
        },
        isFirst ? firstOutputs : nextOutputs,
      );
      for (const name of isFirst ? pastNames : ownNames) past[name] = outputs[presentOf(name)]!;
      return outputs.logits!.data as Float32Array;
    }
    return {
      begin(tokens) {
        for (const name of pastNames) past[name] = empty();
        return feed(tokens, true);
      },
      next: (token) => feed([token], false),
    };
  }
  return { vocabulary, numBands, hear };
}

/** The runtime with its program handed in: it looks for nothing by itself. */
async function loadRuntime(): Promise<Ort> {
  const program = createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm');
  const ort = (await import('onnxruntime-web/wasm')) as Ort;
  ort.env.wasm.wasmBinary = new Uint8Array(await readFile(program));
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  return ort;
}

async function readBounded(path: string, mostBytes: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size === 0 || size > mostBytes) throw new Error('A file of the speech model has no size that it could have.');
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

function count(value: unknown, most: number): number {
  if (!Number.isInteger(value) || Number(value) < 1 || Number(value) > most)
    throw new Error('The speech model is not of a known shape.');
  return Number(value);
}
