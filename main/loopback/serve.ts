/** The loopback shell: the app for a browser on this computer. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Core } from '../compose.ts';
import { startHttp } from './http.ts';

export type LoopbackShell = {
  /** The address to open, with its token. Whoever has it has the library: it is printed, never logged. */
  address: string;
  close(): Promise<void>;
};

/** Serves a core to browsers on this computer, at 127.0.0.1 only. The token is of this start and has 256 bits. */
export async function serveLoopback(
  core: Core,
  options: { port: number; rendererFolder: string },
): Promise<LoopbackShell> {
  const token = randomBytes(32).toString('base64url');
  const server = await startHttp({
    token,
    port: options.port,
    rendererFolder: options.rendererFolder,
    droppedFolder: path.join(core.profileFolder, 'dropped'),
    issueTicket: core.tickets.issue,
    recordingOf: (documentId) => core.app.library.recordingOf(documentId),
    onPort: core.connect,
    log: core.log,
  });
  return { address: `http://127.0.0.1:${server.port}/#token=${token}`, close: server.close };
}
