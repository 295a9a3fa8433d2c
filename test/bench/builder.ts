/**
 * How fast a plan of a model's true shape is made with random weights, beside a plain copy of the same file, in turns; and
 * how soon an engine is open on it:
 *
 *     npm run setup && node_modules/.bin/node test/bench/builder.ts [model of the catalogue] [rounds] [folder]
 *
 * A 7B in 4 bits wants 8 GB in the folder (else the temporary one). Copy and build both end with the file on the disk
 * (fsync). A plan read from a checkpoint is measured by build-figures.ts.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildRandomPlan } from '../../engines/build/random-plan.ts';
import { findModel } from '../../engines/catalogue.ts';
import { openNative } from '../native/native.ts';

type Measured = { seconds: number; cpuSeconds: number; peakBytes: number };

/** Runs a part of this script in a process of its own, so that its memory is its own too. */
async function measure(part: string, ...words: string[]): Promise<Measured> {
  const child = fork(import.meta.filename, [part, ...words]);
  const [answer] = (await once(child, 'message')) as [Measured];
  await once(child, 'exit');
  return answer;
}

async function answer(work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  process.send!({ seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: maxRSS * 1024 });
  process.disconnect();
}

async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const file = await open(to, 'r+');
  await file.sync();
  await file.close();
}

/** Linux, as root: false where files stay in memory. */
const dropCaches = (): Promise<boolean> =>
  writeFile('/proc/sys/vm/drop_caches', '3').then(
    () => true,
    () => false,
  );

const [first = 'mistral-7b-instruct-v0.2', second = '3', third] = process.argv.slice(2);
if (first === '--build') {
  const model = findModel(second)!;
  await answer(async () => {
    await buildRandomPlan({ config: model.shape, name: model.name, precision: 'int4', out: third! });
  });
} else if (first === '--copy') {
  await answer(() => copy(second, third!));
} else if (first === '--open') {
  const native = await openNative();
  await native.describe(); // threads and instructions are found once a process
  const start = performance.now();
  const engine = await native.loadEngine({ plan: second, device: 'cpu', kvTokens: 4096 });
  const seconds = (performance.now() - start) / 1000;
  const { maxRSS } = process.resourceUsage();
  await engine.close();
  process.send!({ seconds, cpuSeconds: 0, peakBytes: maxRSS * 1024 });
  process.disconnect();
} else {
  const folder = await mkdtemp(join(third ?? tmpdir(), 'quoth-builder-'));
  const [plan, copied] = [join(folder, 'plan'), join(folder, 'copy')];
  const say = (line: string): boolean => process.stdout.write(`${line}\n`);
  try {
    await openNative();
    say(`${first}, random weights in 4 bits; ${cpus().length} × ${cpus()[0]?.model}; load ${loadavg()[0]!.toFixed(1)}`);
    say(
      '| build, s (MB/s) | copy, s (MB/s) | build / copy | processor, s | peak memory, MB | open cold, ms | again, ms |',
    );
    say('|---|---|---|---|---|---|---|');
    for (let round = 0; round < Number(second); round++) {
      await dropCaches();
      const built = await measure('--build', first, plan);
      const { size } = await stat(plan);
      await dropCaches();
      const plain = await measure('--copy', plan, copied);
      await rm(copied);
      await dropCaches();
      const [cold, warm] = [await measure('--open', plan), await measure('--open', plan)];
      await rm(plan);
      const rate = (seconds: number) => `${seconds.toFixed(1)} (${(size / 1e6 / seconds).toFixed(0)})`;
      const ms = ({ seconds }: Measured) => (1000 * seconds).toFixed(0);
      const share = ((100 * plain.seconds) / built.seconds).toFixed(0);
      say(
        `| ${rate(built.seconds)} | ${rate(plain.seconds)} | ${share} % | ${built.cpuSeconds.toFixed(1)} | ${(built.peakBytes / 1e6).toFixed(0)} | ${ms(cold)} | ${ms(warm)} |`,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
