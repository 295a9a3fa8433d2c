/** The models that Quoth offers by name: where their checkpoints are, how they are checked, what they are allowed for. */

import { embedders } from './catalogue/embedders.ts';
import type { KitEntry } from './catalogue/kits/kit.ts';
import { scanLanguages } from './catalogue/kits/scan.ts';
import { speechModels } from './catalogue/kits/speech.ts';
import { llamaModels } from './catalogue/llama-models.ts';
import { moreChatModels } from './catalogue/more-chat-models.ts';
import { rerankers } from './catalogue/rerankers.ts';
import type { CatalogueEntry } from './catalogue/types.ts';

export { defaultEmbedder } from './catalogue/embedders.ts';
export { aboutBytesOf } from './catalogue/entry.ts';
export {
  type Fit,
  type FitMachine,
  type FitModel,
  type FitOptions,
  type FitVerdict,
  fitModel,
} from './catalogue/fit.ts';
export { type KitEntry, type KitFile, keptBytesOf } from './catalogue/kits/kit.ts';
export { defaultSpeechModel } from './catalogue/kits/speech.ts';
export { defaultChatModel } from './catalogue/llama-models.ts';
export { deviceBytes } from './catalogue/sizes.ts';
export type * from './catalogue/types.ts';

/** In the order in which they are offered: the first of a role is its default. */
export const catalogue: readonly CatalogueEntry[] = [...llamaModels, ...moreChatModels, ...embedders, ...rerankers];

/** What readers use beside them: of speech, the default first. */
export const kits: readonly KitEntry[] = [...speechModels, ...scanLanguages];

export function findModel(id: string): CatalogueEntry | null {
  return catalogue.find((entry) => entry.id === id) ?? null;
}
