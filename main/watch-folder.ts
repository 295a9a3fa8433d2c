/** The system's word of changes in a folder, through chokidar. */
import path from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import type { WatchFolder } from '../app/outside.ts';
import { isPassedOver } from '../ingest/walk.ts';

/**
 * Watches a folder. Chokidar's own waiting (for files to be whole, for editors to finish) is off: the listener looks at the
 * disk itself, and two clocks would add up. Links are not followed: what they lead to in the folder is watched in its place.
 */
export const watchFolder: WatchFolder = (folder, { onTouched, onFailed }) => {
  const isIgnored = (one: string): boolean => path.relative(folder, one).split(path.sep).some(isPassedOverBelow);
  const watcher: FSWatcher = watch(folder, {
    ignored: isIgnored,
    ignoreInitial: true,
    followSymlinks: false,
    atomic: false,
    awaitWriteFinish: false,
    ignorePermissionErrors: true,
    persistent: true,
  });
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<void>();
  watcher.once('ready', becomeReady);
  watcher.on('all', (_event, one) => onTouched(path.resolve(one)));
  watcher.on('error', (error) => {
    const code = String((error as { code?: unknown }).code);
    // Of one file or folder that went meanwhile, or may not be seen: the others are still watched.
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].includes(code)) return;
    becomeReady();
    onFailed(error);
  });
  let closing: Promise<void> | undefined;
  return {
    ready,
    close() {
      becomeReady();
      closing ??= watcher.close();
      return closing;
    },
  };
};

/** The root itself is `''`, and what lies above it begins with `..`: both are watched. */
function isPassedOverBelow(name: string): boolean {
  return name !== '' && name !== '..' && isPassedOver(name);
}
