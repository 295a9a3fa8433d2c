/** All architectures. The readers of checkpoints look models up here. */
import { ModelError } from '../model-error.ts';
import type { Architecture, CheckpointFacts, GgufNames, Model } from './architecture.ts';
import { bert } from './bert.ts';
import { createConfigReader } from './config-reader.ts';
import { distilbert } from './distilbert.ts';
import { llama } from './llama.ts';
import { roberta } from './roberta.ts';

export const architectures: readonly Architecture[] = [llama, bert, roberta, distilbert];

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
  return architectureOf(json.model_type).readModel(createConfigReader(json, path), facts);
}
