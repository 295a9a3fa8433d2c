import type { Command } from '../command.ts';
import { jobScopeOf, runTask } from '../job.ts';

export const command: Command = {
  usage: 'summarise [<document | folder> | --collection NAME]',
  summary:
    'Reads a document, a folder or the whole library from beginning to end and gives it in short, each line with its quote.',
  options: ['collection'],
  minPositionals: 0,
  maxPositionals: 1,
  async run(context) {
    const [wanted] = context.positionals;
    const { collection } = context.values;
    const { app } = await context.openCore();
    const scope = await jobScopeOf(app, { wanted, collection });
    return runTask({ type: 'summarise', scope }, context);
  },
};
