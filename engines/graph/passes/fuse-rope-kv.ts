/**
 * Turning the queries, turning the keys and storing keys and values become one pass over the fused q + k + v. Norms of
 * the heads before it (Qwen 3) stay steps of their own, on the columns of the same value.
 *
 * Neutral: the same rotations of the same columns, the same rows stored.
 */
import { becomesOutput, readersOf, redirect, sameView, writerOf } from '../rewrite.ts';
import type { Graph, Node, View } from '../types.ts';

export function fuseRopeKv(graph: Graph): Graph {
  let fused = graph;
  for (;;) {
    const next = fuseOne(fused);
    if (next === null) return fused;
    fused = next;
  }
}

const ropeAttributes = ['headSize', 'rotarySize', 'adjacentPairs', 'factor'] as const;

function fuseOne(graph: Graph): Graph | null {
  for (const [index, write] of graph.nodes.entries()) {
    if (write.op !== 'kv_write') continue;
    const [turnedKeys, v] = write.in as [View, View];
    const ropeKeys = graph.nodes[writerOf(graph, turnedKeys)];
    if (ropeKeys?.op !== 'rope') continue;
    const k = beforeNorm(graph, ropeKeys.in[0]!);
    const ropeQueries = graph.nodes.find((node) => {
      if (node.op !== 'rope') return false;
      const { view } = beforeNorm(graph, node.in[0]!);
      return view.value === k.view.value && view.first + view.width === k.view.first;
    });
    if (ropeQueries === undefined) continue;
    const q = beforeNorm(graph, ropeQueries.in[0]!);
    const turnedQueries = ropeQueries.out[0]!;
    const { value, rows, first, width } = k.view;
    const contiguous = v.value === value && first + width === v.first && v.width === width && q.view.first === 0;
    const whole: View = { value, rows, first: 0, width: q.view.width + 2 * width };
    const sameRope =
      ropeKeys.weights[0]!.parts[0]!.name === ropeQueries.weights[0]!.parts[0]!.name &&
      ropeAttributes.every((name) => ropeKeys.attributes[name] === ropeQueries.attributes[name]);
    // The keys may be read by the write alone, the turned queries only after it, and what was not turned by nobody else.
    const keysForWriteOnly = readersOf(graph, turnedKeys).every((reader) => reader === index);
    const queriesAfter =
      readersOf(graph, turnedQueries).every((reader) => reader > index) && !becomesOutput(graph, turnedQueries);
    const norms = [q.norm, k.norm].filter((norm) => norm !== null);
    const ropes = [ropeKeys, ropeQueries].map((rope) => graph.nodes.indexOf(rope));
    const known = new Set([...ropes, ...norms.map((norm) => graph.nodes.indexOf(norm)), index]);
    const readByThese = [whole, ...norms.map((norm) => norm.out[0]!)].every((view) =>
      readersOf(graph, view).every((reader) => known.has(reader)),
    );
    if (graph.values[value]!.width !== whole.width) continue;
    if (!(contiguous && sameRope && keysForWriteOnly && queriesAfter && readByThese)) continue;

    const values = [...graph.values];
    const fresh = (): View => {
      values.push({ rows, width: whole.width });
      return { ...whole, value: values.length - 1 };
    };
    // What the norms yield lies in the same columns of one value, beside the columns that they leave as they are.
    const normed = norms.length === 0 ? whole : fresh();
    const turned = fresh();
    const node: Node = {
      op: 'rope_kv_write',
      from: ropeQueries.from,
      in: [normed],
      out: [turned],
      weights: ropeQueries.weights,
      attributes: {
        layer: write.attributes.layer!,
        numHeads: ropeQueries.attributes.numHeads!,
        numKvHeads: ropeKeys.attributes.numHeads!,
        ...Object.fromEntries(
          ropeAttributes.flatMap((name) => {
            const attribute = ropeQueries.attributes[name];
            return attribute === undefined ? [] : [[name, attribute]];
          }),
        ),
      },
    };
    const nodes = graph.nodes.flatMap((old, at): Node[] => {
      if (at === index) return [node];
      if (norms.includes(old)) return [{ ...old, out: [{ ...old.in[0]!, value: normed.value }] }];
      return ropes.includes(at) ? [] : [old];
    });
    const moved = new Map([[turnedQueries.value, { ...turned, width: q.view.width }]]);
    return redirect({ ...graph, values, nodes }, moved);
  }
  return null;
}

/** The columns that a rope's input is, or that the norm of its heads before it takes. */
function beforeNorm(graph: Graph, input: View): { view: View; norm: Node | null } {
  const writer = graph.nodes[writerOf(graph, input)];
  const isNorm = writer?.op === 'rms_norm_heads' && sameView(writer.out[0]!, input);
  return isNorm ? { view: writer.in[0]!, norm: writer } : { view: input, norm: null };
}
