/** A folder as the Hugging Face hub publishes it: config.json, *.safetensors, tokenizer.json. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BertConfig } from '../architectures/bert.ts';
import { type LlamaConfig, ropeFrequencies } from '../architectures/llama.ts';
import { ModelError } from '../model-error.ts';
import { tokenizerFromJson } from '../tokenizer/from-tokenizer-json.ts';
import { type Checkpoint, type CheckpointTensor, damaged, type ModelConfig } from './checkpoint.ts';
import { openSafetensors, type Safetensors, type SafetensorsTensor } from './safetensors.ts';

type Json = Record<string, unknown>;

const maxJsonBytes = 256 * 1024 * 1024;
const maxShards = 1000;

/** Opens a folder. Fails with a sentence that names the file at fault. */
export async function openHuggingFaceCheckpoint(folder: string): Promise<Checkpoint> {
  const json = await readJson(folder, 'config.json');
  if (json === null) throw new ModelError('invalid-checkpoint', `${basename(folder)} holds no config.json.`);
  const shards = await openShards(folder);
  const close = async () => {
    for (const shard of shards) await shard.file.close();
  };
  try {
    const places = new Map<string, { shard: Safetensors; tensor: SafetensorsTensor }>();
    for (const shard of shards) {
      for (const tensor of shard.tensors) {
        const name = tensor.name.replace(/^bert\./, '');
        if (places.has(name)) throw damaged(shard.file.path, `the tensor ${name} stands in another file too`);
        places.set(name, { shard, tensor });
      }
    }
    const tokenizerJson = await readJson(folder, 'tokenizer.json');
    const tokenizerConfig = (await readJson(folder, 'tokenizer_config.json')) ?? {};
    const tokenizer = tokenizerJson === null ? null : tokenizerFromJson(tokenizerJson, tokenizerConfig);
    const generation = (await readJson(folder, 'generation_config.json')) ?? {};
    const isChat = json.model_type !== 'bert';
    const idsOf = (value: unknown): number[] => [value].flat().filter((id): id is number => Number.isInteger(id));
    const startIds =
      tokenizer !== null && tokenizer.type !== 'huggingface' ? tokenizer.startIds : idsOf(json.bos_token_id);
    return {
      config: await configOf(json, folder),
      tensors: [...places].map(([name, { tensor }]): CheckpointTensor => {
        return { name, rows: tensor.rows, columns: tensor.columns, type: tensor.type, sizeBytes: tensor.sizeBytes };
      }),
      async read(name) {
        const place = places.get(name);
        if (place === undefined) throw new ModelError('invalid-input', `There is no tensor ${name}.`);
        return place.shard.file.at(place.tensor.offset, place.tensor.sizeBytes);
      },
      tokenizer,
      template: templateOf(tokenizerConfig),
      startIds,
      stopIds: isChat ? [...new Set([...idsOf(json.eos_token_id), ...idsOf(generation.eos_token_id)])] : [],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The shards that the index names, or every safetensors file of the folder. */
async function openShards(folder: string): Promise<Safetensors[]> {
  const index = await readJson(folder, 'model.safetensors.index.json');
  const map = index?.weight_map;
  const named =
    typeof map === 'object' && map !== null
      ? [...new Set(Object.values(map as Json))]
      : (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort();
  if (named.length === 0 || named.length > maxShards) {
    throw new ModelError('invalid-checkpoint', `${basename(folder)} holds no safetensors file.`);
  }
  const shards: Safetensors[] = [];
  try {
    for (const name of named) {
      // The index is untrusted: a shard lies in this folder, not wherever it says.
      if (typeof name !== 'string' || basename(name) !== name || /[\\/]/.test(name)) {
        throw damaged(join(folder, 'model.safetensors.index.json'), 'it names a file outside its folder');
      }
      shards.push(await openSafetensors(join(folder, name)));
    }
    return shards;
  } catch (error) {
    for (const shard of shards) await shard.file.close();
    throw error;
  }
}

async function configOf(json: Json, folder: string): Promise<ModelConfig> {
  const name =
    typeof json._name_or_path === 'string' && json._name_or_path !== '' ? json._name_or_path : basename(folder);
  const size = (key: string, otherwise?: number): number => {
    const value = json[key] ?? otherwise;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > 2 ** 24) {
      throw damaged(join(folder, 'config.json'), `${key} is missing or impossible`);
    }
    return value;
  };
  const real = (key: string, otherwise: number): number => {
    const value = json[key] ?? otherwise;
    if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value)) {
      throw damaged(join(folder, 'config.json'), `${key} is impossible`);
    }
    return value;
  };
  if (json.quantization_config !== undefined) {
    throw new ModelError('unsupported-model', 'Quantized safetensors (AWQ, GPTQ and others) are not read yet.');
  }
  if (json.model_type === 'bert') return bertConfigOf(json, folder, name, size, real);
  // Qwen 2 is a Llama with biases on q, k and v.
  if (['llama', 'mistral', 'qwen2'].includes(String(json.model_type))) return llamaConfigOf(json, name, size, real);
  throw new ModelError('unsupported-model', `Models of the type ${json.model_type} are not read here.`);
}

type Size = (key: string, otherwise?: number) => number;
type Real = (key: string, otherwise: number) => number;

async function bertConfigOf(json: Json, folder: string, name: string, size: Size, real: Real): Promise<BertConfig> {
  if ((json.position_embedding_type ?? 'absolute') !== 'absolute') {
    throw new ModelError('unsupported-model', `BERT with ${json.position_embedding_type} positions is not read here.`);
  }
  const activations: Record<string, BertConfig['activation']> = { gelu: 'gelu', gelu_new: 'gelu_tanh', relu: 'relu' };
  const activation = activations[String(json.hidden_act ?? 'gelu')];
  if (activation === undefined)
    throw new ModelError('unsupported-model', `The activation ${json.hidden_act} is not known.`);
  const pooling = (await readJson(join(folder, '1_Pooling'), 'config.json')) ?? {};
  return {
    architecture: 'bert',
    name,
    numLayers: size('num_hidden_layers'),
    hiddenSize: size('hidden_size'),
    numHeads: size('num_attention_heads'),
    feedForwardSize: size('intermediate_size'),
    vocabularySize: size('vocab_size'),
    contextTokens: size('max_position_embeddings'),
    tokenTypes: size('type_vocab_size', 2),
    normEpsilon: real('layer_norm_eps', 1e-12),
    activation,
    pooling: pooling.pooling_mode_cls_token === true ? 'first' : 'mean',
  };
}

function llamaConfigOf(json: Json, name: string, size: Size, real: Real): LlamaConfig {
  const hiddenSize = size('hidden_size');
  const numHeads = size('num_attention_heads');
  const headSize = size('head_dim', hiddenSize / numHeads);
  if (json.hidden_act !== undefined && json.hidden_act !== 'silu') {
    throw new ModelError('unsupported-model', `The activation ${json.hidden_act} is not known for this architecture.`);
  }
  const hasWindow = (json.sliding_window ?? null) !== null && json.use_sliding_window !== false;
  return {
    architecture: 'llama',
    name,
    numLayers: size('num_hidden_layers'),
    hiddenSize,
    numHeads,
    numKvHeads: size('num_key_value_heads', numHeads),
    headSize,
    feedForwardSize: size('intermediate_size'),
    vocabularySize: size('vocab_size'),
    contextTokens: size('max_position_embeddings'),
    normEpsilon: real('rms_norm_eps', 1e-6),
    window: hasWindow ? size('sliding_window') : 0,
    inverseFrequencies: scaledFrequencies(json, real('rope_theta', 10_000), headSize),
    adjacentPairs: false,
  };
}

/** Llama 3.1 slows the frequencies below its first context, and blends between; `linear` slows all. */
function scaledFrequencies(json: Json, theta: number, headSize: number): Float32Array {
  const frequencies = ropeFrequencies(theta, headSize);
  const scaling = json.rope_scaling;
  if (typeof scaling !== 'object' || scaling === null) return frequencies;
  const options = scaling as Record<string, unknown>;
  const type = options.rope_type ?? options.type;
  const number = (key: string): number => {
    const value = options[key];
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
    throw new ModelError('invalid-checkpoint', `config.json is damaged: rope_scaling has no ${key}.`);
  };
  if (type === 'default') return frequencies;
  if (type === 'linear') return frequencies.map((frequency) => frequency / number('factor'));
  if (type !== 'llama3') throw new ModelError('unsupported-model', `Positions scaled by ${type} are not read here.`);
  const [factor, low, high] = [number('factor'), number('low_freq_factor'), number('high_freq_factor')];
  const context = number('original_max_position_embeddings');
  return frequencies.map((frequency) => {
    const turns = (context * frequency) / (2 * Math.PI);
    if (turns < low) return frequency / factor;
    if (turns > high) return frequency;
    const share = (turns - low) / (high - low);
    return ((1 - share) / factor + share) * frequency;
  });
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
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw damaged(path, 'it is no JSON', cause);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw damaged(path, 'it is no object');
  return json as Json;
}
