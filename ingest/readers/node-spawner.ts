/**
 * Starts readers as child processes of Node. Electron's core can use it too: `execPath` and `env` are arguments
 * (ELECTRON_RUN_AS_NODE=1 makes the Electron binary a Node).
 */
import { fork } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReaderLimits } from '../reader-process.ts';
import type { ReaderChild, SpawnReader } from '../run-reader.ts';

export type NodeSpawnerOptions = {
  /** The script that runs in the child. Absent = `reader-main.ts` beside this file. */
  readerMain?: string;
  execPath?: string;
  env?: Record<string, string | undefined>;
  /**
   * Folders with code that the child loads: the only ones it may read beside its file. Absent = the folder above
   * `readerMain` that holds `node_modules`. Node only: Electron's own runtime has no such limit, nor has Node before 24.
   */
  codeFolders?: string[];
};

/** Linux counts resident memory in pages; all platforms that have /proc here use 4 KiB. */
const memoryPageBytes = 4096;

/**
 * Command line switches for a reader: the heap limit and, where Node offers it, the file system limit. `folders`: those that it
 * may read beside its file, `codeFolders` those with its code.
 */
export function readerSwitches(
  limits: ReaderLimits,
  path: string,
  codeFolders?: readonly string[],
  folders: readonly string[] = [],
): string[] {
  const heapMegabytes = Math.floor((limits.memoryBytes * 0.8) / 1e6);
  const switches = [`--max-old-space-size=${heapMegabytes}`, '--disable-warning=ExperimentalWarning'];
  // A `*` at a path's end would be a wildcard to Node, so such a file is read without the limit.
  if (codeFolders && ![path, ...folders].some((one) => one.includes('*')))
    switches.push(
      '--permission',
      `--allow-fs-read=${path}`,
      ...[...codeFolders, ...folders].flatMap(bothPaths).map((folder) => `--allow-fs-read=${folder}`),
    );
  return switches;
}

/** The folder with `node_modules` that a script belongs to, and that folder; nothing where there is none. */
function codeFoldersOf(script: string): string[] | undefined {
  for (let folder = dirname(script); folder !== dirname(folder); folder = dirname(folder)) {
    const modules = join(folder, 'node_modules');
    if (existsSync(modules)) return [folder, modules];
  }
  return undefined;
}

/** A folder as named and as resolved: a module reached over a link is opened under either name. */
function bothPaths(folder: string): string[] {
  try {
    return [...new Set([folder, realpathSync(folder)])];
  } catch {
    return [folder];
  }
}

export function createNodeSpawner(options: NodeSpawnerOptions = {}): SpawnReader {
  const readerMain = options.readerMain ?? fileURLToPath(new URL('reader-main.ts', import.meta.url));
  const hasWalls = process.allowedNodeEnvironmentFlags.has('--permission') && !process.versions.electron;
  const codeFolders = hasWalls ? (options.codeFolders ?? codeFoldersOf(readerMain)) : undefined;
  return (limits, path, folders): ReaderChild => {
    const child = fork(readerMain, [], {
      cwd: dirname(readerMain),
      execPath: options.execPath ?? process.execPath,
      execArgv: readerSwitches(limits, path, codeFolders, folders),
      // A reader needs nothing of this process's surroundings, least of all tokens that stand in them.
      env: {
        PATH: process.env.PATH,
        SystemRoot: process.env.SystemRoot,
        ...options.env,
        QUOTH_READER_MEMORY_BYTES: String(limits.memoryBytes),
      } as NodeJS.ProcessEnv,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    return {
      send: (request) => {
        child.send(request, () => {}); // a failure to send is followed by the exit
      },
      onMessage: (listener) => {
        child.on('message', listener);
      },
      onExit: (listener) => {
        child.once('exit', (code, signal) => listener({ code, signal }));
        child.once('error', () => listener({ code: child.exitCode, signal: null }));
      },
      kill: () => {
        child.kill('SIGKILL');
      },
      memoryBytes: () => residentBytes(child.pid),
    };
  };
}

/** Resident bytes of a process from /proc; null where there is none (the heap limit then stands alone). */
export async function residentBytes(pid: number | undefined): Promise<number | null> {
  if (pid === undefined || process.platform !== 'linux') return null;
  try {
    const pages = Number((await readFile(`/proc/${pid}/statm`, 'latin1')).split(' ')[1]);
    return Number.isFinite(pages) ? pages * memoryPageBytes : null;
  } catch {
    return null;
  }
}
