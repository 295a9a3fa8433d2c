/** The entry of the engine's process as a fork of Node; in Electron it is `main/electron/electron-child.ts`. */
import { portToParent } from '../process-port.ts';
import { runEngine } from './run-engine.ts';

runEngine(portToParent());
