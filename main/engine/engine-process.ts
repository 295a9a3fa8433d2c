/** The entry of the engine's process: loads the addon and answers `nativeContract` until its parent goes. */
import type { Native } from '../../native/index.ts';
import { loadNative } from '../../native/load.ts';
import { portToParent } from '../process-port.ts';
import { findAddon } from './addon-path.ts';
import { serveNative } from './serve-native.ts';

async function load(): Promise<Native> {
  return loadNative(await findAddon());
}

const port = portToParent();
// Without a parent nobody can use this process. `exit`, not a slow end: the engine's threads hold no state worth saving.
port.onClose(() => process.exit(0));
serveNative(load, port);
