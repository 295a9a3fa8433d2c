import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashOfFiles, root, runNpm, SetupError, say } from './tools.mjs';

/** Installs the packages of the lockfile, once for each state of it. Their install scripts do not run: none is needed. */
export async function installDependencies() {
  const stamp = join(root, 'node_modules', '.quoth-lock');
  const wanted = hashOfFiles(['package-lock.json']);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('Installing packages …');
  const status = await runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  if (status !== 0)
    throw new SetupError(
      'The packages could not be installed: check the connection to your npm registry, then run the command again.',
    );
  writeFileSync(stamp, wanted);
}
