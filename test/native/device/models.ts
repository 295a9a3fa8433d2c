/** Random models of the Llama family and of MiniLM's: all shapes that the kernels for 4 bits know, and small enough. */
import { join } from 'node:path';
import { buildRandomPlan, type RandomOptions } from '../../../engines/build/random-plan.ts';
import { findModel } from '../../../engines/catalogue.ts';
import { type PrecisionName, withHalfTables } from '../../../engines/graph/passes/choose-precision.ts';

export type LlamaShape = {
  hidden: number;
  inner: number;
  layers: number;
  heads: number;
  kvHeads: number;
  vocabulary: number;
};

/** Every group of columns is whole; heads of 128; an odd number of tiles in the inner width. */
export const smallLlama: LlamaShape = { hidden: 512, inner: 1408, layers: 4, heads: 4, kvHeads: 2, vocabulary: 4096 };
export const middleLlama: LlamaShape = { hidden: 1024, inner: 2816, layers: 6, heads: 8, kvHeads: 2, vocabulary: 4096 };

export async function buildLlama(
  folder: string,
  shape: LlamaShape,
  more: Partial<RandomOptions> & { precision?: PrecisionName; halfTables?: boolean } = {},
): Promise<string> {
  const { precision = 'int4', halfTables = true, ...rest } = more;
  const out = join(folder, `llama-${shape.hidden}-${precision}-${rest.seed ?? 1}-${rest.counts ?? false}.plan`);
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    num_hidden_layers: shape.layers,
    hidden_size: shape.hidden,
    intermediate_size: shape.inner,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    vocab_size: shape.vocabulary,
    max_position_embeddings: 4096,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    bos_token_id: 1,
    eos_token_id: 2,
  };
  const policy = halfTables ? withHalfTables(precision) : precision;
  await buildRandomPlan({ name: 'a random Llama', config, out, precision: policy, ...rest });
  return out;
}

/** The first layers of a model of the catalogue, in its true width. */
export async function buildShape(
  folder: string,
  id: string,
  layers: number,
  precision: PrecisionName,
): Promise<string> {
  const out = join(folder, `${id}-${layers}-${precision}.plan`);
  const config = findModel(id)!.shape;
  const isChat = precision === 'int4';
  await buildRandomPlan({
    name: id,
    config,
    out,
    precision: isChat ? withHalfTables(precision) : precision,
    ...(layers > 0 ? { layers } : {}),
  });
  return out;
}
