/**
 * Gives every value a place in few buffers: a buffer is used again once nobody reads what it held. Yields the program.
 *
 * An operation's output never shares a buffer with its inputs, but where it is meant to (`inPlaceOperations`).
 */
import { ModelError } from '../../model-error.ts';
import type { PlanStep, PlanView, Program } from '../../plan/format.ts';
import { overlap } from '../rewrite.ts';
import { type Graph, inPlaceOperations, type Node, type View, type Weight } from '../types.ts';
import { type Stay, shareBuffers } from './share-buffers.ts';

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
  const roots = [...defined.keys()];
  const stays = roots.map((root): Stay => {
    // The output has a buffer to itself, exactly as wide as it is: whoever reads it need not know of the others.
    const alone = root === outputRoot || !reuse;
    return { ...graph.values[root]!, firstStep: defined.get(root)!, lastStep: lastUse.get(root)!, alone };
  });
  const { buffers, bufferOf: placeOfStay } = shareBuffers(stays);
  const bufferOf = new Map(roots.map((root, stay) => [root, placeOfStay[stay]!]));

  equalizeStrides(graph, (view) => buffers[bufferOf.get(placeOf(view.value).root)!]!);

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

/** `attention_full` walks keys and values with one stride, so the buffers of both are made equally wide. */
function equalizeStrides(graph: Graph, bufferOf: (view: View) => { width: number }): void {
  const pairs = graph.nodes
    .filter(({ op }) => op === 'attention_full')
    .map((node) => node.in.slice(1).map(bufferOf) as [{ width: number }, { width: number }]);
  // One may be in several pairs: until nothing grows.
  for (let grown = true; grown; ) {
    grown = false;
    for (const [keys, values] of pairs) {
      if (keys.width === values.width) continue;
      keys.width = values.width = Math.max(keys.width, values.width);
      grown = true;
    }
  }
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
