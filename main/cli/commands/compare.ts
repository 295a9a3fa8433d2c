import type { Command } from '../command.ts';
import { documentOf, runTask } from '../job.ts';

export const command: Command = {
  usage: 'compare <document> <document>',
  summary: 'Compares two documents sentence by sentence: what differs, and what stands in one of them only.',
  options: [],
  minPositionals: 2,
  maxPositionals: 2,
  async run(context) {
    const [first = '', second = ''] = context.positionals;
    const { library } = (await context.openCore()).app;
    const [one, other] = [await documentOf(library, first), await documentOf(library, second)];
    return runTask({ type: 'compare', documents: [one, other] }, context);
  },
};
