import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan } from '../../engines/build/build.ts';
import { readPlanHeader, readPlanTokenizer } from '../../engines/plan/format.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';
import { composeEngine } from '../../main/compose.ts';
import type { EngineSupervisor } from '../../main/processes.ts';
import { type Engine, greedy } from '../../native/index.ts';

const weights = path.resolve(import.meta.dirname, '../../../shared/data/weights');
const checkpoint = path.join(weights, 'stories260K.bin');

let folder = '';
let plan = '';
let supervisor: EngineSupervisor;

async function idle(engine: Engine): Promise<void> {
  while ((await engine.stats()).numRunning > 0);
}

async function tell(engine: Engine, maxTokens: number): Promise<string> {
  const header = await readPlanHeader(plan);
  const tokenizer = loadTokenizer(await readPlanTokenizer(plan, header));
  const ids = tokenizer.encode('Once upon a time');
  const told: number[] = [];
  const request = { ids, maxTokens, stopIds: [], sampling: greedy, priority: 10 };
  for await (const event of engine.generate(request)) if (event.type === 'tokens') told.push(...event.ids);
  return tokenizer.decode(told);
}

describe.skipIf(!existsSync(checkpoint))('the real engine in its process', () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'quoth engine 山田 '));
    plan = path.join(folder, 'stories.plan');
    supervisor = composeEngine();
    const tokenizerFile = path.join(weights, 'tok512.bin');
    await buildPlan({ checkpoint, tokenizerFile, out: plan, builder: supervisor.builder });
  }, 600_000);
  afterAll(async () => {
    supervisor?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('builds a plan and tells a story with it, across the process border', async () => {
    const engine = await supervisor.loadEngine({ plan });
    expect(engine.info).toMatchObject({ architecture: 'llama', role: 'chat', vocabularySize: 512 });
    expect(await tell(engine, 20)).toContain('there was a little girl named Lily');
    await engine.close();
    await expect(engine.stats()).rejects.toMatchObject({ code: 'closed' });
  });

  it('stops a generation whose loop is left, and is free again', async () => {
    const engine = await supervisor.loadEngine({ plan });
    const request = { ids: Int32Array.of(1, 403), maxTokens: 500, stopIds: [], sampling: greedy, priority: 10 };
    for await (const event of engine.generate(request)) if (event.type === 'tokens') break;
    await idle(engine);
    const { kvPagesFree, kvPagesCached, kvPagesTotal, outputTokens } = await engine.stats();
    expect(kvPagesFree + kvPagesCached).toBeGreaterThanOrEqual(kvPagesTotal);
    expect(outputTokens).toBeLessThan(500);
    await engine.close();
  });

  it('says that a plan is damaged in the engine’s own words', async () => {
    await expect(supervisor.loadEngine({ plan: checkpoint })).rejects.toMatchObject({
      name: 'NativeError',
      code: 'invalid-plan',
    });
    await expect(supervisor.loadEngine({ plan: path.join(folder, 'none.plan') })).rejects.toMatchObject({ code: 'io' });
  });

  it('killed in the middle of an answer, fails it with `engine-died` and answers again', async () => {
    const engine = await supervisor.loadEngine({ plan });
    const index = await supervisor.openVectorIndex({ dimension: 4 });
    const request = { ids: Int32Array.of(1, 403), maxTokens: 500, stopIds: [], sampling: greedy, priority: 10 };
    const events = engine.generate(request)[Symbol.asyncIterator]();
    await events.next();
    process.kill(supervisor.pid!, 'SIGKILL');
    const rest = (async () => {
      while (!(await events.next()).done);
    })();
    await expect(rest).rejects.toMatchObject({ code: 'engine-died' });
    await expect(index.search(new Float32Array(4), 1)).rejects.toMatchObject({ code: 'engine-died' });
    const again = await supervisor.loadEngine({ plan });
    expect(await tell(again, 20)).toContain('there was a little girl named Lily');
  });
});
