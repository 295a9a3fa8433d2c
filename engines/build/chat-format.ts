/** How a chat model is spoken to: the checkpoint's own template, or its family's where it brings none. */
import type { Model } from '../architectures/architecture.ts';
import { builtInTemplateFor } from '../built-in-templates.ts';
import { ModelError } from '../model-error.ts';
import { loadTokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerJson } from '../tokenizer/types.ts';

export type ChatFormat = { readonly template: string | null; readonly stopIds: readonly number[] };

/**
 * `stopIds` are those that the checkpoint names; a family's own end of an answer joins them. A model that is not for chats
 * has neither.
 */
export function chatFormatOf(checkpoint: {
  model: Model;
  name: string;
  template: string | null;
  tokenizer: TokenizerJson | null;
  stopIds: readonly number[];
}): ChatFormat {
  const { model, name, template, tokenizer } = checkpoint;
  if (model.role !== 'chat') return { template: null, stopIds: [] };
  const stopIds = [...new Set(checkpoint.stopIds)];
  if (template !== null || tokenizer === null) return { template, stopIds };
  const idOf = idsOf(tokenizer, name);
  const builtIn = builtInTemplateFor({ architecture: model.architecture, name, idOf });
  const stop = builtIn?.stop == null ? null : idOf(builtIn.stop);
  return {
    template: builtIn?.template ?? null,
    stopIds: stop === null || stopIds.includes(stop) ? stopIds : [...stopIds, stop],
  };
}

/** A tokenizer of no known kind is looked at by its library for the first time here. */
function idsOf(tokenizer: TokenizerJson, name: string): (piece: string) => number | null {
  try {
    return loadTokenizer(tokenizer).idOf;
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw new ModelError('invalid-checkpoint', `The tokenizer of ${name} is damaged: a part of it is missing.`, {
      cause,
    });
  }
}
