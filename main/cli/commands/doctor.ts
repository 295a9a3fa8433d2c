import type { Command } from '../command.ts';

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

export const command: Command = {
  usage: 'doctor',
  summary: 'Says what this machine has, what will be used, and why.',
  options: [],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ output, openCore, profileFolder, signal }) {
    const core = await openCore();
    const report = await core.handlers.describeMachine({}, signal);
    const words = [
      `Quoth ${report.version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
      `Device: ${report.deviceName} (${report.device}), ${report.numThreads} threads. ${report.deviceReason}`,
      `Memory: ${gigabytes(report.memoryBytes)}; free on the disk: ${gigabytes(report.freeDiskBytes)}`,
      `Vector index: ${report.vectorIndex}. ${report.vectorIndexReason}`,
      `Chat model: ${report.chatModel ?? 'none; answers are made of quoted passages'}`,
      `Embedder: ${report.embedder ?? 'none; search is by words only'}`,
      `Reranker: ${report.reranker ?? 'none; the order is that of words and meaning'}`,
      `Network: ${report.offline ? 'not reached' : 'reached'}`,
      `Profile: ${profileFolder}`,
      `Models: ${core.modelsFolder}`,
    ];
    await output.say({ ...report, profileFolder, modelsFolder: core.modelsFolder }, words.join('\n'));
    return 0;
  },
};
