/**
 * The door that the application opens and shuts: the server, and beside it a file by which `quoth mcp` of the same user finds
 * it. The file holds a key of this start, and stands in the profile: whoever can read it can read the library as well.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { App } from '../../app/app.ts';
import type { Log } from '../../app/outside.ts';
import type { LocalDoor } from '../../app/programs/local-api.ts';
import type { LocalApiServer } from './server.ts';

const openDoor = z.object({ port: z.number().int().min(1).max(65_535), key: z.string().min(20).max(200) });
export type OpenDoor = z.infer<typeof openDoor>;

const fileOf = (profileFolder: string): string => path.join(profileFolder, 'local-api.json');

export function createDoor(options: {
  app: () => Pick<App, 'handlers' | 'programs' | 'library'>;
  profileFolder: string;
  version: string;
  nowMs: () => number;
  log: Log;
}): LocalDoor {
  const { profileFolder, version, nowMs, log } = options;
  let server: LocalApiServer | undefined;
  return {
    async open({ port, accepts }) {
      const ownKey = randomBytes(32).toString('base64url');
      const app = options.app();
      // Not before it is wanted: the server and what it speaks are slow to load, and most people never open the door.
      const { startLocalApi } = await import('./server.ts');
      server = await startLocalApi({
        app,
        port,
        accepts: (key) => sameKey(key, ownKey) || accepts(key),
        version,
        nowMs,
        log,
      });
      await rm(fileOf(profileFolder), { force: true });
      await writeFile(fileOf(profileFolder), JSON.stringify({ port: server.port, key: ownKey }), {
        mode: 0o600,
        flag: 'wx',
      });
      return { address: `http://127.0.0.1:${server.port}/v1` };
    },
    async close() {
      const old = server;
      server = undefined;
      if (!old) return;
      await rm(fileOf(profileFolder), { force: true });
      await old.close();
    },
  };
}

/** Where a Quoth that has this profile open lets `quoth mcp` in; null where it does not. The file may be of one that was killed. */
export async function findOpenDoor(profileFolder: string): Promise<OpenDoor | null> {
  try {
    return openDoor.parse(JSON.parse(await readFile(fileOf(profileFolder), 'utf8')));
  } catch {
    return null;
  }
}

function sameKey(given: string, key: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(key));
}
