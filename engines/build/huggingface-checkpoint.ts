/** A folder as the Hugging Face hub publishes it: config.json, *.safetensors, tokenizer.json. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { noFacts } from '../architectures/architecture.ts';
import { architectureOf, readModel } from '../architectures/index.ts';
import { chatTemplateOf } from '../built-in-templates.ts';
import { ModelError } from '../model-error.ts';
import { tokenizerFromSentencePiece } from '../tokenizer/from-sentencepiece.ts';
import { tokenizerFromJson } from '../tokenizer/from-tokenizer-json.ts';
import { pairIdsOf } from '../tokenizer/pair.ts';
import type { TokenizerJson } from '../tokenizer/types.ts';
import { chatFormatOf } from './chat-format.ts';
import { type Checkpoint, type CheckpointTensor, damaged, maxTensors, pickled } from './checkpoint.ts';
import { type PieceOfFile, readGroupedLinear, takeGroupedLinears } from './grouped-linears.ts';
import { type Json, readJson, readSmallFile } from './json-file.ts';
import { parseQuantization, type Quantization } from './quantization-config.ts';
import { openSafetensors, type Safetensors } from './safetensors.ts';
import { readSentenceFacts } from './sentence-transformers.ts';

const maxShards = 1000;

/** Opens a folder. Fails with a sentence that names the file at fault. */
export async function openHuggingFaceCheckpoint(
  folder: string,
  contextTokens: number | null = null,
): Promise<Checkpoint> {
  const json = await readJson(folder, 'config.json');
  if (json === null) throw new ModelError('invalid-checkpoint', `${basename(folder)} holds no config.json.`);
  const quantization = await quantizationOf(folder, json);
  const prefix = architectureOf(json.model_type).optionalPrefix ?? '';
  const shards = await openShards(folder);
  const close = async () => {
    for (const shard of shards) await shard.file.close();
  };
  try {
    const { prompts, ...sentences } = await readSentenceFacts(folder);
    const facts = { ...noFacts, ...sentences, contextTokens };
    const model = readModel(json, join(folder, 'config.json'), facts);
    const files = new Map<string, PieceOfFile>();
    for (const { tensors, file } of shards) {
      for (const { offset, ...tensor } of tensors) {
        const name = tensor.name.startsWith(prefix) ? tensor.name.slice(prefix.length) : tensor.name;
        if (files.has(name)) throw damaged(file.path, `the tensor ${name} stands in another place too`);
        files.set(name, {
          ...tensor,
          name,
          path: file.path,
          into: (bytes, first = 0) => file.into(bytes, offset + first),
        });
      }
    }
    const linears = new Map(
      (await takeGroupedLinears(files, quantization)).map((linear) => [linear.name, linear] as const),
    );
    const tokenizerJson = await readJson(folder, 'tokenizer.json');
    const tokenizerConfig = (await readJson(folder, 'tokenizer_config.json')) ?? {};
    const tokenizer =
      tokenizerJson === null
        ? await sentencePieceOf(folder, tokenizerConfig)
        : tokenizerOf(folder, tokenizerJson, tokenizerConfig);
    const generation = (await readJson(folder, 'generation_config.json')) ?? {};
    const idsOf = (value: unknown): number[] => [value].flat().filter((id): id is number => Number.isInteger(id));
    const startIds =
      tokenizer !== null && tokenizer.type !== 'huggingface' ? tokenizer.startIds : idsOf(json.bos_token_id);
    const name = nameOf(json, folder);
    const template = chatTemplateOf(tokenizerConfig, await readTemplate(folder));
    const ends = [...idsOf(json.eos_token_id), ...idsOf(generation.eos_token_id)];
    return {
      name,
      model,
      tensors: [...files.values(), ...linears.values()].map(
        ({ name, rows, columns, type, sizeBytes, ...more }): CheckpointTensor => {
          const order = 'columnOrder' in more ? { columnOrder: more.columnOrder } : {};
          return { name, rows, columns, type, sizeBytes, ...order };
        },
      ),
      async read(name) {
        const linear = linears.get(name);
        if (linear !== undefined) return readGroupedLinear(linear);
        const file = files.get(name);
        if (file === undefined) throw new ModelError('invalid-input', `There is no tensor ${name}.`);
        const bytes = Buffer.allocUnsafeSlow(file.sizeBytes);
        await file.into(bytes);
        return bytes;
      },
      async readRange(name, offset, sizeBytes) {
        const file = files.get(name);
        if (file === undefined) throw new ModelError('invalid-input', `There is no tensor ${name}.`);
        const bytes = Buffer.allocUnsafeSlow(sizeBytes);
        await file.into(bytes, offset);
        return bytes;
      },
      tokenizer,
      startIds,
      ...chatFormatOf({ model, name, template, tokenizer, stopIds: ends }),
      prompts: model.role === 'embedder' ? prompts : null,
      pair: model.role === 'reranker' && tokenizerJson !== null ? pairIdsOf(tokenizerJson, tokenizerConfig) : null,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * How the folder's packed weights were made: in config.json, or in the file that older writers put beside it. Null where
 * nothing says it.
 */
async function quantizationOf(folder: string, config: Json): Promise<Quantization | null> {
  if (config.quantization_config != null) {
    return parseQuantization(config.quantization_config, join(folder, 'config.json'));
  }
  for (const name of ['quantize_config.json', 'quant_config.json']) {
    const old = await readJson(folder, name);
    if (old !== null) return parseQuantization(old, join(folder, name));
  }
  return null;
}

/** The shards that the index names, or every safetensors file of the folder. */
async function openShards(folder: string): Promise<Safetensors[]> {
  const indexName = 'model.safetensors.index.json';
  const index = await readJson(folder, indexName);
  const places = index === null ? null : placesOf(index, join(folder, indexName));
  const files = await readdir(folder);
  const named =
    places === null ? files.filter((name) => name.endsWith('.safetensors')).sort() : [...new Set(places.values())];
  if (named.length === 0) throw withoutSafetensors(folder, files);
  if (named.length > maxShards) {
    throw new ModelError('invalid-checkpoint', `${basename(folder)} has ${named.length} safetensors files.`);
  }
  const shards: Safetensors[] = [];
  try {
    for (const name of named) {
      const shard = await openSafetensors(join(folder, name));
      shards.push(shard);
      const here = new Set(shard.tensors.map((tensor) => tensor.name));
      for (const [tensor, file] of places ?? []) {
        if (file === name && !here.has(tensor)) {
          throw damaged(join(folder, indexName), `it says that ${tensor} is in ${name}, which has it not`);
        }
      }
    }
    return shards;
  } catch (error) {
    for (const shard of shards) await shard.file.close();
    throw error;
  }
}

/** The index's file of every tensor. The index is untrusted: a shard lies in this folder, not wherever it says. */
function placesOf(index: Json, path: string): Map<string, string> {
  const map = index.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw damaged(path, 'it has no weight_map');
  const entries = Object.entries(map as Json);
  if (entries.length === 0 || entries.length > maxTensors) throw damaged(path, `it names ${entries.length} tensors`);
  return new Map(
    entries.map(([tensor, file]) => {
      const isName = typeof file === 'string' && /^[^\\/:\0]{1,255}\.safetensors$/.test(file);
      if (!isName) throw damaged(path, `it puts ${tensor} into a file outside its folder or of another kind`);
      return [tensor, file];
    }),
  );
}

function withoutSafetensors(folder: string, files: readonly string[]): ModelError {
  const pickle = files.find((name) => /^pytorch_model.*\.bin$|\.(pt|pth|ckpt)$/.test(name));
  if (pickle !== undefined) return pickled(join(folder, pickle));
  return new ModelError('invalid-checkpoint', `${basename(folder)} holds no safetensors file.`);
}

function nameOf(json: Json, folder: string): string {
  const name = json._name_or_path;
  return typeof name === 'string' && name !== '' ? name : basename(folder);
}

/** A tokenizer.json has a hundred kinds of parts; what is not as it should be fails somewhere inside. */
function tokenizerOf(folder: string, json: Json, config: Json): TokenizerJson {
  try {
    return tokenizerFromJson(json, config);
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw damaged(join(folder, 'tokenizer.json'), 'a part of it is not as it should be', cause);
  }
}

/** SentencePiece's own file, where there is no tokenizer.json; null where there is none either. */
async function sentencePieceOf(folder: string, config: Json): Promise<TokenizerJson | null> {
  const bytes = await readSmallFile(join(folder, 'tokenizer.model'));
  return bytes === null ? null : tokenizerFromSentencePiece(bytes, 'tokenizer.model', config);
}

async function readTemplate(folder: string): Promise<string | null> {
  return (await readSmallFile(join(folder, 'chat_template.jinja')))?.toString('utf8') ?? null;
}
