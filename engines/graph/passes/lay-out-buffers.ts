/**
 * Gives every value a place in few buffers: a buffer is used again once nobody reads what it held. Yields the program.
 *
 * Linear scan in the order of the steps; a value goes to the free buffer that is wasted least by it. An operation's
 * output never shares a buffer with its inputs, but where it is meant to (`inPlaceOperations`).
 */
import { ModelError } from '../../model-error.ts';
import type { PlanBuffer, PlanStep, PlanView, Program } from '../../plan/format.ts';
import { overlap } from '../rewrite.ts';
import { type Graph, inPlaceOperations, type Node, type View, type Weight } from '../types.ts';

export type Layout = {
  readonly program: Program;
  /** Floats per token of the step, over all its buffers. */
  readonly peakFloatsPerToken: number;
  /** The same in bytes: what a step of T tokens takes T times, beside its outputs. */
  readonly peakBytesPerToken: number;
};

export type LayoutOptions = {
  /** False gives every value a buffer of its own: to compare with, and to look into a program that runs. */
  readonly reuse?: boolean;
};

type Place = { root: number; first: number };

export function layOutBuffers(
  graph: Graph,
  indexOf: (weight: Weight) => number,
  { reuse = true }: LayoutOptions = {},
): Layout {
  const placeOf = findPlaces(graph);
  refusePartialOutput(graph, placeOf(graph.output.value));
  const { defined, lastUse } = findLifetimes(graph, placeOf);

  const outputRoot = placeOf(graph.output.value).root;
  const buffers: { rows: PlanBuffer['rows']; width: number; freeFrom: number }[] = [];
  const bufferOf = new Map<number, number>();
  for (let index = 0; index < graph.nodes.length; index++) {
    for (const out of graph.nodes[index]!.out) {
      const { root } = placeOf(out.value);
      if (defined.get(root) !== index || bufferOf.has(root)) continue;
      const { rows, width } = graph.values[root]!;
      const waste = (buffer: { width: number }): number => Math.abs(buffer.width - width);
      // The output has a buffer to itself, exactly as wide as it is: whoever reads it need not know of the others.
      const free = (root === outputRoot || !reuse ? [] : buffers)
        .filter((buffer) => buffer.rows === rows && buffer.freeFrom < index)
        .sort((a, b) => waste(a) - waste(b))[0];
      const buffer = free ?? { rows, width, freeFrom: 0 };
      if (free === undefined) buffers.push(buffer);
      buffer.width = Math.max(buffer.width, width);
      buffer.freeFrom = lastUse.get(root)!;
      bufferOf.set(root, buffers.indexOf(buffer));
    }
  }

  const viewOf = (view: View): PlanView => {
    const place = placeOf(view.value);
    return [bufferOf.get(place.root)!, place.first + view.first, view.width];
  };
  const program: Program = {
    buffers: buffers.map(({ rows, width }) => ({ rows, width })),
    steps: graph.nodes.map((node) => stepOf(node, viewOf, indexOf)),
    output: viewOf(graph.output)[0],
  };
  const peakFloatsPerToken = buffers
    .filter((buffer) => buffer.rows === 'tokens')
    .reduce((sum, buffer) => sum + buffer.width, 0);
  return { program, peakFloatsPerToken, peakBytesPerToken: 4 * peakFloatsPerToken };
}

/** Where a value lies: the value whose buffer it shares, and its first column there. */
function findPlaces(graph: Graph): (value: number) => Place {
  const places = new Map<number, Place>();
  const placeOf = (value: number): Place => places.get(value) ?? { root: value, first: 0 };
  graph.nodes.forEach((node, index) => {
    if (!inPlaceOperations.has(node.op)) return;
    const input = node.in[0]!;
    const late = graph.nodes.slice(index + 1).some((reader) => reader.in.some((view) => overlap(view, input)));
    if (late || overlap(graph.output, input)) {
      throw new ModelError(
        'unsupported-model',
        `${where(graph, node)}${node.op} changes a value that is read again after it.`,
      );
    }
    const place = placeOf(input.value);
    const out = node.out[0]!;
    // Several operations may change columns of one place; the value that they yield together lies where the old one did.
    places.set(out.value, { root: place.root, first: place.first + input.first - out.first });
  });
  return placeOf;
}

function refusePartialOutput(graph: Graph, { root, first }: Place): void {
  const { output } = graph;
  if (first === 0 && output.first === 0 && output.width === graph.values[root]!.width) return;
  throw new ModelError(
    'unsupported-model',
    `${graph.architecture}: the output is ${output.width} of ${graph.values[root]!.width} columns; it must be all of them.`,
  );
}

/** `llama.ts:45: llama: ` */
function where(graph: Graph, node: Node): string {
  return `${node.from === null ? '' : `${node.from}: `}${graph.architecture}: `;
}

function findLifetimes(graph: Graph, placeOf: (value: number) => Place) {
  const defined = new Map<number, number>();
  const lastUse = new Map<number, number>();
  graph.nodes.forEach((node, index) => {
    for (const view of [...node.in, ...node.out]) {
      const { root } = placeOf(view.value);
      if (!defined.has(root)) defined.set(root, index);
      lastUse.set(root, index);
    }
  });
  lastUse.set(placeOf(graph.output.value).root, graph.nodes.length);
  return { defined, lastUse };
}

/** The operands as the plan lists them: what is changed in place stands in `out`, but for a norm's residual. */
function stepOf(node: Node, viewOf: (view: View) => PlanView, indexOf: (weight: Weight) => number): PlanStep {
  const addsNorm = node.op === 'add_rms_norm' || node.op === 'add_layer_norm';
  const inputs = inPlaceOperations.has(node.op) && !addsNorm ? [] : node.in;
  const outputs = addsNorm ? node.out.slice(1) : node.out;
  return {
    op: node.op,
    in: inputs.map(viewOf),
    out: outputs.map(viewOf),
    weights: node.weights.map((weight) => (weight === null ? null : indexOf(weight))),
    ...node.attributes,
  };
}
