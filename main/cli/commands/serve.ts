import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { QuothError } from '../../../app/contract/errors.ts';
import { serveLoopback } from '../../loopback/serve.ts';
import type { Command } from '../command.ts';
import { wholeNumber } from '../command.ts';

const apiPorts = { default: 0, min: 0, max: 65_535 };

/** `out/renderer`, seen from this file in the sources and from the bundle in `out/main`. */
function rendererFolder(): string {
  const here = fileURLToPath(import.meta.url);
  const folder = path.dirname(here);
  return here.endsWith('.ts') ? path.resolve(folder, '../../../out/renderer') : path.resolve(folder, '../renderer');
}

export const command: Command = {
  usage: 'serve [--port N] [--api [--api-port N] [--new-key]]',
  summary:
    'Serves Quoth to a browser on this computer and prints the address to open; --api lets other programs in as well.',
  options: ['port', 'api-port'],
  flags: ['api', 'new-key'],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ values, output, openCore, signal }) {
    const port = wholeNumber(values, 'port', { default: 0, min: 0, max: 65_535 });
    const folder = rendererFolder();
    if (!existsSync(path.join(folder, 'index.html')))
      throw new QuothError('not-found', 'The window is not built yet; please run "npm run build" first.');
    const apiPort = values['api-port'] === undefined ? {} : { port: wholeNumber(values, 'api-port', apiPorts) };
    const core = await openCore({ resume: true, forPrograms: true });
    const shell = await serveLoopback(core, { port, rendererFolder: folder });
    await output.say(
      { type: 'serving', address: shell.address },
      `Quoth is open at ${shell.address}\nWhoever has this address can read your library. Ctrl-C ends it.`,
    );
    if (values.api === 'true') {
      const opened = await core.app.localApi.open({ ...apiPort, newKey: values['new-key'] === 'true' });
      const words =
        opened.key === null
          ? 'The key is the one that was shown when it was made; --new-key makes another.'
          : `Key: ${opened.key}\nIt is shown this once. Whoever has it can ask your documents and your models.`;
      await output.say({ type: 'api', ...opened }, `Other programs reach Quoth at ${opened.address}\n${words}`);
    }
    if (!signal.aborted) await once(signal, 'abort');
    await shell.close();
    return 0;
  },
};
