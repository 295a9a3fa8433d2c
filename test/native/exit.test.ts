import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildAddon } from '../../main/setup/addon.mjs';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyLlama } from './tiny-models.ts';

// What becomes of the engine's thread when the process or the environment around it goes away.

const folder = temporaryFolder();
let addon: string;
let plan: string;
beforeAll(async () => {
  addon = process.env.QUOTH_ADDON ?? (await buildAddon());
  plan = folder.write('long.plan', planBytes(tinyLlama({ contextTokens: 1 << 17 })));
}, 600_000);
afterAll(() => folder.remove());

/** Runs a program with an engine in it; answers with what it printed. It fails when the program does, or hangs. */
async function run(program: string): Promise<string> {
  const load = pathToFileURL(new URL('../../native/load.ts', import.meta.url).pathname).href;
  const source = `
    import { loadNative } from ${JSON.stringify(load)};
    import { Worker } from 'node:worker_threads';
    const [addon, plan] = process.argv.slice(1);
    const engine = await loadNative(addon).loadEngine({ plan, device: 'cpu', numThreads: 2 });
    const sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };
    const request = { ids: Int32Array.of(1, 2, 3), maxTokens: 100_000, stopIds: [], sampling, priority: 0 };
    ${program}`;
  const options = { timeout: 50_000 };
  const node = [
    ...process.execArgv.filter((one) => one.startsWith('--no-warnings')),
    '--input-type=module',
    '-e',
    source,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [...node, addon, plan], options);
  return stdout.trim();
}

describe('the process ends', () => {
  test('by itself when an engine was left open but has nothing to do', async () => {
    expect(await run(`console.log((await engine.score(request.ids)).length);`)).toBe('3');
  });

  test('at once when it is told to while a generation runs', async () => {
    const program = `
      const loop = engine.generate(request)[Symbol.asyncIterator]();
      await loop.next();
      loop.next();
      console.log('running');
      process.exit(0);`;
    expect(await run(program)).toBe('running');
  });

  test('in order after a worker with a running engine was terminated', async () => {
    const program = `
      const load = ${JSON.stringify(new URL('../../native/load.ts', import.meta.url).href)};
      const worker = new Worker(\`
        import { parentPort, workerData } from 'node:worker_threads';
        const { loadNative } = await import(workerData.load);
        const engine = await loadNative(workerData.addon).loadEngine({ plan: workerData.plan, device: 'cpu', numThreads: 2 });
        for await (const event of engine.generate(workerData.request)) parentPort.postMessage(event.type);
        \`, { eval: true, execArgv: ['--input-type=module'], workerData: { load, addon, plan, request } });
      await new Promise((next, fail) => worker.once('message', next).once('error', fail));
      await worker.terminate();
      console.log((await engine.score(request.ids)).length);`;
    expect(await run(program)).toBe('3');
  });
});
