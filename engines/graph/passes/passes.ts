/** All passes in their order: from an architecture's graph to a program and the tensors it reads. */
import type { Graph } from '../graph.ts';
import { type BoundTensor, bindWeights } from './bind-weights.ts';
import { choosePrecision, effectivePolicy, keepsGroups, type PrecisionPolicy } from './choose-precision.ts';
import { fuseAddNorm } from './fuse-add-norm.ts';
import { fuseGated } from './fuse-gated.ts';
import { fuseLinears } from './fuse-linears.ts';
import { fuseRopeKv } from './fuse-rope-kv.ts';
import { type Layout, layOutBuffers } from './lay-out-buffers.ts';
import { orderColumns } from './order-columns.ts';

export type Compiled = Layout & { readonly tensors: readonly BoundTensor[] };

/** Compiles a graph. `fuse: false` leaves every operation as the architecture wrote it, to compare with. */
export function compile(graph: Graph, options: { precision?: PrecisionPolicy; fuse?: boolean } = {}): Compiled {
  const policy = effectivePolicy(graph, options.precision);
  const ordered = orderColumns(graph, (weight) => keepsGroups(weight, policy));
  const fused = options.fuse === false ? ordered : fuseAddNorm(fuseGated(fuseRopeKv(fuseLinears(ordered))));
  const chosen = choosePrecision(fused, policy);
  const { tensors, indexOf } = bindWeights(chosen.graph, chosen.precisionOf);
  return { ...layOutBuffers(chosen.graph, indexOf), tensors };
}
