/** A folder as the Hugging Face hub publishes it: config.json, *.safetensors, tokenizer.json. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type CheckpointFacts, noFacts } from '../architectures/architecture.ts';
import { architectureOf, readModel } from '../architectures/index.ts';
import { ModelError } from '../model-error.ts';
import { tokenizerFromJson } from '../tokenizer/from-tokenizer-json.ts';
import { type Checkpoint, type CheckpointTensor, damaged, maxTensors } from './checkpoint.ts';
import { type PieceOfFile, readGroupedLinear, takeGroupedLinears } from './grouped-linears.ts';
import { parseQuantization, type Quantization } from './quantization-config.ts';
import { openSafetensors, type Safetensors } from './safetensors.ts';
import { parseStrictJson } from './strict-json.ts';

type Json = Record<string, unknown>;

const maxJsonBytes = 256 * 1024 * 1024;
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
    const model = readModel(json, join(folder, 'config.json'), {
      ...(await factsOf(folder)),
      contextTokens,
    });
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
    const tokenizer = tokenizerJson === null ? null : tokenizerFromJson(tokenizerJson, tokenizerConfig);
    const generation = (await readJson(folder, 'generation_config.json')) ?? {};
    const idsOf = (value: unknown): number[] => [value].flat().filter((id): id is number => Number.isInteger(id));
    const startIds =
      tokenizer !== null && tokenizer.type !== 'huggingface' ? tokenizer.startIds : idsOf(json.bos_token_id);
    return {
      name: nameOf(json, folder),
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
      template: templateOf(tokenizerConfig),
      startIds,
      stopIds:
        model.role === 'chat' ? [...new Set([...idsOf(json.eos_token_id), ...idsOf(generation.eos_token_id)])] : [],
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
      if (!isName) throw damaged(path, `the file of ${tensor} is no safetensors file of its folder`);
      return [tensor, file];
    }),
  );
}

function withoutSafetensors(folder: string, files: readonly string[]): ModelError {
  const pickled = files.find((name) =>
    /^(pytorch_model.*\.(bin|pt)|.*\.(pth|ckpt|pt)|consolidated.*\.pth)$/.test(name),
  );
  if (pickled === undefined) {
    return new ModelError('invalid-checkpoint', `${basename(folder)} holds no safetensors file.`);
  }
  return new ModelError(
    'unsupported-model',
    `${pickled} is a Python pickle, which can run programs when it is read; convert it to safetensors, or take the model's safetensors files.`,
  );
}

function nameOf(json: Json, folder: string): string {
  const name = json._name_or_path;
  return typeof name === 'string' && name !== '' ? name : basename(folder);
}

async function factsOf(folder: string): Promise<CheckpointFacts> {
  const pooling = await readJson(join(folder, '1_Pooling'), 'config.json');
  const kind = pooling?.pooling_mode_cls_token === true ? ('first' as const) : ('mean' as const);
  return { ...noFacts, pooling: pooling === null ? null : kind };
}

function templateOf(config: Json): string | null {
  const template = config.chat_template;
  if (typeof template === 'string') return template;
  if (!Array.isArray(template)) return null;
  const named = (template as Json[]).find((item) => item?.name === 'default');
  return typeof named?.template === 'string' ? named.template : null;
}

async function readJson(folder: string, name: string): Promise<Json | null> {
  const path = join(folder, name);
  const size = await stat(path).then(
    (found) => (found.isFile() ? found.size : null),
    () => null,
  );
  if (size === null) return null;
  if (size > maxJsonBytes) throw damaged(path, 'it is too large');
  let json: unknown;
  try {
    const bytes = await readFile(path);
    // A tokenizer has a million names, and none of them decides where anything is read.
    json = name.startsWith('tokenizer') ? JSON.parse(bytes.toString('utf8')) : parseStrictJson(bytes);
  } catch (cause) {
    throw damaged(path, cause instanceof SyntaxError ? 'it is no JSON' : `it ${(cause as Error).message}`, cause);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw damaged(path, 'it is no object');
  return json as Json;
}
