/**
 * What the files of sentence-transformers say of an embedder (versions 0.3 to 6): how one vector is made of its rows, how
 * long a text may be, and what is written before a question and before a passage. (www.sbert.net)
 */
import { basename, join } from 'node:path';
import type { Prompts } from '../architectures/architecture.ts';
import { ModelError } from '../model-error.ts';
import { damaged } from './checkpoint.ts';
import { type Json, readJson, readJsonList } from './json-file.ts';

export type SentenceFacts = {
  readonly pooling: 'mean' | 'first' | null;
  /** The longest text in tokens, special ones included; null = as long as the model allows. */
  readonly maxTokens: number | null;
  readonly prompts: Prompts | null;
};

/** The names that versions before 5.3 gave to what is now `pooling_mode`. */
const oldPoolingNames: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'lasttoken',
};

const maxPromptCharacters = 4096;

/** Reads a hub folder's files. Fails with `unsupported-model` for what would give other vectors than theirs. */
export async function readSentenceFacts(folder: string): Promise<SentenceFacts> {
  const modules = await readJsonList(folder, 'modules.json');
  const config = (await readJson(folder, 'config_sentence_transformers.json')) ?? {};
  const kinds = (modules ?? []).map((module) => String(module.type).split('.').at(-1)!);
  for (const kind of kinds) {
    if (!['Transformer', 'Pooling', 'Normalize', 'Dropout'].includes(kind))
      throw new ModelError('unsupported-model', `The embedder has a part "${kind}", which is not read here.`);
  }
  // Vectors are always of unit length here: for cosine nothing changes, for a plain dot product all would.
  if (config.similarity_fn_name === 'dot' && !kinds.includes('Normalize')) {
    throw new ModelError(
      'unsupported-model',
      'The embedder compares vectors by their lengths too, and all are of unit length here.',
    );
  }
  const poolingFolder = modules?.[kinds.indexOf('Pooling')]?.path ?? '1_Pooling';
  if (
    typeof poolingFolder !== 'string' ||
    basename(poolingFolder) !== poolingFolder ||
    /^\.*$|[\\/]/.test(poolingFolder)
  )
    throw damaged(join(folder, 'modules.json'), 'it names a folder outside its own');
  const pooling = await readJson(join(folder, poolingFolder), 'config.json');
  return {
    pooling: pooling === null ? null : poolingOf(pooling),
    maxTokens: await maxTokensOf(folder),
    prompts: promptsOf(config, join(folder, 'config_sentence_transformers.json')),
  };
}

function poolingOf(config: Json): 'mean' | 'first' {
  const old = Object.keys(oldPoolingNames).filter((name) => config[name] === true);
  const modes =
    config.pooling_mode === undefined ? old.map((name) => oldPoolingNames[name]) : [config.pooling_mode].flat();
  const mode = modes.length === 0 ? 'mean' : modes.join(' + ');
  if (config.include_prompt === false)
    throw new ModelError(
      'unsupported-model',
      'The embedder leaves its prompt out of the vector, which is not read here.',
    );
  if (mode === 'cls') return 'first';
  if (mode === 'mean') return 'mean';
  throw new ModelError('unsupported-model', `The embedder pools its rows by "${mode}", which is not read here.`);
}

/** Since version 6 the tokenizer's own limit says it; a limit of 10³⁰ says that there is none. */
async function maxTokensOf(folder: string): Promise<number | null> {
  const limits = [
    (await readJson(folder, 'sentence_bert_config.json'))?.max_seq_length,
    (await readJson(folder, 'tokenizer_config.json'))?.model_max_length,
  ];
  const isLimit = (value: unknown): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 8 && (value as number) <= 2 ** 24;
  return limits.find(isLimit) ?? null;
}

/** As `encode_query` and `encode_document` choose them. */
function promptsOf(config: Json, path: string): Prompts | null {
  const { prompts, default_prompt_name: usual } = config;
  if (prompts === undefined || prompts === null) return null;
  if (typeof prompts !== 'object' || Array.isArray(prompts)) throw damaged(path, 'its prompts are no object');
  const find = (names: readonly unknown[]): string => {
    for (const name of names) {
      const prompt = typeof name === 'string' && Object.hasOwn(prompts, name) ? (prompts as Json)[name] : null;
      if (prompt === null || prompt === undefined) continue;
      if (typeof prompt !== 'string' || prompt.length > maxPromptCharacters)
        throw damaged(path, `its prompt ${name} is no text, or too long`);
      return prompt;
    }
    return '';
  };
  const found = { query: find(['query', usual]), passage: find(['document', 'passage', 'corpus', usual]) };
  return found.query === '' && found.passage === '' ? null : found;
}
