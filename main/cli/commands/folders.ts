import { QuothError } from '../../../app/contract/errors.ts';
import { folderId } from '../../../app/contract/types.ts';
import { type Command, WrongUse } from '../command.ts';

const actions = ['list', 'pause', 'resume', 'remove'];

export const command: Command = {
  usage: 'folders [list | pause <id> | resume <id> | remove <id> [--with-documents]]',
  summary: 'Lists the watched folders, lets one rest, takes it up again, or forgets it. The files themselves stay.',
  options: [],
  flags: ['with-documents'],
  minPositionals: 0,
  maxPositionals: 2,
  async run({ positionals: [action = 'list', id = ''], values, output, openCore, signal }) {
    if (!actions.includes(action)) throw new WrongUse(`"${action}" is nothing that can be done with folders.`);
    if (action === 'list') {
      if (id !== '') throw new WrongUse(`"${id}" is too much.`);
      const { app } = await openCore();
      const folders = app.library.listFolders();
      const words = folders.map((folder) => {
        const state = folder.state === 'paused' ? 'paused' : 'watched';
        return `${state.padEnd(8)} ${folder.id}  ${folder.path} (${folder.numReady} of ${folder.numDocuments} ready)`;
      });
      await output.say({ folders }, words.join('\n') || 'No folder is watched; "quoth add --watch FOLDER" adds one.');
      return 0;
    }
    if (id === '') throw new WrongUse('Something is missing.');
    const parsed = folderId.safeParse(id);
    if (!parsed.success)
      throw new QuothError('not-found', `There is no watched folder "${id}"; "quoth folders" shows the ids.`);
    const { handlers, app } = await openCore();
    const request = { folderId: parsed.data };
    if (action === 'pause') await handlers.pauseFolder(request, signal);
    else if (action === 'remove')
      await handlers.removeFolder({ ...request, keepDocuments: values['with-documents'] === undefined }, signal);
    else {
      await handlers.resumeFolder(request, signal);
      await app.idle();
    }
    const done = { pause: 'Paused', resume: 'Watched again:', remove: 'Forgotten:' }[action];
    await output.say({ type: action, folderId: parsed.data }, `${done} ${parsed.data}.`);
    return 0;
  },
};
