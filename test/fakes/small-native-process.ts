/** The small `Native` in a process of its own. */
import { serveNative } from '../../main/engine/serve-native.ts';
import { portToParent } from '../../main/process-port.ts';
import { createSmallNative } from './small-native.ts';

const port = portToParent();
port.onClose(() => process.exit(0));
serveNative(async () => createSmallNative(), port);
