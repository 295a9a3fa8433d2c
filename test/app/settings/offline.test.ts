import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { all, createScene, type Scene } from '../outside.ts';

const video = 'https://www.youtube.com/watch?v=aaaaaaaaaaa';
const playlist = 'https://www.youtube.com/playlist?list=PLaaaaaaaaaaaaaaaa';

describe('the offline switch', () => {
  let scene: Scene;
  let asked: string[] = [];
  beforeEach(async () => {
    asked = [];
    scene = await createScene({
      fetch: async (input) => {
        asked.push(new URL(input instanceof Request ? input.url : input).host);
        return new Response('not YouTube', { status: 500 });
      },
    });
  });
  afterEach(() => scene.remove());

  it('a video that is added is asked for, and the ledger says so', async () => {
    const { client } = await scene.open();
    await all(client.addAddress({ address: video }));
    expect(asked.length).toBeGreaterThan(0);
    const { connections, numConnections } = await client.readLedger({ before: null, limit: 500 });
    expect(numConnections).toBe(asked.length);
    expect(connections.map(({ host }) => host).reverse()).toEqual(asked);
    expect(connections[0]).toMatchObject({ purpose: 'video', host: 'www.youtube.com' });
  });

  it('while it is on, a video ends with the reason, a playlist with an error, and nobody is asked', async () => {
    const { client } = await scene.open();
    expect(await client.changeSettings({ offline: true })).toMatchObject({ offline: true });
    const events = await all(client.addAddress({ address: video }));
    const ends = events.flatMap((event) => (event.type === 'document' ? [event.document] : []));
    expect(ends[0]?.reason).toMatch(/set to stay offline/);
    await expect(all(client.addAddress({ address: playlist }))).rejects.toMatchObject({
      code: 'network-off',
      message: expect.stringContaining('set to stay offline'),
    });
    expect(asked).toEqual([]);
    const { connections } = await client.readLedger({ before: null, limit: 500 });
    expect(connections.map(({ outcome }) => outcome)).toEqual(connections.map(() => 'refused'));
    expect((await client.describeMachine({})).offline).toBe(true);
  });

  it('it is kept over a restart, and off again everything is asked as before', async () => {
    const first = await scene.open();
    await first.client.changeSettings({ offline: true });
    await first.app.close();
    const { client } = await scene.open();
    await all(client.addAddress({ address: video }));
    expect(asked).toEqual([]);
    await client.changeSettings({ offline: false });
    await expect(all(client.addAddress({ address: playlist }))).rejects.toThrow();
    expect(asked.length).toBeGreaterThan(0);
    await client.clearLedger({});
    expect(await client.readLedger({ before: null, limit: 10 })).toEqual({ connections: [], numConnections: 0 });
  });
});
