/** A GGUF file as a checkpoint: its names and metadata in the words of the architectures. */
import { type LlamaConfig, ropeFrequencies } from '../architectures/llama.ts';
import { ModelError } from '../model-error.ts';
import { tokenizerFromGguf } from '../tokenizer/from-gguf.ts';
import { type Checkpoint, type CheckpointTensor, damaged } from './checkpoint.ts';
import { type Gguf, openGguf } from './gguf.ts';

const wholeNames: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};
const layerNames: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

function nameOf(ggufName: string): string {
  const layer = /^blk\.(\d+)\.([a-z_]+)\.(weight|bias)$/.exec(ggufName);
  const inLayer = layer === null ? undefined : layerNames[layer[2]!];
  return inLayer === undefined
    ? (wholeNames[ggufName] ?? ggufName)
    : `model.layers.${layer![1]}.${inLayer}.${layer![3]}`;
}

/** Opens a GGUF file of a Llama-type model: Llama, Mistral, Qwen 2. */
export async function openGgufCheckpoint(path: string): Promise<Checkpoint> {
  const gguf = await openGguf(path);
  try {
    const places = new Map(gguf.tensors.map((tensor) => [nameOf(tensor.name), tensor]));
    const tensors = [...places].map(([name, { rows, columns, type, sizeBytes }]): CheckpointTensor => {
      return { name, rows, columns, type, sizeBytes };
    });
    const read = async (name: string): Promise<Uint8Array> => {
      const place = places.get(name);
      if (place === undefined) throw new ModelError('invalid-input', `There is no tensor ${name}.`);
      return gguf.file.at(place.offset, place.sizeBytes);
    };
    const tokenizer = tokenizerFromGguf(gguf.metadata);
    const template = gguf.metadata.get('tokenizer.chat_template');
    const id = (name: string): number[] => {
      const value = gguf.metadata.get(`tokenizer.ggml.${name}_token_id`);
      return typeof value === 'number' && value >= 0 ? [value] : [];
    };
    return {
      config: await llamaConfigOf(gguf, path, read),
      tensors,
      read,
      tokenizer,
      template: typeof template === 'string' ? template : null,
      startIds: tokenizer !== null && tokenizer.type !== 'huggingface' ? tokenizer.startIds : id('bos'),
      stopIds: [...new Set([...id('eos'), ...id('eot')])],
      close: () => gguf.file.close(),
    };
  } catch (error) {
    await gguf.file.close();
    throw error;
  }
}

async function llamaConfigOf(
  gguf: Gguf,
  path: string,
  read: (name: string) => Promise<Uint8Array>,
): Promise<LlamaConfig> {
  const { metadata } = gguf;
  const architecture = metadata.get('general.architecture');
  // Qwen 2 is a Llama with biases on q, k and v, and its pairs as the hub has them.
  if (architecture !== 'llama' && architecture !== 'qwen2') {
    throw new ModelError('unsupported-model', `GGUF models of the architecture ${architecture} are not read here.`);
  }
  const size = (name: string, otherwise?: number): number => {
    const value = metadata.get(`${architecture}.${name}`) ?? otherwise;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > 2 ** 24) {
      throw damaged(path, `${architecture}.${name} is missing or impossible`);
    }
    return value;
  };
  const real = (name: string, otherwise: number): number => {
    const value = metadata.get(`${architecture}.${name}`) ?? otherwise;
    if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value))
      throw damaged(path, `${architecture}.${name} is impossible`);
    return value;
  };
  if ((metadata.get(`${architecture}.expert_count`) ?? 0) !== 0) {
    throw new ModelError('unsupported-model', 'Mixtures of experts are not read here.');
  }
  const hiddenSize = size('embedding_length');
  const numHeads = size('attention.head_count');
  const headSize = size('attention.key_length', hiddenSize / numHeads);
  if (size('rope.dimension_count', headSize) !== headSize) {
    throw new ModelError('unsupported-model', 'Heads that turn only in part are not read for this architecture.');
  }
  const table = gguf.tensors.find((tensor) => tensor.name === 'token_embd.weight');
  const name = metadata.get('general.name');
  return {
    architecture: 'llama',
    name: typeof name === 'string' ? name : 'Llama',
    numLayers: size('block_count'),
    hiddenSize,
    numHeads,
    numKvHeads: size('attention.head_count_kv', numHeads),
    headSize,
    feedForwardSize: size('feed_forward_length'),
    vocabularySize: table?.rows ?? size('vocab_size'),
    contextTokens: size('context_length'),
    normEpsilon: real('attention.layer_norm_rms_epsilon', 1e-5),
    window: metadata.has(`${architecture}.attention.sliding_window`) ? size('attention.sliding_window') : 0,
    inverseFrequencies: await frequenciesOf(gguf, architecture, headSize, real('rope.freq_base', 10_000), read),
    adjacentPairs: architecture === 'llama',
  };
}

async function frequenciesOf(
  gguf: Gguf,
  architecture: string,
  headSize: number,
  theta: number,
  read: (name: string) => Promise<Uint8Array>,
): Promise<Float32Array> {
  const frequencies = ropeFrequencies(theta, headSize);
  const scaling = gguf.metadata.get(`${architecture}.rope.scaling.type`) ?? 'none';
  if (scaling === 'linear') {
    const factor = gguf.metadata.get(`${architecture}.rope.scaling.factor`);
    if (typeof factor !== 'number' || !(factor > 0)) throw damaged(gguf.file.path, 'its rope has no factor');
    return frequencies.map((frequency) => frequency / factor);
  }
  if (scaling !== 'none' && scaling !== 'llama3') {
    throw new ModelError('unsupported-model', `Positions scaled by ${scaling} are not read here.`);
  }
  // Llama 3.1 and later: what each frequency is divided by stands in a tensor.
  const factors = gguf.tensors.find((tensor) => tensor.name === 'rope_freqs.weight');
  if (factors === undefined) return frequencies;
  if (factors.type !== 'f32' || factors.columns !== headSize / 2)
    throw damaged(gguf.file.path, 'rope_freqs.weight is misshapen');
  const bytes = Buffer.from(await read('rope_freqs.weight'));
  return frequencies.map((frequency, i) => frequency / bytes.readFloatLE(4 * i));
}
