import { describe, expect, test } from 'vitest';
import type { Network } from '../../app/network/network.ts';
import { createGoingOut } from '../../main/electron/going-out.ts';
import type { CoreMessage } from '../../main/electron/messages.ts';

/** The border of the ledger: notes what began and how it ended. */
function fixture({ isOffline = false } = {}) {
  const said: CoreMessage[] = [];
  const noted: string[] = [];
  const goingOut = createGoingOut((message) => said.push(message));
  const around: Network['around'] = async (purpose, host, work) => {
    if (isOffline) {
      noted.push(`${purpose} ${host} refused`);
      throw new Error('offline');
    }
    noted.push(`${purpose} ${host} open`);
    return work().then(
      (result) => {
        noted.push('done');
        return result;
      },
      (error: unknown) => {
        noted.push('failed');
        throw error;
      },
    );
  };
  const tell = async (...messages: Parameters<typeof goingOut.receive>[0][]) => {
    for (const message of messages) goingOut.receive(message, around);
    await new Promise(setImmediate);
  };
  return { said, noted, tell };
}

describe('A connection of the window process', () => {
  test('is in the ledger from its beginning to its end', async () => {
    const { said, noted, tell } = fixture();
    await tell({ type: 'go-out', id: 3, host: 'updates.example' });
    expect(said).toEqual([{ type: 'goes-out', id: 3, mayGo: true }]);
    expect(noted).toEqual(['update updates.example open']);
    await tell({ type: 'went-out', id: 3, isDone: true });
    expect(noted.at(-1)).toBe('done');
  });

  test('that failed is noted as failed, and told once', async () => {
    const { said, noted, tell } = fixture();
    await tell({ type: 'go-out', id: 1, host: 'a' }, { type: 'went-out', id: 1, isDone: false });
    expect(noted).toEqual(['update a open', 'failed']);
    expect(said).toHaveLength(1);
    await tell({ type: 'went-out', id: 1, isDone: true });
    expect(noted).toHaveLength(2);
  });

  test('is refused and noted while Quoth is to stay offline', async () => {
    const { said, noted, tell } = fixture({ isOffline: true });
    await tell({ type: 'go-out', id: 7, host: 'a' });
    expect(said).toEqual([{ type: 'goes-out', id: 7, mayGo: false }]);
    expect(noted).toEqual(['update a refused']);
  });

  test('is nothing to what else the window says', async () => {
    const { said, noted, tell } = fixture();
    await tell({ type: 'woken' }, { type: 'watch', paused: true });
    expect([said, noted]).toEqual([[], []]);
  });
});
