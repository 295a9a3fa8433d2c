/**
 * With a real server of somebody else's: vLLM, trtllm-serve, llama-server, `transformers serve`. It is named by
 * QUOTH_TEST_SERVER (its address), QUOTH_TEST_SERVER_MODEL and, if it wants one, QUOTH_TEST_SERVER_KEY; without them this is
 * skipped. What the model says does not matter: a random one will do.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { all, createScene, type Scene } from '../outside.ts';

const { QUOTH_TEST_SERVER: address = '', QUOTH_TEST_SERVER_MODEL: name = '', QUOTH_TEST_SERVER_KEY: key } = process.env;
const server = { address, ...(key ? { key } : {}) };

describe.skipIf(address === '' || name === '')(
  `a real server${address === '' ? ' (QUOTH_TEST_SERVER is not set)' : ''}`,
  () => {
    let scene: Scene;
    let client: Awaited<ReturnType<Scene['open']>>['client'];
    beforeAll(async () => {
      scene = await createScene({ fetch: globalThis.fetch });
      const folder = join(scene.files, 'docs');
      await mkdir(folder);
      await writeFile(join(folder, 'mill.txt'), 'The mill of Aldermoor grinds four tonnes of barley a day.');
      ({ client } = await scene.open());
      await all(client.addFiles({ tickets: [scene.ticket(folder) as never] }));
    });
    afterAll(() => scene?.remove());
    const question = 'How much barley does the mill of Aldermoor grind?';

    it('says which models it has; some list none, and are asked by a name that was typed', async () => {
      const { host, models } = await client.probeRemote(server);
      expect(host).toBe(new URL(address).host);
      expect(models.every((model) => model.name !== '')).toBe(true);
    });

    it('says a word when it is tried', async () => {
      const { text, firstWordMs } = await client.testRemote({ ...server, name });
      expect(text).not.toBe('');
      expect(firstWordMs).toBeGreaterThan(0);
    });

    it('answers a question about the documents, and its words are checked', async () => {
      await client.addRemoteModel({ ...server, name, contextTokens: 1024 });
      await client.changeSettings({ answerTokens: 32 });
      const events = await all(client.ask({ question, chatId: null }));
      expect(events.some(({ type }) => type === 'text')).toBe(true);
      const last = events.at(-1);
      if (last?.type !== 'answer') throw new Error('the ask did not come to its end');
      const { answer } = last;
      expect(answer.sentTo).toMatchObject({ model: name, numPassages: 1 });
      expect(answer.timings.numOutputTokens).toBeGreaterThan(0);
      expect(answer.citations.every(({ verified }) => verified)).toBe(true);
    });

    it('is left when it is stopped, and answers again', async () => {
      await client.changeSettings({ answerTokens: 256 });
      for await (const event of client.ask({ question, chatId: null })) if (event.type === 'text') break;
      expect((await client.testRemote({ ...server, name })).text).not.toBe('');
    });

    it('says of a model that it does not have what is to be done', async () => {
      await expect(client.testRemote({ ...server, name: 'no/such-model-at-all' })).rejects.toMatchObject({
        message: expect.stringContaining(new URL(address).host),
      });
    });
  },
);
