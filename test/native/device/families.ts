/** All checks of whole models, by the names that run.ts takes. */
import { againstTorch } from './against-torch.ts';
import type { Check } from './checks.ts';
import { greedyAnswers } from './greedy.ts';
import { deviceMemory } from './memory.ts';
import { referenceModels } from './reference-models.ts';
import { story } from './story.ts';
import { trained } from './trained.ts';

export const families: Readonly<Record<string, Check>> = {
  reference: referenceModels,
  greedy: greedyAnswers,
  memory: deviceMemory,
  story,
  torch: againstTorch,
  trained,
};
