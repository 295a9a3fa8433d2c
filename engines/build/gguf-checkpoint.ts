/** A GGUF file as a checkpoint: its names and metadata in the words of the hub, which the architectures read. */
import { type GgufNames, noFacts } from '../architectures/architecture.ts';
import { ggufNamesOf, readModel } from '../architectures/index.ts';
import { ModelError } from '../model-error.ts';
import { tokenizerFromGguf } from '../tokenizer/from-gguf.ts';
import type { TokenizerJson } from '../tokenizer/types.ts';
import { chatFormatOf } from './chat-format.ts';
import { type Checkpoint, type CheckpointTensor, damaged } from './checkpoint.ts';
import { type GgufModel, openGgufModel } from './gguf-shards.ts';

function hubNameOf(ggufName: string, names: GgufNames): string {
  const layer = /^blk\.(\d+)\.([a-z0-9_]+)\.(weight|bias)$/.exec(ggufName);
  const own = (table: Readonly<Record<string, string>>, name: string) =>
    Object.hasOwn(table, name) ? table[name] : undefined;
  const inLayer = layer === null ? undefined : own(names.layerTensors, layer[2]!);
  return inLayer === undefined
    ? (own(names.tensors, ggufName) ?? ggufName)
    : `${names.layers}.${layer![1]}.${inLayer}.${layer![3]}`;
}

/** Opens a GGUF file, or all of a model in several, of any architecture that has GGUF names. */
export async function openGgufCheckpoint(path: string, contextTokens: number | null = null): Promise<Checkpoint> {
  const gguf = await openGgufModel(path);
  try {
    const names = ggufNamesOf(gguf.metadata.get('general.architecture'));
    const places = new Map(gguf.tensors.map((tensor) => [hubNameOf(tensor.name, names), tensor]));
    if (places.size !== gguf.tensors.length) throw damaged(gguf.path, 'it has a tensor by two names');
    const tensors = [...places].map(([name, { rows, columns, type, sizeBytes }]): CheckpointTensor => {
      return { name, rows, columns, type, sizeBytes };
    });
    const placeOf = (name: string) => {
      const place = places.get(name);
      if (place === undefined) throw new ModelError('invalid-input', `There is no tensor ${name}.`);
      return place;
    };
    const read = async (name: string): Promise<Uint8Array> => {
      const { file, offset, sizeBytes } = placeOf(name);
      return file.at(offset, sizeBytes);
    };
    const tokenizer = tokenizerOf(gguf);
    const template = gguf.metadata.get('tokenizer.chat_template');
    const id = (name: string): number[] => {
      const value = gguf.metadata.get(`tokenizer.ggml.${name}_token_id`);
      return typeof value === 'number' && value >= 0 ? [value] : [];
    };
    const name = gguf.metadata.get('general.name');
    const facts = {
      ...noFacts,
      adjacentPairs: names.adjacentPairs,
      rowsInOrder: true,
      normsHoldOne: names.normsHoldOne === true,
      ropeDivisors: (await numbersOf(gguf, 'rope_freqs.weight', read)) ?? null,
      contextTokens,
    };
    const model = readModel(await hubConfigOf(gguf, names, read), path, facts);
    const called = typeof name === 'string' ? name : names.architecture;
    const own = typeof template === 'string' && template.trim() !== '' ? template : null;
    return {
      name: called,
      model,
      tensors,
      read,
      async readRange(name, offset, sizeBytes) {
        const place = placeOf(name);
        return place.file.at(place.offset + offset, sizeBytes);
      },
      tokenizer,
      startIds: tokenizer !== null && tokenizer.type !== 'huggingface' ? tokenizer.startIds : id('bos'),
      ...chatFormatOf({ model, name: called, template: own, tokenizer, stopIds: [...id('eos'), ...id('eot')] }),
      close: gguf.close,
    };
  } catch (error) {
    await gguf.close();
    throw error;
  }
}

/** What is not as it should be fails somewhere inside. */
function tokenizerOf({ metadata, path }: GgufModel): TokenizerJson | null {
  try {
    return tokenizerFromGguf(metadata);
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw damaged(path, 'its tokenizer is not as it should be', cause);
  }
}

/** The metadata as the config.json that the hub would have. */
async function hubConfigOf(
  gguf: GgufModel,
  names: GgufNames,
  read: (name: string) => Promise<Uint8Array>,
): Promise<Record<string, unknown>> {
  const { metadata } = gguf;
  const value = (key: string): unknown => metadata.get(`${names.architecture}.${key}`);
  if ((value('expert_count') ?? 0) !== 0) {
    throw new ModelError('unsupported-model', 'Mixtures of experts are not read here.');
  }
  const config: Record<string, unknown> = { model_type: names.modelType, ...names.constants };
  for (const [hubKey, ggufKey] of Object.entries(names.config)) {
    if (value(ggufKey) !== undefined) config[hubKey] = value(ggufKey);
  }
  // The table of tokens is what counts; the metadata may leave the size out.
  config.vocab_size = gguf.tensors.find(({ name }) => name === 'token_embd.weight')?.rows ?? config.vocab_size;
  const long = await numbersOf(gguf, 'rope_factors_long.weight', read);
  const scaling = long === undefined ? (value('rope.scaling.type') ?? 'none') : 'longrope';
  // `llama3` comes as divisors in a tensor, LongRoPE's lists as two.
  if (scaling !== 'none' && scaling !== 'llama3') {
    config.rope_scaling = {
      rope_type: scaling,
      factor: value('rope.scaling.factor'),
      original_max_position_embeddings: value('rope.scaling.original_context_length'),
      attention_factor: value('rope.scaling.attn_factor') ?? value('rope.scaling.yarn_attn_factor'),
      beta_fast: value('rope.scaling.yarn_beta_fast'),
      beta_slow: value('rope.scaling.yarn_beta_slow'),
      long_factor: long && [...long],
      short_factor: [...((await numbersOf(gguf, 'rope_factors_short.weight', read)) ?? [])],
    };
  }
  return { ...config, ...names.derive?.(config) };
}

/** What each rotary frequency is divided by: Llama 3.1 has one such tensor, Phi-3 one for short texts and one for long. */
async function numbersOf(
  gguf: GgufModel,
  name: string,
  read: (name: string) => Promise<Uint8Array>,
): Promise<Float32Array | undefined> {
  const tensor = gguf.tensors.find((one) => one.name === name);
  if (tensor === undefined) return undefined;
  if (tensor.type !== 'f32' || tensor.columns > 4096) throw damaged(gguf.path, `${name} is misshapen`);
  const bytes = Buffer.from(await read(name));
  return Float32Array.from({ length: tensor.columns }, (_, i) => bytes.readFloatLE(4 * i));
}
