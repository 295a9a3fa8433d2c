/**
 * The true shapes of published models, as their makers' config.json has them: the keys that say what is computed. With one of
 * these a plan of random weights can be built, and the sizes of an entry are reckoned from it.
 */

/** A config.json of the hub. */
export type HubConfig = Readonly<Record<string, unknown>> & { readonly model_type: string };

/** [layers, hidden, intermediate, heads, key and value heads, vocabulary, context] */
type Decoder = readonly [number, number, number, number, number, number, number];

function decoder(
  model_type: string,
  architecture: string,
  shape: Decoder,
  more: Readonly<Record<string, unknown>>,
): HubConfig {
  const [layers, hidden, intermediate, heads, kvHeads, vocabulary, context] = shape;
  return {
    architectures: [architecture],
    model_type,
    num_hidden_layers: layers,
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: vocabulary,
    max_position_embeddings: context,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    ...more,
  };
}

const sentencePieceEnds = { bos_token_id: 1, eos_token_id: 2 };
const llama = (shape: Decoder, more: Readonly<Record<string, unknown>> = {}) =>
  decoder('llama', 'LlamaForCausalLM', shape, { attention_bias: false, ...sentencePieceEnds, ...more });
const mistral = (vocabulary: number) =>
  decoder('mistral', 'MistralForCausalLM', [32, 4096, 14_336, 32, 8, vocabulary, 32_768], {
    rope_theta: 1_000_000,
    sliding_window: null,
    ...sentencePieceEnds,
  });
const llama3 = (shape: Decoder, ropeFactor: number, more: Readonly<Record<string, unknown>>) =>
  llama(shape, {
    rope_theta: 500_000,
    rope_scaling: {
      factor: ropeFactor,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
      rope_type: 'llama3',
    },
    bos_token_id: 128_000,
    eos_token_id: [128_001, 128_008, 128_009],
    ...more,
  });
const qwen = { rms_norm_eps: 1e-6, rope_theta: 1_000_000, use_sliding_window: false, sliding_window: null };
const qwen2 = (shape: Decoder, isTied: boolean) =>
  decoder('qwen2', 'Qwen2ForCausalLM', shape, {
    ...qwen,
    tie_word_embeddings: isTied,
    bos_token_id: 151_643,
    eos_token_id: 151_645,
  });
const qwen3 = (shape: Decoder, isTied: boolean) =>
  decoder('qwen3', 'Qwen3ForCausalLM', shape, {
    ...qwen,
    head_dim: 128,
    attention_bias: false,
    tie_word_embeddings: isTied,
    bos_token_id: 151_643,
    eos_token_id: 151_645,
  });
const gemma2 = (shape: Decoder) =>
  decoder('gemma2', 'Gemma2ForCausalLM', shape, {
    head_dim: 256,
    hidden_act: 'gelu_pytorch_tanh',
    hidden_activation: 'gelu_pytorch_tanh',
    rms_norm_eps: 1e-6,
    attention_bias: false,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    tie_word_embeddings: true,
    bos_token_id: 2,
    eos_token_id: 1,
    pad_token_id: 0,
  });

/** [layers, hidden, intermediate, heads] */
type Encoder = readonly [number, number, number, number];
function encoder(
  model_type: 'bert' | 'xlm-roberta',
  shape: Encoder,
  more: Readonly<Record<string, unknown>>,
): HubConfig {
  const [layers, hidden, intermediate, heads] = shape;
  const isBert = model_type === 'bert';
  return {
    architectures: [isBert ? 'BertModel' : 'XLMRobertaModel'],
    model_type,
    num_hidden_layers: layers,
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_attention_heads: heads,
    hidden_act: 'gelu',
    vocab_size: isBert ? 30_522 : 250_002,
    max_position_embeddings: isBert ? 512 : 514,
    type_vocab_size: isBert ? 2 : 1,
    layer_norm_eps: isBert ? 1e-12 : 1e-5,
    position_embedding_type: 'absolute',
    pad_token_id: isBert ? 0 : 1,
    ...(!isBert && { bos_token_id: 0, eos_token_id: 2 }),
    ...more,
  };
}
const oneLabel = { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } };
const bertReranker = { ...oneLabel, architectures: ['BertForSequenceClassification'] };
const xlmReranker = { ...oneLabel, architectures: ['XLMRobertaForSequenceClassification'] };

export const shapes = {
  'tinyllama-1.1b': llama([22, 2048, 5632, 32, 4, 32_000, 2048]),
  'llama-2-13b': llama([40, 5120, 13_824, 40, 40, 32_000, 4096]),
  'llama-3.1-8b': llama3([32, 4096, 14_336, 32, 8, 128_256, 131_072], 8, {}),
  'llama-3.2-1b': llama3([16, 2048, 8192, 32, 8, 128_256, 131_072], 32, { head_dim: 64, tie_word_embeddings: true }),
  'llama-3.2-3b': llama3([28, 3072, 8192, 24, 8, 128_256, 131_072], 32, { head_dim: 128, tie_word_embeddings: true }),
  'mistral-7b-v0.2': mistral(32_000),
  'mistral-7b-v0.3': mistral(32_768),
  /** Nous' fine-tune of v0.1 with two more pieces: the sliding window is v0.1's. */
  'mistral-7b-v0.1-chatml': decoder('mistral', 'MistralForCausalLM', [32, 4096, 14_336, 32, 8, 32_002, 32_768], {
    sliding_window: 4096,
    bos_token_id: 1,
    eos_token_id: 32_000,
  }),
  'qwen2.5-0.5b': qwen2([24, 896, 4864, 14, 2, 151_936, 32_768], true),
  'qwen2.5-1.5b': qwen2([28, 1536, 8960, 12, 2, 151_936, 32_768], true),
  'qwen2.5-3b': qwen2([36, 2048, 11_008, 16, 2, 151_936, 32_768], true),
  'qwen2.5-7b': qwen2([28, 3584, 18_944, 28, 4, 152_064, 32_768], false),
  'qwen2.5-14b': qwen2([48, 5120, 13_824, 40, 8, 152_064, 32_768], false),
  'qwen3-0.6b': qwen3([28, 1024, 3072, 16, 8, 151_936, 40_960], true),
  'qwen3-1.7b': qwen3([28, 2048, 6144, 16, 8, 151_936, 40_960], true),
  'qwen3-4b': qwen3([36, 2560, 9728, 32, 8, 151_936, 40_960], true),
  'qwen3-8b': qwen3([36, 4096, 12_288, 32, 8, 151_936, 40_960], false),
  'gemma-2-2b': gemma2([26, 2304, 9216, 8, 4, 256_000, 8192]),
  'gemma-2-9b': gemma2([42, 3584, 14_336, 16, 8, 256_000, 8192]),
  'phi-3-mini': decoder('phi3', 'Phi3ForCausalLM', [32, 3072, 8192, 32, 32, 32_064, 4096], {
    original_max_position_embeddings: 4096,
    rope_scaling: null,
    sliding_window: 2047,
    bos_token_id: 1,
    eos_token_id: 32_000,
    pad_token_id: 32_000,
  }),
  'minilm-l6': encoder('bert', [6, 384, 1536, 12], {}),
  'bert-small': encoder('bert', [12, 384, 1536, 12], {}),
  'bert-base': encoder('bert', [12, 768, 3072, 12], {}),
  /** BERT's architecture with XLM-R's vocabulary. */
  'e5-small': encoder('bert', [12, 384, 1536, 12], { vocab_size: 250_037, tokenizer_class: 'XLMRobertaTokenizer' }),
  'e5-base': encoder('xlm-roberta', [12, 768, 3072, 12], {}),
  'minilm-l6-reranker': encoder('bert', [6, 384, 1536, 12], bertReranker),
  'xlm-r-base-reranker': encoder('xlm-roberta', [12, 768, 3072, 12], xlmReranker),
  'xlm-r-large-reranker': encoder('xlm-roberta', [24, 1024, 4096, 16], {
    ...xlmReranker,
    max_position_embeddings: 8194,
  }),
} as const satisfies Readonly<Record<string, HubConfig>>;
