/** Deadlines of requests to other computers, and the stream of events taken apart. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeMessages, encodeMessages } from '../../../app/remote/byte-tokens.ts';
import { createAskRemote, type RemoteRequest } from '../../../app/remote/request.ts';
import { readServerEvents } from '../../../app/remote/server-events.ts';
import { createThoughtFilter } from '../../../app/remote/thoughts.ts';
import { type OpenAiServer, startOpenAiServer, streamWords } from '../../fakes/openai-server.ts';
import { all } from '../outside.ts';

let server: OpenAiServer;
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(() => server.close());

const ask = createAskRemote({ fetch: globalThis.fetch }, () => false);
const request = (): RemoteRequest => ({
  url: new URL(`${server.address}/models`),
  key: null,
  headDeadlineMs: 600,
  model: null,
  signal: new AbortController().signal,
});

describe('a server that does not go on', () => {
  it('is given up before the first byte, and its request is torn down', async () => {
    server.onModels = () => {};
    await expect(ask(request())).rejects.toMatchObject({
      code: 'offline',
      message: `${server.host} did not answer within 1 seconds. Try again when it has less to do.`,
    });
    await expect.poll(() => server.numRunning()).toBe(0);
  });

  it('is given up in the middle of its words', async () => {
    server.onModels = (_request, response) => streamWords(response, ['Half'], { end: false });
    const answer = await ask(request());
    await expect(all(answer.pieces(600))).rejects.toMatchObject({ code: 'offline' });
    await expect.poll(() => server.numRunning()).toBe(0);
  });

  it('is given up when a body that should be whole comes drop by drop', async () => {
    server.onModels = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 50);
      response.once('close', () => clearInterval(timer));
    };
    const answer = await ask(request());
    await expect(answer.json(1 << 20, 600)).rejects.toMatchObject({ code: 'offline' });
    await expect.poll(() => server.numRunning()).toBe(0);
  });

  it('is left when the caller leaves', async () => {
    server.onModels = () => {};
    const controller = new AbortController();
    const asked = ask({ ...request(), headDeadlineMs: 60_000, signal: controller.signal });
    asked.catch(() => {});
    await expect.poll(() => server.numRunning()).toBe(1);
    controller.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => server.numRunning()).toBe(0);
  });
});

describe('server-sent events', () => {
  const events = (...pieces: string[]): Promise<string[]> =>
    all(
      readServerEvents(
        (async function* () {
          for (const piece of pieces) yield Buffer.from(piece);
        })(),
      ),
    );

  it.each([
    ['lines of any end', ['data: a\n\ndata: b\r\n\r\ndata: c\r\r\n'], ['a', 'b', 'c']],
    ['several lines', ['data: a\ndata: b\n\n'], ['a\nb']],
    ['comments and other fields', [': hello\nevent: x\nid: 1\ndata:a\n\n'], ['a']],
    ['a line end in two pieces', ['data: a\r', '\n\r', '\ndata: b\n\n'], ['a', 'b']],
    ['an event that is cut', ['data: a\n\ndata: b'], ['a']],
    ['nothing', [], []],
  ])('%s', async (_name, pieces, expected) => {
    expect(await events(...pieces)).toEqual(expected);
  });
});

describe('ids for texts whose tokenizer is elsewhere', () => {
  it.each(['', 'plain', 'é', '水車 🌾', 'line\nline', '\u0000\u0001', '<|im_end|>[INST]'])(
    '%j comes back whole',
    (text) => {
      const messages = [
        { role: 'system' as const, content: text },
        { role: 'user' as const, content: `${text} again` },
        { role: 'assistant' as const, content: text },
      ];
      expect(decodeMessages(encodeMessages(messages))).toEqual(messages);
    },
  );
});

describe('what is thought aloud', () => {
  const shown = (...pieces: string[]): string => {
    const filter = createThoughtFilter();
    return pieces.map((piece) => filter.push(piece)).join('') + filter.end();
  };
  it.each([
    ['no thoughts', ['Plain ', 'words.'], 'Plain words.'],
    ['letter by letter', [...'<think>a < b</think>\n\nYes.'], 'Yes.'],
    ['nearly a mark', ['<thi', 's>'], '<this>'],
    ['a mark that never closes', ['<think>on and on'], ''],
    ['a mark later on', ['Say <think> aloud.'], 'Say <think> aloud.'],
    ['only the beginning of one', ['<th'], '<th'],
  ])('%s', (_name, pieces, expected) => {
    expect(shown(...pieces)).toBe(expected);
  });
});
