/** Mistral 7B v0.1 to v0.3: a Llama whose tokens see a window of those before them. (arXiv 2310.06825) */
import type { Architecture } from './architecture.ts';
import { decoderModel, readActivation, readDecoder } from './blocks.ts';
import { buildLlama, type LlamaConfig } from './llama.ts';

export const mistral: Architecture = {
  modelTypes: ['mistral'],
  gguf: [],
  readModel(config, facts) {
    readActivation(config, 'hidden_act', { silu: 'silu' }, 'silu');
    if (config.has('layer_types')) config.unsupported('layer types in a Mistral');
    // v0.2 and v0.3 say null: no window. Where nothing is said, the reference has 4096.
    const window = config.isNull('sliding_window') ? 0 : config.size('sliding_window', 4096);
    const read: LlamaConfig = { ...readDecoder(config, facts), window };
    return decoderModel('mistral', read, (tensors) => buildLlama(read, tensors));
  },
};
