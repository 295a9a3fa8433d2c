/** A plan opened for a command that runs it without a library. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { QuothError } from '../../app/contract/errors.ts';
import { type PlanHeader, readPlanHeader, readPlanTokenizer } from '../../engines/plan/format.ts';
import { loadTokenizer, type Tokenizer } from '../../engines/tokenizer/tokenizer.ts';
import type { DeviceName, DeviceReport, Engine, EngineOptions } from '../../native/index.ts';
import { needed, type Values, WrongUse, wholeNumber } from './command.ts';

export type OpenPlan = { plan: string; header: PlanHeader; tokenizer: Tokenizer };

/** The plan that `--model` names: its header and its tokenizer, no engine. */
export async function openPlan(values: Values): Promise<OpenPlan> {
  const plan = path.resolve(needed(values, 'model'));
  await stat(plan).catch((cause: unknown) => {
    const message = `There is no plan file "${plan}"; "quoth models list --json" shows the plans of installed models.`;
    throw new QuothError('not-found', message, { cause });
  });
  const header = await readPlanHeader(plan);
  return { plan, header, tokenizer: loadTokenizer(await readPlanTokenizer(plan, header)) };
}

/** The options of commands that choose how an engine runs. */
export const engineOptionNames = ['model', 'device', 'threads'] as const;

export function engineOptions(values: Values, plan: string): EngineOptions {
  const { device } = values;
  if (device !== undefined && device !== 'cpu' && device !== 'cuda')
    throw new WrongUse('--device must be cpu or cuda.');
  const numThreads = wholeNumber(values, 'threads', { default: 0, min: 0, max: 1024 });
  return { plan, device: device as DeviceName | undefined, numThreads };
}

/** Runs `work` with an engine in a process of its own, which ends with it. */
export async function withEngine<T>(
  options: EngineOptions,
  work: (engine: Engine, describe: () => Promise<DeviceReport>) => Promise<T>,
): Promise<T> {
  // Only here: what builds or measures needs none of the packages that the whole application does.
  const { composeEngine } = await import('../compose.ts');
  const native = composeEngine();
  try {
    const engine = await native.loadEngine(options);
    const result = await work(engine, native.describe);
    await engine.close();
    return result;
  } finally {
    native.close();
  }
}
