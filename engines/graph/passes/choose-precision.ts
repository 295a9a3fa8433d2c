/**
 * Decides the plan's type of every weight, and splits fused linears whose parts got different ones.
 *
 * The rule of `auto`: nothing is thrown away that the checkpoint has. What fits 4 bits stays there with its own levels or
 * its own scales and zeros; everything finer goes to int8 with a scale per 32, finer than any 6-bit type. Vectors stay
 * float32. The other policies force the type of every linear whose shape allows it.
 */
import { parseGroupedType, planTypeOfGroups } from '../../build/grouped-types.ts';
import type { PlanType } from '../../plan/format.ts';
import { type Graph, type Node, rowsOf, type Weight, type WeightPart } from '../types.ts';

export type Precision = { readonly type: PlanType; readonly codebook?: readonly number[] };

export const precisionPolicies = ['auto', 'f32', 'f16', 'q8', 'q4', 'int4', 'int4_g32', 'f8'] as const;
export type PrecisionName = (typeof precisionPolicies)[number];

/** A rule of the caller's own (the quantizer's), for each part of each weight. */
export type PrecisionRule = (weight: Weight, part: WeightPart) => Precision;

export type PrecisionPolicy = PrecisionName | PrecisionRule;

const levels = (...values: number[]): Precision => {
  return { type: 'q4', codebook: [...values, ...new Array<number>(16 - values.length).fill(0)] };
};
const iq4Levels = levels(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/**
 * What keeps a checkpoint's type as it is. A reader of a new type adds a line: of its preferences the first that the
 * weight's shape allows is taken. What stands nowhere here becomes q8.
 */
const keptAs: Readonly<Record<string, readonly Precision[]>> = {
  iq2_xxs: [levels(-43, -25, -8, 8, 25, 43)],
  q4_0: [levels(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7)],
  iq4_nl: [iq4Levels],
  iq4_xs: [iq4Levels],
  // Sixteen levels between a scale and an offset of their own.
  q4_1: [{ type: 'int4_g32' }],
  q4_k: [{ type: 'int4_g32' }],
};

/** What keeps a part as it is; of a linear in groups (AWQ, GPTQ, compressed-tensors) what keeps its codes and zeros. */
function keeping(part: WeightPart): readonly Precision[] {
  const groups = parseGroupedType(part.from);
  const type = groups === null ? null : planTypeOfGroups(groups, part.columns);
  return type === null ? (keptAs[part.from] ?? []) : [{ type }];
}

/** What a policy asks of a linear, the best first. */
const forced: Readonly<Record<PrecisionName, (part: WeightPart) => readonly Precision[]>> = {
  auto: keeping,
  f32: () => [{ type: 'f32' }],
  f16: () => [],
  q8: () => [{ type: 'q8' }],
  q4: (part) => (keptAs[part.from] ?? []).filter(({ type }) => type === 'q4').concat(iq4Levels),
  int4: () => [{ type: 'int4_g128' }, { type: 'int4_g32' }],
  int4_g32: () => [{ type: 'int4_g32' }],
  f8: () => [{ type: 'f8' }],
};

/** How many columns a type's groups have: it takes only whole ones. */
const groupColumns: Readonly<Partial<Record<PlanType, number>>> = { q8: 32, q4: 32, int4_g32: 32, int4_g128: 128 };

/** Below this many numbers a whole model is kept as float32: it costs little memory and nothing of its exactness. */
const smallModel = 4_000_000;

/** The policy for this graph: a small model is kept as float32 where nothing else is asked for. */
export function effectivePolicy(graph: Graph, policy: PrecisionPolicy = 'auto'): PrecisionPolicy {
  const weights = new Set(graph.nodes.flatMap((node) => node.weights.filter((weight) => weight !== null)));
  const total = [...weights].reduce((sum, weight) => sum + rowsOf(weight) * weight.columns, 0);
  return policy === 'auto' && total < smallModel ? 'f32' : policy;
}

/** Whether the plan keeps the checkpoint's groups of columns, and so their order. `policy` is an effective one. */
export function keepsGroups(weight: Weight, policy: PrecisionPolicy): boolean {
  const part = weight.parts[0]!;
  if (!isMatrixOfSums(weight) || parseGroupedType(part.from) === null) return false;
  const [kept] = keeping(part);
  if (policy === 'auto') return kept !== undefined;
  // Asked for 4 bits, what has them already stays as it is.
  return (policy === 'int4' || policy === 'int4_g32') && kept !== undefined && kept.type.startsWith('int4');
}

/** `policy` is an effective one. */
export function choosePrecision(
  graph: Graph,
  policy: PrecisionPolicy,
): { graph: Graph; precisionOf: (weight: Weight) => Precision } {
  const choose: PrecisionRule =
    typeof policy === 'function' ? policy : (weight, part) => precisionOfPart(weight, part, policy);
  const nodes = graph.nodes.flatMap((node) => (node.op === 'linear' ? split(node, choose) : [node]));
  return { graph: { ...graph, nodes }, precisionOf: (weight) => choose(weight, weight.parts[0]!) };
}

function isMatrixOfSums({ use }: Weight): boolean {
  return use === 'linear' || use === 'head';
}

/** The rule of a policy, but for the tables at both ends (a token's own row, and the logits), which stay in 16 bits. */
export function withHalfTables(policy: PrecisionName): PrecisionRule {
  return (weight, part) =>
    weight.use === 'head' || weight.use === 'table' ? { type: 'f16' } : precisionOfPart(weight, part, policy);
}

function precisionOfPart(weight: Weight, part: WeightPart, policy: PrecisionName): Precision {
  if (weight.use === 'index') return { type: 'i32' };
  if (weight.use === 'vector' || policy === 'f32') return { type: 'f32' };
  const half: Precision = { type: part.from === 'f32' && policy !== 'f16' ? 'f32' : 'f16' };
  if (weight.use === 'positions' || policy === 'f16') return half;
  // A token's own row and the logits are felt in every answer: below 8 bits only where the checkpoint is so itself.
  const keeps = keepsGroups(weight, policy);
  const asked = keeps ? keeping(part) : weight.use === 'linear' ? forced[policy](part) : [];
  const wanted: readonly Precision[] = [...asked, { type: 'q8' }];
  return wanted.find(({ type }) => weight.columns % (groupColumns[type] ?? 1) === 0) ?? half;
}

/** One linear per run of parts of one type, each into its own columns. */
function split(node: Node, choose: PrecisionRule): Node[] {
  const weight = node.weights[0]!;
  const bias = node.weights[1]!;
  const out = node.out[0]!;
  const pieces: Node[] = [];
  let firstColumn = 0;
  for (let from = 0; from < weight.parts.length; ) {
    const precision = choose(weight, weight.parts[from]!);
    let to = from + 1;
    while (to < weight.parts.length && samePrecision(choose(weight, weight.parts[to]!), precision)) to++;
    const piece: Weight = { ...weight, parts: weight.parts.slice(from, to) };
    const width = rowsOf(piece);
    const pieceBias: Weight | null =
      bias === null ? null : { ...bias, columns: width, parts: bias.parts.slice(from, to) };
    pieces.push({
      ...node,
      out: [{ ...out, first: out.first + firstColumn, width }],
      weights: [piece, pieceBias],
    });
    firstColumn += width;
    from = to;
  }
  return pieces.length === 1 ? [node] : pieces;
}

function samePrecision(a: Precision, b: Precision): boolean {
  return a.type === b.type && String(a.codebook) === String(b.codebook);
}
