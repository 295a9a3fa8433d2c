import type { ModelSummary } from '../../../app/contract/types.ts';
import type { MemoryPlan } from '../../../native/index.ts';
import type { Core } from '../../compose.ts';
import type { Command } from '../command.ts';

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** As it would be loaded. */
async function planned(native: Core['native'], plan: string, role: ModelSummary['role']): Promise<MemoryPlan> {
  if (role !== 'chat') return native.planMemory({ plan });
  // Only here: a chat model's room is the application's choice.
  const { chooseRoom } = await import('../../../app/models/room.ts');
  const { readPlanHeader } = await import('../../../engines/plan/format.ts');
  const { contextTokens } = await readPlanHeader(plan);
  return native.planMemory((await chooseRoom(native, plan, contextTokens)).options);
}

/** What the models in use would take, as the engine reckons it; without those that cannot be read. */
async function planModels(core: Core): Promise<{ model: string; memory: MemoryPlan }[]> {
  const inUse = (await core.app.listModels()).filter(
    (model): model is ModelSummary & { plan: string } => model.inUse && model.plan !== null,
  );
  const plans = await Promise.all(
    inUse.map(async ({ name, plan, role }) => ({
      model: name,
      memory: await planned(core.native, plan, role).catch(() => null),
    })),
  );
  return plans.filter((one): one is { model: string; memory: MemoryPlan } => one.memory !== null);
}

export const command: Command = {
  usage: 'doctor',
  summary: 'Says what this machine has, what will be used, and why.',
  options: [],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ output, openCore, profileFolder, signal }) {
    const core = await openCore();
    const report = await core.handlers.describeMachine({}, signal);
    const memory = await planModels(core);
    const words = [
      `Quoth ${report.version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
      `Device: ${report.deviceName} (${report.device}), ${report.numThreads} threads. ${report.deviceReason}`,
      `Memory: ${gigabytes(report.memoryBytes)}; free on the disk: ${gigabytes(report.freeDiskBytes)}`,
      `Vector index: ${report.vectorIndex}. ${report.vectorIndexReason}`,
      `Chat model: ${report.chatModel ?? 'none; answers are made of quoted passages'}`,
      `Embedder: ${report.embedder ?? 'none; search is by words only'}`,
      `Reranker: ${report.reranker ?? 'none; the order is that of words and meaning'}`,
      ...memory.map(({ model, memory: { sentence } }) => `${model}: ${sentence}`),
      `Network: ${report.offline ? 'not reached' : 'reached'}`,
      `Profile: ${profileFolder}`,
      `Models: ${core.modelsFolder}`,
    ];
    await output.say({ ...report, memory, profileFolder, modelsFolder: core.modelsFolder }, words.join('\n'));
    return 0;
  },
};
