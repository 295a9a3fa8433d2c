import type { Command } from '../command.ts';
import { jobScopeOf, runTask } from '../job.ts';

export const command: Command = {
  usage: 'mentions <text> [--in <document | folder> | --collection NAME]',
  summary: 'Lists every place where something is mentioned, in the whole library or in a part of it.',
  options: ['in', 'collection'],
  minPositionals: 1,
  maxPositionals: 1,
  async run(context) {
    const [words = ''] = context.positionals;
    const { in: wanted, collection } = context.values;
    const { app } = await context.openCore();
    const scope = await jobScopeOf(app, { wanted, collection });
    return runTask({ type: 'mentions', words, scope }, context);
  },
};
