/**
 * Decides the plan's type of every weight, and splits fused linears whose parts got different ones.
 *
 * The rule: nothing is thrown away that the checkpoint has. Types with 16 levels and no offset stay 4-bit, with their own
 * levels as the codebook; all others go to int8 with a scale per 32, finer than any 6-bit type. Vectors stay float32.
 */
import type { PlanType } from '../../plan/format.ts';
import { type Graph, type Node, rowsOf, type Weight, type WeightPart } from '../graph.ts';

export type Precision = { readonly type: PlanType; readonly codebook?: readonly number[] };

/** A rule of the caller's own, for each part of each weight. */
export type PrecisionRule = (weight: Weight, part: WeightPart) => Precision;

/** `auto` is the rule above; the other names force the type of every matrix that allows it. */
export type PrecisionPolicy = 'auto' | 'f32' | 'f16' | 'q8' | 'q4' | PrecisionRule;

const level = (values: number[]): readonly number[] => [...values, ...new Array<number>(16 - values.length).fill(0)];

/** The levels of the types that fit 4 bits with one scale per 32. */
const codebooks: Readonly<Record<string, readonly number[]>> = {
  iq2_xxs: level([-43, -25, -8, 8, 25, 43]),
  q4_0: level([-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7]),
  iq4_nl: level([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]),
  iq4_xs: level([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]),
};

/** Below this many numbers a whole model is kept as float32: it costs little memory and nothing of its exactness. */
const smallModel = 4_000_000;

export function choosePrecision(
  graph: Graph,
  policy: PrecisionPolicy = 'auto',
): { graph: Graph; precisionOf: (weight: Weight) => Precision } {
  const weights = new Set(graph.nodes.flatMap((node) => node.weights.filter((weight) => weight !== null)));
  const total = [...weights].reduce((sum, weight) => sum + rowsOf(weight) * weight.columns, 0);
  const effective = policy === 'auto' && total < smallModel ? 'f32' : policy;
  const choose: PrecisionRule =
    typeof effective === 'function' ? effective : (weight, part) => precisionOfPart(weight, part, effective);
  const nodes = graph.nodes.flatMap((node) => (node.op === 'linear' ? split(node, choose) : [node]));
  return { graph: { ...graph, nodes }, precisionOf: (weight) => choose(weight, weight.parts[0]!) };
}

function precisionOfPart(weight: Weight, part: WeightPart, policy: Exclude<PrecisionPolicy, PrecisionRule>): Precision {
  const half = part.from === 'f32' && policy !== 'f16' ? ('f32' as const) : ('f16' as const);
  if (weight.use === 'index') return { type: 'i32' };
  if (weight.use === 'vector' || policy === 'f32') return { type: 'f32' };
  if (weight.use === 'positions' || policy === 'f16') return { type: half };
  if (weight.columns % 32 !== 0) return { type: half };
  // A token's own row and the logits are felt in every answer: never below 8 bits.
  const mayBeQ4 = weight.use === 'linear';
  if (policy === 'q4' && mayBeQ4) return { type: 'q4', codebook: codebooks[part.from] ?? codebooks.iq4_nl! };
  const codebook = codebooks[part.from];
  return policy === 'auto' && mayBeQ4 && codebook !== undefined ? { type: 'q4', codebook } : { type: 'q8' };
}

/** One linear per run of parts of one type, each into its own columns. */
function split(node: Node, choose: (weight: Weight, part: WeightPart) => Precision): Node[] {
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
