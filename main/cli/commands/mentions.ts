import type { Command } from '../command.ts';
import { runTask, scopeOf } from '../job.ts';

export const command: Command = {
  usage: 'mentions <text> [--in <document | folder>]',
  summary: 'Lists every place where something is mentioned, in the whole library or in a part of it.',
  options: ['in'],
  minPositionals: 1,
  maxPositionals: 1,
  async run(context) {
    const [words = ''] = context.positionals;
    const wanted = context.values.in;
    const { app } = await context.openCore();
    const scope = wanted === undefined ? { type: 'library' as const } : await scopeOf(app.library, wanted);
    return runTask({ type: 'mentions', words, scope }, context);
  },
};
