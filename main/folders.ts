/** Where things lie on this system, by its own customs. */
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

type Surroundings = { platform: NodeJS.Platform; environment: NodeJS.ProcessEnv; home: string };

const here = (): Surroundings => ({ platform: process.platform, environment: process.env, home: os.homedir() });

/** The folder of all data of this user: profiles' default place and the models that they share. */
export function dataFolder({ platform, environment, home }: Surroundings = here()): string {
  if (platform === 'win32') {
    const local = environment.LOCALAPPDATA;
    return path.win32.join(
      local && path.win32.isAbsolute(local) ? local : path.win32.join(home, 'AppData', 'Local'),
      'Quoth',
    );
  }
  if (platform === 'darwin') return path.posix.join(home, 'Library', 'Application Support', 'Quoth');
  // The XDG specification: a relative path is to be ignored.
  const xdg = environment.XDG_DATA_HOME;
  return path.posix.join(xdg && path.posix.isAbsolute(xdg) ? xdg : path.posix.join(home, '.local', 'share'), 'quoth');
}

/** The profile that is used when none is named. */
export function defaultProfileFolder(surroundings: Surroundings = here()): string {
  const join = surroundings.platform === 'win32' ? path.win32.join : path.posix.join;
  return join(dataFolder(surroundings), 'profile');
}

/** Where models live, for all profiles; `QUOTH_MODELS` names another place. */
export function modelsFolder(surroundings: Surroundings = here()): string {
  const named = surroundings.environment.QUOTH_MODELS;
  if (named) return path.resolve(named);
  const join = surroundings.platform === 'win32' ? path.win32.join : path.posix.join;
  return join(dataFolder(surroundings), 'models');
}

/** The sample documents: in the sources beside what adds them, in the bundle beside this file. */
export function samplesFolder(): string {
  const here = fileURLToPath(import.meta.url);
  return here.endsWith('.ts')
    ? path.join(path.dirname(here), '..', 'app', 'welcome', 'samples')
    : path.join(path.dirname(here), 'samples');
}
