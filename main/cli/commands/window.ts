/** `quoth window`: the app's window, from the sources, as `npm start` opens it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { electronBinary, electronWords, hasDisplay, root } from '../../setup/electron.mjs';
import type { Command } from '../command.ts';

export const command: Command = {
  usage: 'window [--gallery]',
  summary: 'Opens the window; --gallery shows its design: colours, type, and every component in every state.',
  options: [],
  flags: ['gallery'],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ values, profileFolder, output, signal }) {
    const binary = hasDisplay() ? electronBinary(process.execPath) : null;
    if (binary === null) {
      const why = hasDisplay() ? 'Electron could not be fetched' : 'There is no display here';
      const hint = values.gallery ? ', with #gallery after the address instead of its token' : '';
      await output.say({ type: 'no-window', why }, `${why}: "quoth serve" shows the same to a browser${hint}.`);
      return 1;
    }
    const words = [`--profile=${profileFolder}`, ...(values.gallery ? ['--gallery'] : [])];
    const child = spawn(binary, electronWords(words), { cwd: root, stdio: 'inherit' });
    signal.addEventListener('abort', () => child.kill('SIGTERM'));
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  },
};
