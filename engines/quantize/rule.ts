/** Which type each weight gets, by the method that the user chose. */

import type { Precision, PrecisionRule } from '../graph/passes/choose-precision.ts';
import { type Graph, rowsOf, type Weight } from '../graph/types.ts';
import { ModelError } from '../model-error.ts';
import type { PlanType } from '../plan/format.ts';

export const quantizeMethods = ['awq', 'rtn', 'int8', 'fp8'] as const;
/** AWQ and round to nearest make 4 bits; int8 has a scale per 32 columns, fp8 (E4M3) one per row. */
export type QuantizeMethod = (typeof quantizeMethods)[number];

export const headTypes = ['f16', 'int8', 'int4'] as const;
export type HeadType = (typeof headTypes)[number];

/** The columns that share a scale in a 4-bit type; null for the other types. */
export function groupColumnsOf(type: PlanType): 32 | 128 | null {
  if (type === 'int4_g128') return 128;
  return type === 'int4_g32' ? 32 : null;
}

/**
 * The rule. Linears get the method's type; where their columns are no multiple of 128, 4 bits with groups of 32, where
 * they are none of 32, f16. The table of tokens is never below 8 bits, but where it is the head, too.
 */
export function ruleOf(graph: Graph, method: QuantizeMethod, head: HeadType): PrecisionRule {
  const weights = graph.nodes.flatMap((node) => node.weights.filter((weight) => weight !== null));
  const heads = new Set(weights.filter(({ use }) => use === 'head').map((weight) => weight.parts[0]!.name));
  const half: Precision = { type: 'f16' };
  const int4 = (weight: Weight): Precision => {
    if (weight.columns % 128 === 0) return { type: 'int4_g128' };
    return weight.columns % 32 === 0 ? { type: 'int4_g32' } : half;
  };
  const int8 = (weight: Weight): Precision => (weight.columns % 32 === 0 ? { type: 'q8' } : half);
  const ofHead = { f16: () => half, int8, int4 }[head];
  const ofLinear = { awq: int4, rtn: int4, int8, fp8: (): Precision => ({ type: 'f8' }) }[method];
  return (weight, part) => {
    switch (weight.use) {
      case 'vector':
        return { type: 'f32' };
      case 'index':
        return { type: 'i32' };
      case 'positions':
        return half;
      case 'head':
        return ofHead(weight);
      case 'table':
        if (heads.has(part.name)) return ofHead(weight);
        return head === 'f16' ? half : int8(weight);
      case 'linear':
        return ofLinear(weight);
    }
  };
}

/** What AutoAWQ's form can hold: groups of 128, rows in eights; head and table in f16. */
export function ruleOfAwqExport(): PrecisionRule {
  return (weight) => {
    if (weight.use === 'vector') return { type: 'f32' };
    const fits = weight.use === 'linear' && weight.columns % 128 === 0 && rowsOf(weight) % 8 === 0;
    return { type: fits ? 'int4_g128' : 'f16' };
  };
}

/** Refuses a model in which nothing would be quantized: its columns fit no group. */
export function refuseUntouched(graph: Graph, rule: PrecisionRule): void {
  const linears = graph.nodes.filter(({ op, weights }) => op === 'linear' && weights[0]!.use === 'linear');
  if (linears.some(({ weights: [weight] }) => rule(weight!, weight!.parts[0]!).type !== 'f16')) return;
  const columns = [...new Set(linears.map(({ weights: [weight] }) => weight!.columns))].join(', ');
  throw new ModelError(
    'unsupported-model',
    `Nothing of this model can be quantized: its linears have ${columns} columns, and a group has 32.`,
  );
}
