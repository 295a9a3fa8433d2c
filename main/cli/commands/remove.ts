import { QuothError } from '../../../app/contract/errors.ts';
import { documentId } from '../../../app/contract/types.ts';
import type { Command } from '../command.ts';

export const command: Command = {
  usage: 'remove <id>',
  summary: 'Removes a document from the library and from every later answer. The file itself stays.',
  options: [],
  minPositionals: 1,
  maxPositionals: 1,
  async run({ positionals: [id = ''], output, openCore, signal }) {
    const parsed = documentId.safeParse(id);
    if (!parsed.success) throw new QuothError('not-found', `There is no document "${id}"; "quoth list" shows the ids.`);
    const core = await openCore();
    await core.handlers.removeDocument({ documentId: parsed.data }, signal);
    await output.say({ type: 'removed', documentId: parsed.data }, `Removed ${parsed.data}.`);
    return 0;
  },
};
