/** Asks this machine's npm where a package's archive lies: the person's own settings say which registry that is. */
import { spawn } from 'node:child_process';

const timeoutMs = 20_000;

/** Names and versions as npm allows them; nothing else is ever put on a command line. */
const packageName = /^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/;
const packageVersion = /^\d+\.\d+\.\d+(-[0-9a-zA-Z.-]+)?$/;

/** The address of `name@version`'s archive, or null where there is no npm, no network or no such package. */
export async function packageAddress(name: string, version: string): Promise<string | null> {
  if (!packageName.test(name) || !packageVersion.test(version)) return null;
  const wanted = ['view', `${name}@${version}`, 'dist.tarball', '--json', '--loglevel=silent'];
  // On Windows npm is a .cmd file, which only a shell can start; name and version were checked above.
  const isWindows = process.platform === 'win32';
  const output = await new Promise<string | null>((resolve) => {
    const child = spawn(isWindows ? 'npm.cmd' : 'npm', wanted, {
      shell: isWindows,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: timeoutMs,
      windowsHide: true,
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      if (text.length < 10_000) text += piece;
    });
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve(code === 0 ? text : null));
  });
  try {
    const address = new URL(JSON.parse(output ?? '') as string);
    return address.protocol === 'https:' || address.protocol === 'http:' ? address.href : null;
  } catch {
    return null;
  }
}
