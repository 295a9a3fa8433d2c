/**
 * Turning the queries, turning the keys and storing keys and values become one pass over the fused q + k + v.
 *
 * Neutral: the same rotations of the same columns, the same rows stored.
 */
import { becomesOutput, readersOf, redirect, writerOf } from '../rewrite.ts';
import type { Graph, Node, View } from '../types.ts';

export function fuseRopeKv(graph: Graph): Graph {
  let fused = graph;
  for (;;) {
    const next = fuseOne(fused);
    if (next === null) return fused;
    fused = next;
  }
}

function fuseOne(graph: Graph): Graph | null {
  for (const [index, write] of graph.nodes.entries()) {
    if (write.op !== 'kv_write') continue;
    const [turnedKeys, v] = write.in as [View, View];
    const ropeKeys = graph.nodes[writerOf(graph, turnedKeys)];
    if (ropeKeys?.op !== 'rope') continue;
    const k = ropeKeys.in[0]!;
    const ropeQueries = graph.nodes.find(
      (node) =>
        node.op === 'rope' && node.in[0]!.value === k.value && node.in[0]!.first + node.in[0]!.width === k.first,
    );
    if (ropeQueries === undefined) continue;
    const q = ropeQueries.in[0]!;
    const turnedQueries = ropeQueries.out[0]!;
    const contiguous = v.value === k.value && k.first + k.width === v.first && v.width === k.width && q.first === 0;
    const whole = graph.values[k.value]!.width === q.width + 2 * k.width;
    const sameRope =
      ropeKeys.weights[0]!.parts[0]!.name === ropeQueries.weights[0]!.parts[0]!.name &&
      ['headSize', 'rotarySize', 'adjacentPairs'].every(
        (name) => ropeKeys.attributes[name] === ropeQueries.attributes[name],
      );
    // The keys may be read by the write alone, the turned queries only after it, and what was not turned by nobody else.
    const keysForWriteOnly = readersOf(graph, turnedKeys).every((reader) => reader === index);
    const queriesAfter =
      readersOf(graph, turnedQueries).every((reader) => reader > index) && !becomesOutput(graph, turnedQueries);
    const only = new Set([graph.nodes.indexOf(ropeKeys), graph.nodes.indexOf(ropeQueries), index]);
    const wholeView: View = { value: k.value, rows: k.rows, first: 0, width: q.width + 2 * k.width };
    const unturnedUnread = readersOf(graph, wholeView).every((reader) => only.has(reader));
    if (!(contiguous && whole && sameRope && keysForWriteOnly && queriesAfter && unturnedUnread)) continue;

    const values = [...graph.values, { rows: k.rows, width: wholeView.width }];
    const turned: View = { ...wholeView, value: values.length - 1 };
    const { headSize, rotarySize, adjacentPairs } = ropeQueries.attributes;
    const node: Node = {
      op: 'rope_kv_write',
      from: ropeQueries.from,
      in: [wholeView],
      out: [turned],
      weights: ropeQueries.weights,
      attributes: {
        layer: write.attributes.layer!,
        numHeads: ropeQueries.attributes.numHeads!,
        numKvHeads: ropeKeys.attributes.numHeads!,
        headSize: headSize!,
        rotarySize: rotarySize!,
        adjacentPairs: adjacentPairs!,
      },
    };
    const nodes = graph.nodes.flatMap((old, at) => (at === index ? [node] : only.has(at) ? [] : [old]));
    return redirect({ ...graph, values, nodes }, new Map([[turnedQueries.value, { ...turned, width: q.width }]]));
  }
  return null;
}
