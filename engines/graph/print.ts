/** Programs for people: a graph as it stands between two passes, a program as the engine runs it, and what a pass changed. */
import type { PlanView, Program } from '../plan/format.ts';
import { foldRepeats } from './fold.ts';
import type { Graph, Node, View, Weight } from './types.ts';

/** One line a buffer, one line a step; `fold` says repeated layers once. */
export function printProgram(
  program: Program,
  tensors: readonly { name: string; type: string }[],
  { fold = false }: { fold?: boolean } = {},
): string {
  const view = ([buffer, first, width]: PlanView): string => {
    const whole = first === 0 && width === program.buffers[buffer]!.width;
    return whole ? `b${buffer}` : `b${buffer}[${first}..${first + width}]`;
  };
  const buffers = program.buffers.map(({ rows, width }, index) => `b${index}  ${rows} × ${width}`);
  const steps = program.steps.map((step, index) => {
    const { op, in: inputs, out, weights, ...attributes } = step;
    const bound = weights.map((weight) =>
      weight === null ? '-' : `${shortened(tensors[weight]!.name.split('+'))}:${tensors[weight]!.type}`,
    );
    const operands = [...inputs.map(view), ...bound, ...namedAttributes(attributes)].join(', ');
    return `${String(index).padStart(3)}  ${out.map(view).join(', ') || '·'} = ${op}(${operands})`;
  });
  const likeness = program.steps.map(({ op, out, layer: _, ...step }) =>
    JSON.stringify([op, out, step.in, step.activation]),
  );
  const shown = fold ? folded(steps, likeness, '     ') : steps;
  return [...buffers, ...shown, `output b${program.output}`].join('\n');
}

/** The repeats of `lines` once, told by `likeness`. */
function folded(lines: readonly string[], likeness: readonly string[], indent = ''): string[] {
  const { start, length, times } = foldRepeats(likeness);
  if (times < 2) return [...lines];
  const again = `${indent}⋮ these ${length} operations ${times} times in all`;
  return [...lines.slice(0, start + length), again, ...lines.slice(start + length * times)];
}

/** One operation of a graph: `%7 = linear(%5, q_proj.weight[64×64], -, activation=none)`. */
export function printNode(graph: Graph, node: Node): string {
  const view = ({ value, first, width }: View): string => {
    const whole = first === 0 && width === graph.values[value]!.width;
    return whole ? `%${value}` : `%${value}[${first}..${first + width}]`;
  };
  const weights = node.weights.map((weight) => (weight === null ? '-' : printWeight(weight)));
  const operands = [...node.in.map(view), ...weights, ...namedAttributes(node.attributes)].join(', ');
  return `${node.out.map(view).join(', ') || '·'} = ${node.op}(${operands})`;
}

/** `q_proj + k_proj + v_proj .weight[96×64]`, with the layer's address before it said once. */
function printWeight(weight: Weight): string {
  const names = weight.parts.map((part) => part.name);
  const rows = weight.parts.reduce((sum, part) => sum + part.rows, 0);
  const shape = weight.use === 'vector' || weight.use === 'index' ? `${weight.columns}` : `${rows}×${weight.columns}`;
  return `${shortened(names)}[${shape}]`;
}

/** Names that begin and end alike: `a.b.{q,k,v}.weight`. */
function shortened(names: readonly string[]): string {
  const [first = ''] = names;
  if (names.length === 1) return first;
  const segments = names.map((name) => name.split('.'));
  const shortest = Math.min(...segments.map((parts) => parts.length));
  const isSame = (at: number, fromEnd: boolean): boolean =>
    segments.every((parts) => parts.at(fromEnd ? -1 - at : at) === segments[0]!.at(fromEnd ? -1 - at : at));
  let head = 0;
  while (head < shortest - 1 && isSame(head, false)) head++;
  let tail = 0;
  while (tail < shortest - 1 - head && isSame(tail, true)) tail++;
  const middles = segments.map((parts) => parts.slice(head, parts.length - tail).join('.'));
  const before = segments[0]!.slice(0, head).map((part) => `${part}.`);
  const after = segments[0]!.slice(segments[0]!.length - tail).map((part) => `.${part}`);
  return `${before.join('')}{${middles.join(',')}}${after.join('')}`;
}

function namedAttributes(attributes: Readonly<Record<string, unknown>>): string[] {
  const neutral = (name: string, value: unknown): boolean => name === 'activation' && value === 'none';
  return Object.entries(attributes).flatMap(([name, value]) => (neutral(name, value) ? [] : [`${name}=${value}`]));
}

/** A graph, its repeated layers once, each line with the line of the architecture that wrote it. */
export function printGraph(graph: Graph): string[] {
  const width = Math.min(100, Math.max(...graph.nodes.map((node) => printNode(graph, node).length)));
  return linesOf(graph, (node) => {
    const text = printNode(graph, node);
    return node.from === null ? `  ${text}` : `  ${text.padEnd(width)}  # ${node.from}`;
  });
}

/** What a pass changed: gone lines with `-`, new ones with `+`; of what stayed the lines beside them. */
export function printChange(before: Graph, after: Graph): string[] {
  const [old, fresh] = [before, after].map((graph) => linesOf(graph, (node) => printNode(graph, node)));
  return leaveOut(difference(old!, fresh!));
}

/** Layers are alike when their operations are: what differs are the numbers of layers and values. */
function linesOf(graph: Graph, print: (node: Node) => string): string[] {
  const likenessOf = ({ op, in: inputs, out, attributes }: Node): string => {
    const { layer: _, ...rest } = attributes;
    return JSON.stringify([op, [...inputs, ...out].map(({ rows, width }) => [rows, width]), rest]);
  };
  return folded(graph.nodes.map(print), graph.nodes.map(likenessOf));
}

type Marked = { readonly mark: ' ' | '-' | '+'; readonly text: string };

/** The shortest way from one list of lines to the other (by their longest common part). */
function difference(before: readonly string[], after: readonly string[]): Marked[] {
  const common = Array.from({ length: before.length + 1 }, () => new Int32Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const same = before[i] === after[j];
      common[i]![j] = same ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const marked: Marked[] = [];
  for (let i = 0, j = 0; i < before.length || j < after.length; ) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      marked.push({ mark: ' ', text: before[i++]! });
      j++;
    } else if (j >= after.length || (i < before.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      marked.push({ mark: '-', text: before[i++]! });
    } else {
      marked.push({ mark: '+', text: after[j++]! });
    }
  }
  return marked;
}

/** Unchanged lines farther than this from a change are left out. */
const contextLines = 1;

function leaveOut(marked: readonly Marked[]): string[] {
  const isNear = (at: number): boolean =>
    marked.slice(Math.max(0, at - contextLines), at + contextLines + 1).some(({ mark }) => mark !== ' ');
  const shown: string[] = [];
  let left = 0;
  marked.forEach(({ mark, text }, at) => {
    if (mark !== ' ' || isNear(at)) {
      if (left > 0) shown.push(`  … ${left} unchanged`);
      left = 0;
      shown.push(`${mark} ${text}`);
    } else left++;
  });
  if (left > 0) shown.push(`  … ${left} unchanged`);
  return shown;
}
