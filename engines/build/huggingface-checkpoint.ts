/** A folder as the Hugging Face hub publishes it: config.json, *.safetensors, tokenizer.json. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { noFacts } from '../architectures/architecture.ts';
import { architectureOf, readModel } from '../architectures/index.ts';
import { ModelError } from '../model-error.ts';
import { tokenizerFromJson } from '../tokenizer/from-tokenizer-json.ts';
import { pairIdsOf } from '../tokenizer/pair.ts';
import { type Checkpoint, type CheckpointTensor, damaged } from './checkpoint.ts';
import { type Json, readJson } from './json-file.ts';
import { openSafetensors, type Safetensors, type SafetensorsTensor } from './safetensors.ts';
import { readSentenceFacts } from './sentence-transformers.ts';

const maxShards = 1000;

/** Opens a folder. Fails with a sentence that names the file at fault. */
export async function openHuggingFaceCheckpoint(folder: string): Promise<Checkpoint> {
  const json = await readJson(folder, 'config.json');
  if (json === null) throw new ModelError('invalid-checkpoint', `${basename(folder)} holds no config.json.`);
  if (json.quantization_config !== undefined) {
    throw new ModelError('unsupported-model', 'Quantized safetensors (AWQ, GPTQ and others) are not read yet.');
  }
  const prefix = architectureOf(json.model_type).optionalPrefix ?? '';
  const shards = await openShards(folder);
  const close = async () => {
    for (const shard of shards) await shard.file.close();
  };
  try {
    const sentences = await readSentenceFacts(folder);
    const facts = { ...noFacts, pooling: sentences.pooling, maxTokens: sentences.maxTokens };
    const model = readModel(json, join(folder, 'config.json'), facts);
    const places = new Map<string, { shard: Safetensors; tensor: SafetensorsTensor }>();
    for (const shard of shards) {
      for (const tensor of shard.tensors) {
        const name = tensor.name.startsWith(prefix) ? tensor.name.slice(prefix.length) : tensor.name;
        if (places.has(name)) throw damaged(shard.file.path, `the tensor ${name} stands in another file too`);
        places.set(name, { shard, tensor });
      }
    }
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
      stopIds:
        model.role === 'chat' ? [...new Set([...idsOf(json.eos_token_id), ...idsOf(generation.eos_token_id)])] : [],
      prompts: model.role === 'embedder' ? sentences.prompts : null,
      pair: model.role === 'reranker' && tokenizerJson !== null ? pairIdsOf(tokenizerJson) : null,
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

function nameOf(json: Json, folder: string): string {
  const name = json._name_or_path;
  return typeof name === 'string' && name !== '' ? name : basename(folder);
}

function templateOf(config: Json): string | null {
  const template = config.chat_template;
  if (typeof template === 'string') return template;
  if (!Array.isArray(template)) return null;
  const named = (template as Json[]).find((item) => item?.name === 'default');
  return typeof named?.template === 'string' ? named.template : null;
}
