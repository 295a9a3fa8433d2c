/** Llamas of random packed linears, and of the same numbers unpacked, as folders of the hub. */
import { randomNumbers, writeTo } from './checkpoints.ts';
import { bytesOfArray, type Packing, packLinear, type RawTensors, randomOrder, randomWhole } from './packed-linears.ts';

export type LlamaSizes = { hidden: number; inner: number; layers: number; heads: number; vocabulary: number };

export const tinyLlama: LlamaSizes = { hidden: 64, inner: 128, layers: 1, heads: 2, vocabulary: 64 };

/** The tensors of a Llama with its linears packed, and unpacked to the same numbers. */
export function llamaTensors(sizes: LlamaSizes, packing: Packing): { packed: RawTensors; plain: RawTensors } {
  const packed: RawTensors = new Map();
  const plain: RawTensors = new Map();
  const { hidden, inner, layers, heads, vocabulary } = sizes;
  const kv = (hidden / heads) * Math.max(1, heads / 2);
  let seed = 1;
  const both = (name: string, shape: number[], values: Float32Array) => {
    const tensor = { dtype: 'F32', shape, bytes: bytesOfArray(values) };
    packed.set(name, tensor);
    plain.set(name, tensor);
  };
  const norm = (name: string) =>
    both(
      name,
      [hidden],
      randomNumbers(hidden, ++seed).map((x) => 1 + x),
    );
  /** Numbers that int8 with a scale per 32 holds exactly. */
  const table = (name: string, unit: number) => {
    const whole = randomWhole(vocabulary * hidden, 255, ++seed);
    both(
      name,
      [vocabulary, hidden],
      Float32Array.from(whole, (x, i) => (i % 32 === 0 ? 127 : x - 127) * unit),
    );
  };
  const orders = new Map<string, Int32Array>();
  const linear = (name: string, rows: number, columns: number, input: string) => {
    const order = orders.get(input) ?? randomOrder(columns, ++seed);
    orders.set(input, order);
    const made = packLinear(packing, rows, columns, ++seed, order);
    for (const [ending, tensor] of made.tensors) packed.set(`${name}.${ending}`, tensor);
    plain.set(`${name}.weight`, { dtype: 'F32', shape: [rows, columns], bytes: bytesOfArray(made.weights) });
  };
  table('model.embed_tokens.weight', 2 ** -7);
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`;
    norm(`${at}.input_layernorm.weight`);
    for (const [name, rows] of [
      ['q', hidden],
      ['k', kv],
      ['v', kv],
    ] as const) {
      linear(`${at}.self_attn.${name}_proj`, rows, hidden, `${at}.attended`);
    }
    linear(`${at}.self_attn.o_proj`, hidden, hidden, `${at}.seen`);
    norm(`${at}.post_attention_layernorm.weight`);
    linear(`${at}.mlp.gate_proj`, inner, hidden, `${at}.fed`);
    linear(`${at}.mlp.up_proj`, inner, hidden, `${at}.fed`);
    linear(`${at}.mlp.down_proj`, hidden, inner, `${at}.gated`);
  }
  norm('model.norm.weight');
  table('lm_head.weight', 2 ** -10);
  return { packed, plain };
}

/** config.json and tokenizer.json of such a Llama. */
export async function writeLlamaConfig(
  folder: string,
  sizes: LlamaSizes,
  quantization: Record<string, unknown> | null,
): Promise<void> {
  const config = {
    model_type: 'llama',
    hidden_size: sizes.hidden,
    intermediate_size: sizes.inner,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: Math.max(1, sizes.heads / 2),
    vocab_size: sizes.vocabulary,
    max_position_embeddings: 256,
    rms_norm_eps: 1e-5,
    bos_token_id: 1,
    eos_token_id: 2,
    ...(quantization === null ? {} : { quantization_config: quantization }),
  };
  await writeTo(folder, 'config.json', JSON.stringify(config));
  const pieces = ['<unk>', '<s>', '</s>', ...Array.from({ length: sizes.vocabulary - 3 }, (_, i) => `\u2581${i}`)];
  const tokenizer = {
    added_tokens: [0, 1, 2].map((id) => ({ id, content: pieces[id], special: true })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '\u2581' },
        { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
      ],
    },
    pre_tokenizer: null,
    model: {
      type: 'BPE',
      byte_fallback: true,
      unk_token: '<unk>',
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: [],
    },
  };
  await writeTo(folder, 'tokenizer.json', JSON.stringify(tokenizer));
}
