/** Programs for people: a graph as it stands between two passes, a program as the engine runs it, and what a pass changed. */
import type { PlanView, Program } from '../plan/format.ts';
import { foldRepeats } from './fold.ts';
import type { Graph, Node, View, Weight } from './types.ts';

/** One line a buffer, one line a step. */
export function printProgram(program: Program, tensors: readonly { name: string; type: string }[]): string {
  const view = ([buffer, first, width]: PlanView): string => {
    const whole = first === 0 && width === program.buffers[buffer]!.width;
    return whole ? `b${buffer}` : `b${buffer}[${first}..${first + width}]`;
  };
  const buffers = program.buffers.map(({ rows, width }, index) => `b${index}  ${rows} × ${width}`);
  const steps = program.steps.map((step, index) => {
    const { op, in: inputs, out, weights, ...attributes } = step;
    const bound = weights.map((weight) =>
      weight === null ? '-' : `${tensors[weight]!.name}:${tensors[weight]!.type}`,
    );
    const operands = [...inputs.map(view), ...bound, ...namedAttributes(attributes)].join(', ');
    return `${String(index).padStart(3)}  ${out.map(view).join(', ') || '·'} = ${op}(${operands})`;
  });
  return [...buffers, ...steps, `output b${program.output}`].join('\n');
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
  return linesOf(graph).map(({ text, from }) => `  ${text}${from === '' ? '' : `   # ${from}`}`);
}

/** What a pass changed: gone lines with `-`, new ones with `+`, what is between two changes left out past three lines. */
export function printChange(before: Graph, after: Graph): string[] {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  const marked = difference(
    old.map(({ text }) => text),
    fresh.map(({ text }) => text),
  );
  return leaveOut(marked);
}

type Line = { readonly text: string; readonly from: string };

function linesOf(graph: Graph): Line[] {
  // Layers are alike when nothing differs but the numbers of the layer and of the values.
  const likenessOf = (node: Node): string => printNode(graph, node).replace(/%\d+|\.\d+\.|layer=\d+/g, '#');
  const { start, length, times } = foldRepeats(graph.nodes.map(likenessOf));
  const lines = graph.nodes.map((node): Line => ({ text: printNode(graph, node), from: node.from ?? '' }));
  if (times < 2) return lines;
  const again: Line = { text: `⋮ these ${length} operations ${times} times in all`, from: '' };
  return [...lines.slice(0, start + length), again, ...lines.slice(start + length * times)];
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
