import { fork } from 'node:child_process';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { portToChild } from '../../main/process-port.ts';
import {
  childEnvironment,
  type End,
  type EngineSupervisor,
  type StartProcess,
  superviseEngine,
} from '../../main/processes.ts';
import { prompts, request } from '../fakes/small-native.ts';

const entry = path.join(import.meta.dirname, '..', 'fakes', 'small-native-process.ts');

/** As `forkProcess`, with the small engine in place of the real one. */
const startSmall: StartProcess = () => {
  const child = fork(entry, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const whenEnded = new Promise<End>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, reason: `signal ${signal}` }));
  });
  return { pid: child.pid, port: portToChild(child), kill: () => void child.kill('SIGKILL'), whenEnded };
};

let supervisor: EngineSupervisor | undefined;
afterEach(() => supervisor?.close());

function supervise() {
  let nowMs = 0;
  const pausesMs: number[] = [];
  const log: string[] = [];
  supervisor = superviseEngine({
    startProcess: startSmall,
    nowMs: () => nowMs,
    wait: async (ms) => void pausesMs.push(ms),
    log: (_level, message, details) => void log.push(`${message}: ${details?.how}`),
  });
  return { engine: supervisor, pausesMs, log, pass: (ms: number) => (nowMs += ms) };
}

describe('the engine’s process', () => {
  it('that answers after a sleep is left alone, and one that is silent is ended, the next one started', async () => {
    const { engine, log } = supervise();
    await engine.recheck();
    expect(engine.pid).toBeUndefined();
    await engine.describe();
    const firstPid = engine.pid!;
    // The clock of this test does not wait: only an answer that is there already would be in time.
    process.kill(firstPid, 'SIGSTOP');
    await engine.recheck();
    expect((await engine.describe()).deviceName).toBe('small');
    expect(engine.pid).not.toBe(firstPid);
    expect(log[0]).toMatch(/^the engine does not answer any more/);
  });

  it('is started by the first call, and answers from another process', async () => {
    const { engine } = supervise();
    expect(engine.pid).toBeUndefined();
    expect((await engine.describe()).deviceName).toBe('small');
    expect(engine.pid).not.toBe(process.pid);
    const loaded = await engine.loadEngine({ plan: 'a.plan' });
    expect(await loaded.score(Int32Array.of(4, 5))).toEqual(Float32Array.of(Number.NaN, -5));
  });

  it('cut by kill -9 fails what is open, and works again at the next call', async () => {
    const { engine, log, pausesMs } = supervise();
    const loaded = await engine.loadEngine({ plan: 'a.plan' });
    const events = loaded.generate(request(prompts.staysSilent))[Symbol.asyncIterator]();
    await events.next();
    const waiting = events.next();
    const firstPid = engine.pid!;
    process.kill(firstPid, 'SIGKILL');
    await expect(waiting).rejects.toMatchObject({ code: 'engine-died' });
    await expect(loaded.stats()).rejects.toMatchObject({ code: 'engine-died' });
    const again = await engine.loadEngine({ plan: 'a.plan' });
    expect(await again.score(Int32Array.of(1))).toHaveLength(1);
    expect(engine.pid).not.toBe(firstPid);
    await expect(loaded.stats()).rejects.toMatchObject({ code: 'engine-died' });
    expect(log).toEqual(['The engine process ended: signal SIGKILL']);
    expect(pausesMs).toEqual([250]);
  });

  it('that dies three times within a minute is not started again before the minute is over', async () => {
    const { engine, pausesMs, pass } = supervise();
    for (let death = 0; death < 3; death += 1) {
      const loaded = await engine.loadEngine({ plan: 'a.plan' });
      const next = loaded.generate(request(prompts.dies))[Symbol.asyncIterator]().next();
      await expect(next).rejects.toMatchObject({ code: 'engine-died' });
    }
    await expect(engine.describe()).rejects.toMatchObject({
      code: 'engine-died',
      message: expect.stringMatching(/ended 3 times within a minute \(last: signal SIGKILL\).*try again/),
    });
    expect(pausesMs).toEqual([250, 500]);
    pass(60_001);
    expect((await engine.describe()).deviceName).toBe('small');
  });

  it('does not outlive its supervisor', async () => {
    const { engine } = supervise();
    await engine.describe();
    const pid = engine.pid!;
    engine.close();
    await expect(engine.describe()).rejects.toMatchObject({ code: 'closed' });
    // Signal 0 asks whether the process is there.
    while (isThere(pid)) await new Promise((resolve) => setImmediate(resolve));
  });
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a child’s environment', () => {
  it('has what a program needs, and no secret of ours', () => {
    const given = childEnvironment({
      PATH: '/bin',
      HOME: '/home/a',
      SystemRoot: 'C:\\Windows',
      CUDA_VISIBLE_DEVICES: '0',
      QUOTH_MODELS: '/m',
      AWS_SECRET_ACCESS_KEY: 'x',
      GITHUB_TOKEN: 'x',
      NODE_OPTIONS: '--inspect',
      npm_config_token: 'x',
    });
    expect(Object.keys(given).sort()).toEqual(['CUDA_VISIBLE_DEVICES', 'HOME', 'PATH', 'QUOTH_MODELS', 'SystemRoot']);
  });
});
