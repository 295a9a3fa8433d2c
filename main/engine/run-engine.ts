import type { Port } from '../../app/contract/port.ts';
import { loadNative } from '../../native/load.ts';
import { findAddon } from './addon-path.ts';
import { serveNative } from './serve-native.ts';

/** Makes this process the engine's: answers `nativeContract` on the port with the addon, and ends when the port does. */
export function runEngine(port: Port): void {
  // Without a parent nobody can use this process. `exit`, not a slow end: the engine's threads hold no state worth saving.
  port.onClose(() => process.exit(0));
  serveNative(async () => loadNative(await findAddon()), port);
}
