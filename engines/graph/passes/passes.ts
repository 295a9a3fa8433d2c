/** All passes in their order: from an architecture's graph to a program and the tensors it reads. */
import type { Graph } from '../types.ts';
import { type BoundTensor, bindWeights } from './bind-weights.ts';
import { choosePrecision, effectivePolicy, keepsGroups, type PrecisionPolicy } from './choose-precision.ts';
import { dropUnused } from './drop-unused.ts';
import { fuseAddNorm } from './fuse-add-norm.ts';
import { fuseBiasActivation } from './fuse-bias-activation.ts';
import { fuseGated } from './fuse-gated.ts';
import { fuseLinears } from './fuse-linears.ts';
import { fuseRopeKv } from './fuse-rope-kv.ts';
import { type Layout, layOutBuffers } from './lay-out-buffers.ts';
import { orderColumns } from './order-columns.ts';

/**
 * Graph to graph, each neutral by itself, so each may be left out. In this order: a bias must be in its linear before
 * linears are joined; joined q + k + v are what `rope_kv_write` takes, joined gate + up what `gated` takes.
 */
export const rewrites = {
  'fuse-bias-activation': { what: 'linear, bias, activation → linear', run: fuseBiasActivation },
  'fuse-linears': { what: 'linears of one input → one linear', run: fuseLinears },
  'fuse-rope-kv': { what: 'rope, rope, kv_write → rope_kv_write', run: fuseRopeKv },
  'fuse-gated': { what: 'activate, multiply → gated', run: fuseGated },
  'fuse-add-norm': { what: 'add, norm → add_norm', run: fuseAddNorm },
  'drop-unused': { what: 'what nobody reads is left out', run: dropUnused },
} as const satisfies Record<string, { what: string; run: (graph: Graph) => Graph }>;

export type RewriteName = keyof typeof rewrites;
export const rewriteNames = Object.keys(rewrites) as RewriteName[];

export type Compiled = Layout & { readonly tensors: readonly BoundTensor[] };

/** The graph as it stands after a pass. */
export type Stage = { readonly pass: string; readonly what: string; readonly graph: Graph };

export type CompileOptions = {
  readonly precision?: PrecisionPolicy;
  /** False leaves every operation as the architecture wrote it, to compare with. */
  readonly fuse?: boolean;
  /** Passes to leave out, to compare with; `reuse-buffers` gives every value a buffer of its own. */
  readonly without?: ReadonlySet<RewriteName | 'reuse-buffers'>;
  /** Sees the graph as it was written, and after each pass. */
  readonly observe?: (stage: Stage) => void;
};

/** Compiles a graph. Fails with a `ModelError` when a value is read after it was changed in place. */
export function compile(written: Graph, options: CompileOptions = {}): Compiled {
  const { without = new Set(), observe = () => {}, fuse = true } = options;
  let graph = written;
  observe({ pass: 'as written', what: 'by the architecture', graph });
  const policy = effectivePolicy(graph, options.precision);
  graph = orderColumns(graph, (weight) => keepsGroups(weight, policy));
  if (graph.nodes.length !== written.nodes.length) {
    observe({ pass: 'order-columns', what: 'inputs in the order of the weights’ groups', graph });
  }
  for (const name of rewriteNames) {
    if (!fuse || without.has(name)) continue;
    graph = rewrites[name].run(graph);
    observe({ pass: name, what: rewrites[name].what, graph });
  }
  const chosen = choosePrecision(graph, policy);
  observe({ pass: 'choose-precision', what: 'a linear of parts of several types is split', graph: chosen.graph });
  const { tensors, indexOf } = bindWeights(chosen.graph, chosen.precisionOf);
  return { ...layOutBuffers(chosen.graph, indexOf, { reuse: !without.has('reuse-buffers') }), tensors };
}
