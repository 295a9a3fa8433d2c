/**
 * Quantizes one piece of a model: runs it over the texts as the checkpoint has it, searches scales and clipping on what
 * its linears read, packs it, and runs it again as it became where the perplexity is asked for.
 */

import type { Checkpoint } from '../build/checkpoint.ts';
import { packPart, readPart } from '../build/pack-piece.ts';
import { partKey } from '../graph/passes/bind-weights.ts';
import type { PrecisionRule } from '../graph/passes/choose-precision.ts';
import { compile } from '../graph/passes/passes.ts';
import type { Graph, Node, Weight } from '../graph/types.ts';
import { findGroups, type LinearGroup, makesQueriesOrKeys } from './groups.ts';
import { graphOfPiece, hiddenStates, kvOfPiece, mixesRows, nodesBefore, type Piece } from './pieces.ts';
import type { GroupReport, LinearReport } from './report.ts';
import { groupColumnsOf } from './rule.ts';
import type { QuantizerArithmetic, Workbench } from './workbench.ts';

/** Sequences one after another; `targets`: the id after each row's, -1 at the end of a sequence. */
export type Rows = { readonly ids: Int32Array; readonly targets: Int32Array; readonly lengths: Int32Array };

export type PieceWork = {
  readonly checkpoint: Checkpoint;
  readonly graph: Graph;
  readonly rule: PrecisionRule;
  readonly arithmetic: QuantizerArithmetic;
  readonly bench: Workbench;
  /** Searches scales and clipping; else rounds to nearest. */
  readonly searches: boolean;
  readonly calibration: Rows | null;
  readonly evaluation: Rows | null;
  readonly lossRows: number;
};

export type PieceResult = {
  /** In the plan's layout, by `partKey`: the linears, and the vectors that scales were folded into. */
  readonly packed: Map<string, Uint8Array>;
  readonly groups: GroupReport[];
  /** Of the last piece: sums of -ln p over the text before and after. */
  readonly score: { before: number; after: number; tokens: number } | null;
};

/** Rows of a step of a piece whose rows do not see each other: logits are wide. */
const independentRows = 64;

export async function workPiece(work: PieceWork, piece: Piece, index: number): Promise<PieceResult> {
  const { bench, graph, evaluation, calibration } = work;
  const groups = findGroups(graph, ({ weights: [weight] }) => isQuantized(work, weight!)).filter(
    ({ linears }) => linears[0]! >= piece.first && linears[0]! < piece.endExclusive,
  );

  // A last piece whose output has no row per token (an embedder's) is not run: nothing after it is calibrated.
  const runs = piece.output !== null || graph.output.rows === 'outputs';
  const taps = groups.map((group) => {
    return { step: group.linears[0]! - piece.first + nodesBefore(piece), sample: sampleOf(group) };
  });
  const wanted = runs && calibration !== null && (piece.output !== null || groups.length > 0);
  if (!wanted && groups.length === 0 && (!runs || evaluation === null)) {
    return { packed: new Map(), groups: [], score: null };
  }
  const program = programOf(work, piece);
  await putWeights(work, program);
  if (wanted) await run(work, piece, index, program, 'calibration', calibration, taps);
  const before = runs && evaluation !== null ? await run(work, piece, index, program, 'before', evaluation, []) : null;

  const packed = new Map<string, Uint8Array>();
  const reports: GroupReport[] = [];
  // The last first: its scale goes into rows of the linears before it, and those are measured as they then are.
  for (const group of [...groups].reverse()) reports.unshift(await workGroup(work, piece, group, wanted, packed));
  for (const { folds } of groups) {
    for (const { weight } of folds ?? []) await packFolded(work, weight, packed);
  }

  let after = before;
  if (runs && evaluation !== null) {
    await roundTables(work, program);
    after = await run(work, piece, index, program, 'after', evaluation, []);
  }
  await bench.clear();
  const score = before && after && { before: before.nats, after: after.nats, tokens: after.numScored };
  return { packed, groups: reports, score: score && score.tokens > 0 ? score : null };
}

/** Whether a linear's weight is one that this work rounds: only what is read by one step, so not a tied head. */
function isQuantized({ graph, rule }: PieceWork, weight: Weight): boolean {
  const [part] = weight.parts;
  const { type } = rule(weight, part!);
  const tied = graph.nodes.some((node) => node.op === 'embed' && node.weights[0]!.parts[0]!.name === part!.name);
  return weight.parts.length === 1 && !tied && type !== 'f16' && type !== 'f32';
}

function sampleOf(group: LinearGroup): string {
  return `read by ${group.linears[0]}`;
}

/** Searches, folds, clips and packs the linears that read one value. */
async function workGroup(
  work: PieceWork,
  piece: Piece,
  group: LinearGroup,
  sampled: boolean,
  packed: Map<string, Uint8Array>,
): Promise<GroupReport> {
  const { bench, graph, rule, searches, evaluation } = work;
  const sample = sampleOf(group);
  const linears = group.linears.map((index) => {
    const weight = graph.nodes[index]!.weights[0]!;
    const [part] = weight.parts;
    return { index, key: partKey(part!), rows: part!.rows, weight, type: rule(weight, part!).type };
  });
  const groupColumns = groupColumnsOf(linears[0]!.type);
  const isInPiece = (weight: Weight): boolean =>
    graph.nodes
      .slice(piece.first, piece.endExclusive)
      .some((node) => node.weights.some((other) => other !== null && keyOf(other) === keyOf(weight)));

  let ratio: number | null = null;
  let plainLoss: number | null = null;
  const searched = sampled && searches && groupColumns !== null;
  const foldable = group.folds?.every(({ weight }) => isInPiece(weight)) ?? false;
  if (searched && foldable) {
    const names = linears.map(({ key }) => key);
    const found = await bench.searchScale(sample, names, groupColumns);
    plainLoss = found.plainLoss;
    ratio = found.ratio;
    if (ratio !== null) {
      const inverse = found.scale.map((factor) => 1 / factor);
      for (const name of names) await bench.scale('columns', name, 0, found.scale);
      await bench.scale('sample', sample, 0, inverse);
      for (const { weight, what, first } of group.folds!) await bench.scale(what, keyOf(weight), first, inverse);
    }
  }

  const reports: LinearReport[] = [];
  let unscaledLoss = 0;
  for (const { index, key, rows, weight, type } of linears) {
    let clipped = 0;
    let plain: number | null = null;
    if (searched && !makesQueriesOrKeys(graph, index)) {
      const found = await bench.searchClip(sample, key, groupColumns);
      clipped = found.numClipped / found.numGroups;
      plain = found.plainLoss;
    }
    const request = { to: type, ...(sampled ? { sample } : {}), keep: evaluation !== null };
    const { bytes, weightError, outputError } = await bench.quantize(key, request);
    packed.set(key, bytes);
    unscaledLoss += plain ?? outputError ?? 0;
    reports.push({
      name: weight.parts[0]!.name,
      type,
      rows,
      columns: weight.columns,
      weightError,
      outputError,
      clipped,
    });
  }
  const loss = sampled ? reports.reduce((sum, { outputError }) => sum + (outputError ?? 0), 0) : null;
  return { linears: reports, ratio, loss, plainLoss: sampled ? (plainLoss ?? unscaledLoss) : null };
}

/** A norm, a bias, or a linear that is not rounded, as scales left it. */
async function packFolded({ bench, rule }: PieceWork, weight: Weight, packed: Map<string, Uint8Array>): Promise<void> {
  const key = keyOf(weight);
  if (packed.has(key)) return;
  packed.set(key, (await bench.quantize(key, { to: rule(weight, weight.parts[0]!).type, keep: false })).bytes);
}

function keyOf(weight: Weight): string {
  return weight.parts.map(partKey).join('+');
}

type PieceProgram = {
  readonly text: string;
  /** What its steps' weights name, by place. */
  readonly names: readonly string[];
  readonly weights: ReadonlyMap<string, Weight>;
  /** The table that the first piece reads by ids, of which only some rows are put; and where each id went. */
  readonly table: { readonly key: string; readonly places: ReadonlyMap<number, number> } | null;
  readonly outputWidth: number;
};

function programOf({ graph, calibration, evaluation }: PieceWork, piece: Piece): PieceProgram {
  const own = graphOfPiece(graph, piece);
  const { program, tensors } = compile(own, { precision: 'f32', fuse: false });
  const weights = new Map<string, Weight>();
  for (const weight of own.nodes.flatMap((node) => node.weights)) {
    if (weight !== null && weight.parts[0]!.name !== hiddenStates) weights.set(keyOf(weight), weight);
  }
  const embeds = own.nodes.filter(({ op }) => op === 'embed');
  let table: PieceProgram['table'] = null;
  if (piece.input === null && embeds.length === 1) {
    const ids = new Set([...(calibration?.ids ?? []), ...(evaluation?.ids ?? [])]);
    const places = new Map([...ids].sort((a, b) => a - b).map((id, place) => [id, place]));
    const key = keyOf(embeds[0]!.weights[0]!);
    const readers = own.nodes.filter((node) => node.weights.some((weight) => weight !== null && keyOf(weight) === key));
    if (readers.length === 1) table = { key, places };
  }
  const names = tensors.map(({ name }) => name);
  return { text: JSON.stringify(program), names, weights, table, outputWidth: own.output.width };
}

/** Puts all that the piece reads on the bench, as float32. */
async function putWeights({ checkpoint, arithmetic, bench }: PieceWork, program: PieceProgram): Promise<void> {
  for (const [key, weight] of program.weights) {
    const rowsInAll = weight.parts.reduce((sum, part) => sum + part.rows, 0);
    let firstRow = 0;
    for (const part of weight.parts) {
      if (weight.use === 'vector' || part.values !== undefined) {
        const bytes = await packPart(checkpoint, arithmetic.builder, { type: 'f32' }, part);
        const shape = { numRows: part.rows, numColumns: part.columns };
        await bench.put(key, { bytes, from: 'f32', ...shape, firstRow, rowsInAll });
      } else if (program.table?.key === key) {
        const wanted = Int32Array.from(program.table.places.keys());
        const rowOrder = part.order === undefined ? wanted : wanted.map((row) => part.order![row]!);
        const numbers = { ...(await readPart(checkpoint, part)), rowOrder, numRows: wanted.length };
        await bench.put(key, { ...numbers, firstRow: 0, rowsInAll: wanted.length });
      } else {
        await bench.put(key, { ...(await readPart(checkpoint, part)), firstRow, rowsInAll });
      }
      firstRow += part.rows;
    }
  }
}

/** What is not a linear, or shared with a table, becomes what its type in the plan means. */
async function roundTables({ bench, rule, graph, ...work }: PieceWork, program: PieceProgram): Promise<void> {
  for (const [key, weight] of program.weights) {
    if (weight.use === 'vector' || weight.use === 'index' || isQuantized({ bench, rule, graph, ...work }, weight))
      continue;
    await bench.quantize(key, { to: rule(weight, weight.parts[0]!).type, keep: true });
  }
}

/** Runs the piece over rows; its output is the next piece's table in the same stream. */
async function run(
  work: PieceWork,
  piece: Piece,
  index: number,
  program: PieceProgram,
  stream: 'calibration' | 'before' | 'after',
  rows: Rows,
  taps: { step: number; sample: string }[],
): Promise<{ nats: number; numScored: number }> {
  const { bench, graph, checkpoint, lossRows } = work;
  const table = `${stream} ${index}`;
  const isLast = piece.output === null;
  const kv = kvOfPiece(graph, piece);
  const result = await bench.run({
    program: program.text,
    tensors: program.names.map((name) => (name === hiddenStates ? table : name)),
    ...(piece.input === null ? { ids: idsFor(program, rows.ids) } : { input: table }),
    lengths: mixesRows(graph, piece) ? rows.lengths : evenLengths(rows.ids.length),
    ...(isLast ? {} : { output: `${stream} ${index + 1}` }),
    ...(isLast && stream !== 'calibration' ? { targets: rows.targets } : {}),
    outputWidth: program.outputWidth,
    contextTokens: positionsOf(graph, piece, checkpoint.model.contextTokens),
    ...(kv === null ? {} : { kv }),
    taps,
    lossRows,
  });
  if (piece.input !== null) await bench.clear(table);
  return result;
}

function idsFor(program: PieceProgram, ids: Int32Array): Int32Array {
  return program.table === null ? ids : ids.map((id) => program.table!.places.get(id)!);
}

function evenLengths(numRows: number): Int32Array {
  const whole = Math.floor(numRows / independentRows);
  const rest = numRows % independentRows;
  return Int32Array.from([...new Array<number>(whole).fill(independentRows), ...(rest > 0 ? [rest] : [])]);
}

/** Positions that the piece's table has; the model's own limit where it has none. */
function positionsOf(graph: Graph, piece: Piece, contextTokens: number): number {
  const adds = (node: Node): boolean => node.op === 'add_positions';
  return graph.nodes.slice(piece.first, piece.endExclusive).some(adds) ? contextTokens : 1;
}
