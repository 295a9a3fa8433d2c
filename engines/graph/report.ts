/** `quoth build --print`: the program before and after each pass, and what it costs at each. */
import type { BoundTensor } from './passes/bind-weights.ts';
import { layOutBuffers } from './passes/lay-out-buffers.ts';
import type { Packing } from './passes/pack.ts';
import { type Compiled, type CompileOptions, compile, type Stage } from './passes/passes.ts';
import { printChange, printGraph } from './print.ts';
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
  const lines: string[] = [];
  for (const stage of report.stages) {
    const changed = stage.lines.some((line) => /^[-+] /.test(line)) || stage === report.stages[0];
    lines.push(
      `── ${stage.pass}: ${stage.what} ${'─'.repeat(Math.max(2, 60 - stage.pass.length - stage.what.length))}`,
    );
    lines.push(...(changed ? stage.lines : ['  nothing to do']), '');
  }
  lines.push(
    ...table([
      ['pass', 'operations', 'bytes a token'],
      ...report.stages.map((stage) => [stage.pass, String(stage.numOperations), grouped(stage.peakBytesPerToken)]),
    ]),
    '',
  );
  const saved = `${grouped(report.peakBytesWithoutReuse)} bytes a token without reuse`;
  lines.push(
    `lay-out-buffers: ${report.numBuffers} buffers, ${grouped(report.stages.at(-1)!.peakBytesPerToken)} bytes a token (${saved})`,
  );
  lines.push('bind-weights and pack:');
  lines.push(
    ...table([
      ['type', 'tensors', 'weights', 'bytes', 'bits a weight'],
      ...report.types.map(({ type, numTensors, numWeights, sizeBytes }) => [
        type,
        String(numTensors),
        grouped(numWeights),
        grouped(sizeBytes),
        ((8 * sizeBytes) / numWeights).toFixed(2),
      ]),
    ]),
  );
  const { numPieces, peakPieceBytes } = report.packing;
  lines.push(`${numPieces} pieces, the largest ${(peakPieceBytes / 1e6).toFixed(1)} MB read and packed`);
  if (report.unread.length > 0) {
    const more = report.unread.length > 8 ? `, … (${report.unread.length} in all)` : '';
    lines.push(`not read by the architecture: ${report.unread.slice(0, 8).join(', ')}${more}`);
  }
  return lines.join('\n');
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
