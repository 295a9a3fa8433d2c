/** `quoth build --print`: the program before and after each pass, and what it costs at each. */
import type { BoundTensor } from './passes/bind-weights.ts';
import { layOutBuffers } from './passes/lay-out-buffers.ts';
import type { Packing } from './passes/pack.ts';
import { type Compiled, type CompileOptions, compile, type Stage } from './passes/passes.ts';
import { printChange, printGraph, printProgram } from './print.ts';
import type { Graph } from './types.ts';

export type StageReport = {
  readonly pass: string;
  readonly what: string;
  readonly numOperations: number;
  /** What the buffers of a step take per token, were they laid out now. */
  readonly peakBytesPerToken: number;
  readonly lines: readonly string[];
};

export type TypeReport = {
  readonly type: string;
  readonly numTensors: number;
  readonly numWeights: number;
  readonly sizeBytes: number;
};

export type Report = {
  readonly architecture: string;
  readonly stages: readonly StageReport[];
  /** What the buffers would take per token if every value had its own. */
  readonly peakBytesWithoutReuse: number;
  readonly numBuffers: number;
  /** As the engine runs it. */
  readonly program: readonly string[];
  readonly types: readonly TypeReport[];
  readonly packing: { readonly numPieces: number; readonly peakPieceBytes: number };
  /** Tensors of the checkpoint that the architecture does not read. */
  readonly unread: readonly string[];
};

/** Compiles and keeps what every pass did. */
export function compileWithReport(
  graph: Graph,
  options: CompileOptions,
): { compiled: Compiled; reportWith: (packing: Packing, unread: readonly string[]) => Report } {
  const seen: Stage[] = [];
  const compiled = compile(graph, { ...options, observe: (stage) => seen.push(stage) });
  const stages = seen.map((stage, at): StageReport => {
    const before = seen[at - 1]?.graph;
    return {
      pass: stage.pass,
      what: stage.what,
      numOperations: stage.graph.nodes.length,
      peakBytesPerToken: layOutBuffers(stage.graph, () => 0).peakBytesPerToken,
      lines: before === undefined ? printGraph(stage.graph) : printChange(before, stage.graph),
    };
  });
  const peakBytesWithoutReuse = layOutBuffers(seen.at(-1)!.graph, () => 0, { reuse: false }).peakBytesPerToken;
  return {
    compiled,
    reportWith: (packing, unread) => ({
      architecture: graph.architecture,
      stages,
      peakBytesWithoutReuse,
      numBuffers: compiled.program.buffers.length,
      program: printProgram(compiled.program, compiled.tensors, { fold: true }).split('\n'),
      types: typesOf(compiled.tensors, packing),
      packing: {
        numPieces: packing.tensors.reduce((sum, pieces) => sum + pieces.length, 0),
        peakPieceBytes: packing.peakPieceBytes,
      },
      unread,
    }),
  };
}

function typesOf(tensors: readonly BoundTensor[], packing: Packing): TypeReport[] {
  const types = new Map<string, TypeReport>();
  tensors.forEach((tensor, at) => {
    const before = types.get(tensor.type) ?? { type: tensor.type, numTensors: 0, numWeights: 0, sizeBytes: 0 };
    types.set(tensor.type, {
      ...before,
      numTensors: before.numTensors + 1,
      numWeights: before.numWeights + tensor.rows * tensor.columns,
      sizeBytes: before.sizeBytes + packing.tensors[at]!.reduce((sum, piece) => sum + piece.packedBytes, 0),
    });
  });
  return [...types.values()].sort((a, b) => b.sizeBytes - a.sizeBytes);
}

/** The report for people. */
export function printReport(report: Report): string {
  const { stages, types, packing, unread } = report;
  const sections = stages.map(({ pass, what, lines }, at) => {
    const isChanged = at === 0 || lines.some((line) => /^[-+] /.test(line));
    return isChanged ? [titled(`${pass}: ${what}`), ...lines, ''] : [titled(`${pass}: nothing to do`)];
  });
  const peak = grouped(stages.at(-1)!.peakBytesPerToken);
  const without = grouped(report.peakBytesWithoutReuse);
  const typeRows = types.map(({ type, numTensors, numWeights, sizeBytes }) => [
    type,
    grouped(numTensors),
    grouped(numWeights),
    grouped(sizeBytes),
    ((8 * sizeBytes) / numWeights).toFixed(2),
  ]);
  return [
    ...sections.flat(),
    titled(
      `lay-out-buffers: ${report.numBuffers} buffers, ${peak} bytes a token; ${without} if each value had its own`,
    ),
    ...report.program.map((line) => `  ${line}`),
    '',
    titled('bind-weights'),
    ...table([['type', 'tensors', 'weights', 'bytes', 'bits a weight'], ...typeRows]),
    ...(unread.length === 0 ? [] : [`  not read by the architecture: ${listed(unread)}`]),
    titled(
      `pack: ${packing.numPieces} pieces, at most ${grouped(packing.peakPieceBytes)} bytes read and packed at once`,
    ),
    '',
    ...table([
      ['pass', 'operations', 'bytes a token'],
      ...stages.map((stage) => [stage.pass, grouped(stage.numOperations), grouped(stage.peakBytesPerToken)]),
    ]),
  ].join('\n');
}

function titled(text: string): string {
  return `── ${text} ${'─'.repeat(Math.max(3, 96 - text.length))}`;
}

const mostListed = 8;

function listed(names: readonly string[]): string {
  const more = names.length > mostListed ? `, … (${names.length} in all)` : '';
  return names.slice(0, mostListed).join(', ') + more;
}

/** The first column to the left, numbers to the right. */
function table(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    `  ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ')}`.trimEnd(),
  );
}

function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
}
