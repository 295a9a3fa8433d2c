/** The arithmetic that the quantizer is handed: `Quantizer` of native/index.ts fits, and says what each call does. */
import type { Packer } from '../build/pack-piece.ts';
import type { PlanType } from '../plan/format.ts';

export type PieceRun = {
  program: string;
  tensors: string[];
  input?: string;
  ids?: Int32Array;
  lengths: Int32Array;
  output?: string;
  outputWidth: number;
  targets?: Int32Array;
  contextTokens: number;
  kv?: { numLayers: number; numHeads: number; headSize: number };
  taps: { step: number; sample: string }[];
  lossRows: number;
};

export type Workbench = {
  put(
    name: string,
    matrix: {
      bytes: Uint8Array;
      from: string;
      numRows: number;
      numColumns: number;
      rowOrder?: Int32Array;
      firstRow: number;
      rowsInAll: number;
    },
  ): Promise<void>;
  clear(name?: string): Promise<void>;
  run(run: PieceRun): Promise<{ nats: number; numScored: number }>;
  searchScale(
    sample: string,
    weights: string[],
    groupColumns: number,
  ): Promise<{ scale: Float32Array; ratio: number | null; loss: number; plainLoss: number }>;
  searchClip(
    sample: string,
    weight: string,
    groupColumns: number,
  ): Promise<{ loss: number; plainLoss: number; numClipped: number; numGroups: number }>;
  scale(what: 'rows' | 'columns' | 'sample', name: string, first: number, factors: Float32Array): Promise<void>;
  quantize(
    matrix: string,
    request: { to: PlanType; sample?: string; keep: boolean },
  ): Promise<{ bytes: Uint8Array; weightError: number; outputError: number | null }>;
  close(): void;
};

export type QuantizerArithmetic = {
  readonly builder: Packer;
  openWorkbench(): Workbench;
  packMeasured(request: {
    bytes: Uint8Array;
    from: string;
    to: PlanType;
    numRows: number;
    numColumns: number;
    rowOrder?: Int32Array;
  }): Promise<{ bytes: Uint8Array; lost: number; energy: number }>;
  toAwqGemm(
    packed: Uint8Array,
    numRows: number,
    numColumns: number,
  ): Promise<{ qweight: Uint8Array; qzeros: Uint8Array; scales: Uint8Array }>;
};
