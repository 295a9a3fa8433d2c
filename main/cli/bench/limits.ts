/**
 * What the machine could do at best, to set a measured figure beside it: the bandwidth of reading memory, measured, and
 * the peak of int8 arithmetic, reckoned from the clock.
 */
import os from 'node:os';
import { Worker } from 'node:worker_threads';
import type { PlanHeader } from '../../../engines/plan/format.ts';
import type { DeviceReport, EngineInfo, KvType } from '../../../native/index.ts';

/** Larger than any cache, small enough for any machine. */
const bytesPerThread = 256 * 2 ** 20;
const numRounds = 5;

/**
 * A search for a byte that is not there: the C library's vectorised `memchr` reads every byte once and writes nothing.
 * Posts the seconds of each round.
 */
const reader = `
const { parentPort, workerData } = require('node:worker_threads');
const bytes = Buffer.alloc(workerData.sizeBytes, 1);
parentPort.on('message', () => {
  const startNs = process.hrtime.bigint();
  if (bytes.indexOf(0) !== -1) throw new Error('found');
  parentPort.postMessage(Number(process.hrtime.bigint() - startNs) / 1e9);
});
parentPort.postMessage('ready');
`;

/** Bytes a second that `numThreads` read together: the best of some rounds. */
export async function measureReadBandwidth(numThreads: number): Promise<number> {
  const sizeBytes = Math.min(bytesPerThread, Math.floor(os.freemem() / 4 / numThreads));
  const workers = Array.from(
    { length: numThreads },
    () => new Worker(reader, { eval: true, workerData: { sizeBytes } }),
  );
  const next = (worker: Worker): Promise<unknown> => new Promise((resolve) => worker.once('message', resolve));
  try {
    await Promise.all(workers.map(next));
    let best = 0;
    for (let round = 0; round < numRounds; round += 1) {
      const times = workers.map(next);
      for (const worker of workers) worker.postMessage('go');
      const slowest = Math.max(...((await Promise.all(times)) as number[]));
      best = Math.max(best, (numThreads * sizeBytes) / slowest);
    }
    return best;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** What the device could do at best; null = nobody has said. */
export type MachineLimits = {
  readBytesPerSecond(): Promise<number | null>;
  /** Multiplications with addition a second. */
  readonly macsPerSecond: number | null;
  readonly readFrom: string;
  readonly macsFrom: string;
};

/** What was measured beside a benchmark on a GPU: it cannot be measured from here. */
export type GivenLimits = { readBytesPerSecond: number | null; flops: number | null };

export function limitsOf({ device }: EngineInfo, report: DeviceReport, given: GivenLimits): MachineLimits {
  if (device === 'cuda')
    return {
      readBytesPerSecond: async () => given.readBytesPerSecond,
      macsPerSecond: given.flops === null ? null : given.flops / 2,
      readFrom: 'bandwidth of reading the GPU’s memory, as given',
      macsFrom: 'rate of f16 products on the GPU, as given',
    };
  let measured: Promise<number> | undefined;
  return {
    readBytesPerSecond() {
      measured ??= measureReadBandwidth(report.numThreads);
      return measured;
    },
    macsPerSecond: peakMacsPerSecond(report),
    readFrom: 'measured bandwidth of reading memory',
    macsFrom: 'peak of int8 arithmetic at the stated clock',
  };
}

/**
 * int8 multiplications with addition that one core can end in a cycle: two `vpdpbusd` (64 each with 512 bits, 32 with 256)
 * where there are two ports for it; with AVX2 a pair of `vpmaddubsw` and `vpmaddwd` for 32.
 */
const macsPerCycle: Record<string, number> = { 'avx512-vnni': 128, 'avx-vnni': 64, avx2: 32 };

/** int8 multiplications with addition a second, at the clock that the system states. */
export function peakMacsPerSecond(report: DeviceReport): number {
  const megahertz = Math.max(...os.cpus().map((cpu) => cpu.speed)) || 3000;
  return (macsPerCycle[report.instructions] ?? 4) * megahertz * 1e6 * report.numThreads;
}

/** The work of one token: the weights that are read, and the multiplications with them. */
export function tokenWork(header: PlanHeader): { weightBytes: number; macs: number } {
  // The tables of `embed` and `add_positions` give one row a token; only what is multiplied is read whole.
  const used = new Set(header.program.steps.filter(({ op }) => op === 'linear').flatMap(({ weights }) => weights));
  let weightBytes = 0;
  let macs = 0;
  for (const index of used) {
    const tensor = index === null ? undefined : header.tensors[index];
    if (!tensor) continue;
    weightBytes += tensor.sizeBytes;
    if (tensor.rows > 1) macs += tensor.rows * tensor.columns;
  }
  return { weightBytes, macs };
}

/** Bytes of keys and values that stand for one token; kernels/tensor.h has the layouts. */
export function kvBytesPerToken({ kv }: PlanHeader, type: KvType = kv?.type ?? 'f16'): number {
  if (!kv) return 0;
  const rowBytes = { f32: 4 * kv.headSize, f16: 2 * kv.headSize, i8: kv.headSize + 2, f8: kv.headSize + 2 };
  return 2 * kv.numLayers * kv.numHeads * rowBytes[type];
}
