/**
 * Tickets: opaque ids that stand for a file or folder the person gave. The picture holds tickets only; the path behind
 * one is known here, and only to the core.
 */
import path from 'node:path';

export type Tickets = {
  /** A fresh ticket for an absolute path. */
  issue(absolutePath: string): string;
  /** The path behind a ticket, or undefined for one that is unknown or too old. A ticket may be used again. */
  redeem(ticket: string): string | undefined;
};

/** Long enough for a folder to be looked through before it is added, short enough that a forgotten page loses its right. */
const lifetimeMs = 60 * 60 * 1000;
/** As many as one request may carry, several times over. The oldest go first. */
const maxTickets = 100_000;
/** 192 bits: not to be guessed. */
const numBytes = 24;

/** The tickets of one profile, held in memory: they do not outlive the process. `lifetimeMs`: absent = an hour. */
export function createTickets(outside: {
  randomBytes: (numBytes: number) => Uint8Array;
  nowMs: () => number;
  lifetimeMs?: number;
}): Tickets {
  const livesMs = outside.lifetimeMs ?? lifetimeMs;
  const paths = new Map<string, { path: string; expiresAtMs: number }>();
  const dropOld = (): void => {
    // A Map keeps the order of insertion, and all live equally long: the oldest stand first.
    for (const [ticket, { expiresAtMs }] of paths) {
      if (expiresAtMs > outside.nowMs() && paths.size < maxTickets) return;
      paths.delete(ticket);
    }
  };
  return {
    issue(absolutePath) {
      if (!path.isAbsolute(absolutePath)) throw new TypeError('A ticket needs an absolute path.');
      dropOld();
      const ticket = Buffer.from(outside.randomBytes(numBytes)).toString('base64url');
      paths.set(ticket, { path: absolutePath, expiresAtMs: outside.nowMs() + livesMs });
      return ticket;
    },
    redeem(ticket) {
      const found = paths.get(ticket);
      return found && found.expiresAtMs > outside.nowMs() ? found.path : undefined;
    },
  };
}
