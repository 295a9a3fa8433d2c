import type { Command } from '../command.ts';
import { runTask, scopeOf } from '../job.ts';

export const command: Command = {
  usage: 'summarise [<document | folder>]',
  summary:
    'Reads a document, a folder or the whole library from beginning to end and gives it in short, each line with its quote.',
  options: [],
  minPositionals: 0,
  maxPositionals: 1,
  async run(context) {
    const [wanted] = context.positionals;
    const { app } = await context.openCore();
    const scope = wanted === undefined ? { type: 'library' as const } : await scopeOf(app.library, wanted);
    return runTask({ type: 'summarise', scope }, context);
  },
};
