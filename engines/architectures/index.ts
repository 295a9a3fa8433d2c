/** All architectures. The readers of checkpoints look models up here. */
import { ModelError } from '../model-error.ts';
import type { Architecture, CheckpointFacts, GgufNames, Model } from './architecture.ts';
import { bert } from './bert.ts';
import { bloom } from './bloom.ts';
import { createConfigReader } from './config-reader.ts';
import { distilbert } from './distilbert.ts';
import { falcon } from './falcon.ts';
import { gemma } from './gemma.ts';
import { gemma2 } from './gemma2.ts';
import { gpt2 } from './gpt2.ts';
import { gptj } from './gptj.ts';
import { gptNeox } from './gptneox.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { mpt } from './mpt.ts';
import { opt } from './opt.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { roberta } from './roberta.ts';

export const architectures: readonly Architecture[] = [
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  phi3,
  gpt2,
  gptj,
  gptNeox,
  falcon,
  mpt,
  bloom,
  opt,
  bert,
  roberta,
  distilbert,
];

/** The architecture of a config.json's `model_type`. Fails with `unsupported-model`. */
export function architectureOf(modelType: unknown): Architecture {
  const found = architectures.find(({ modelTypes }) => modelTypes.includes(String(modelType)));
  if (found === undefined)
    throw new ModelError('unsupported-model', `Models of the type ${modelType} are not read here.`);
  return found;
}

/** The names of a GGUF file's `general.architecture`. Fails with `unsupported-model`. */
export function ggufNamesOf(architecture: unknown): GgufNames {
  const found = architectures.flatMap(({ gguf }) => gguf).find((names) => names.architecture === architecture);
  if (found === undefined) {
    throw new ModelError('unsupported-model', `GGUF models of the architecture ${architecture} are not read here.`);
  }
  return found;
}

/** The model that a config.json describes; `path` is what errors name. Fails with a `ModelError` that names the key. */
export function readModel(json: Readonly<Record<string, unknown>>, path: string, facts: CheckpointFacts): Model {
  const model = architectureOf(json.model_type).readModel(createConfigReader(json, path), facts);
  return { ...model, contextTokens: Math.min(model.contextTokens, facts.contextTokens ?? model.contextTokens) };
}
