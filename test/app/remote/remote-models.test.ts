/** A model on another computer, from its address to a checked answer; and everything that can go wrong on the way. */
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { App } from '../../../app/app.ts';
import type { Answer } from '../../../app/contract/types.ts';
import { createRemoteModels } from '../../../app/remote/remote-models.ts';
import type { SettingsTable } from '../../../app/store/settings-table.ts';
import { type OpenAiServer, sendJson, startOpenAiServer, streamWords } from '../../fakes/openai-server.ts';
import { createScriptedModel, installScripted } from '../../fakes/scripted-model.ts';
import { all, createScene, type Scene } from '../outside.ts';

let server: OpenAiServer;
let scene: Scene;
let app: App;
let client: Awaited<ReturnType<Scene['open']>>['client'];
/** What goes out as if to another computer: names that lead to the fake. */
let elsewhere: string[];

beforeEach(async () => {
  server = await startOpenAiServer();
  elsewhere = [];
  const toFake: typeof fetch = (input, init) => {
    const url = new URL(String(input));
    if (url.hostname === 'gpu.example') {
      elsewhere.push(url.href);
      url.protocol = 'http:';
      url.host = server.host;
    }
    return fetch(url, init);
  };
  scene = await createScene({ fetch: toFake });
  const folder = join(scene.files, 'docs');
  await mkdir(folder);
  await writeFile(join(folder, 'mill.txt'), 'The mill of Aldermoor grinds four tonnes of barley a day.');
  ({ app, client } = await scene.open());
  await all(client.addFiles({ tickets: [scene.ticket(folder) as never] }));
});
afterEach(async () => {
  await scene.remove();
  await server.close();
});

const add = (change: object = {}) =>
  client.addRemoteModel({ address: server.address, name: 'big', contextTokens: 8192, ...change });

async function ask(question = 'How much barley does the mill of Aldermoor grind?'): Promise<Answer> {
  const last = (await all(client.ask({ question, chatId: null }))).at(-1);
  if (last?.type !== 'answer') throw new Error('the ask did not come to its end');
  return last.answer;
}

const says = (...words: string[]): void => {
  server.onChat = (_request, response) => streamWords(response, words);
};

describe('adding a server', () => {
  it('asks it for its models and how long a text they take', async () => {
    const offer = await client.probeRemote({ address: server.host });
    expect(offer).toEqual({
      address: server.address,
      host: server.host,
      isLoopback: true,
      isPrivate: true,
      models: [{ name: 'big', contextTokens: 16_384 }],
    });
  });

  it.each([
    ['vLLM', { max_model_len: 4096 }, 4096],
    ['llama-server', { meta: { n_ctx_train: 2048, n_params: 1 } }, 2048],
    ['others', { context_length: 1000 }, 1000],
    ['who does not say', {}, null],
    ['who says nonsense', { max_model_len: -1 }, null],
  ])('understands %s', async (_name, part, contextTokens) => {
    server.onModels = (_request, response) => sendJson(response, 200, { data: [{ id: 'm', ...part }] });
    expect((await client.probeRemote({ address: server.address })).models).toEqual([{ name: 'm', contextTokens }]);
  });

  it.each([
    ['gpu.example:8000', 'http://gpu.example:8000/v1', false, false],
    ['https://gpu.example/v1/', 'https://gpu.example/v1', false, true],
    ['http://gpu.example/api/openai/v1/chat/completions', 'http://gpu.example/api/openai/v1', false, false],
    ['localhost:1234', 'http://localhost:1234/v1', true, true],
    ['http://[::1]:1234', 'http://[::1]:1234/v1', true, true],
  ])('takes "%s" as %s', async (address, kept, isLoopback, isPrivate) => {
    const { model } = await add({ address });
    expect(model).toMatchObject({ address: kept, isLoopback, isPrivate });
  });

  it.each([
    ['ftp://gpu.example', 'http'],
    ['file:///etc/passwd', 'http'],
    ['https://me:secret@gpu.example/v1', 'password'],
    ['https://gpu.example/v1?key=secret', '?'],
    ['', 'malformed'],
    ['http://', 'no address'],
  ])('refuses "%s"', async (address, why) => {
    await expect(client.probeRemote({ address })).rejects.toThrow(why);
    expect(server.received).toEqual([]);
    expect(elsewhere).toEqual([]);
  });

  it('tries a model: it says a word', async () => {
    const tried = await client.testRemote({ address: server.address, name: 'big' });
    expect(tried.text).toBe('Hello there.');
    expect(server.received.at(-1)?.body).toMatchObject({ model: 'big', max_tokens: 16, stream: true });
  });

  it('keeps the key away from the window and the database, and sends it to its own server only', async () => {
    const key = 'sk-a-canary-of-this-test';
    await add({ key });
    const { models, keyProtection } = await client.listRemoteModels({});
    expect(JSON.stringify(models)).not.toContain(key);
    expect(models).toMatchObject([{ name: 'big', hasKey: true, inUse: true }]);
    expect(keyProtection).toBe('file');
    says('Four tonnes of barley a day.');
    await ask();
    expect(server.received.at(-1)?.authorization).toBe(`Bearer ${key}`);
    // Testing it again does not need the key again; another server does not get it.
    await client.probeRemote({ address: server.address, keyOf: models[0]!.id });
    expect(server.received.at(-1)?.authorization).toBe(`Bearer ${key}`);
    await client.probeRemote({ address: 'http://gpu.example/v1', keyOf: models[0]!.id });
    expect(server.received.at(-1)?.authorization).toBeUndefined();
    expect(scene.logged.join('\n')).not.toContain(key);
    await client.removeRemoteModel({ modelId: models[0]!.id });
    expect(await scene.outside.secrets.read(`remote/${models[0]!.id}`)).toBeNull();
  });

  it('refuses a key that cannot stand in a header', async () => {
    await expect(add({ key: 'two\nlines' })).rejects.toThrow('Copy it once more');
  });
});

describe('an answer of a model elsewhere', () => {
  it('is streamed, checked as any other, and says where the words went', async () => {
    says('The mill of Alder', 'moor grinds four ', 'tonnes of barley a day.');
    await add();
    const events = await all(
      client.ask({ question: 'How much barley does the mill of Aldermoor grind?', chatId: null }),
    );
    expect(events.filter(({ type }) => type === 'text').length).toBeGreaterThan(1);
    const last = events.at(-1);
    expect(last).toMatchObject({
      type: 'answer',
      answer: {
        writtenBy: 'model',
        citations: [{ source: 'mill.txt', verified: true }],
        sentTo: { model: 'big', host: server.host, isLoopback: true, numPassages: 1 },
        timings: { numOutputTokens: 3 },
      },
    });
    const { messages, temperature } = server.received.at(-1)!.body;
    expect(messages.map(({ role }: { role: string }) => role)).toEqual(['system', 'user']);
    expect(messages[1].content).toContain('four tonnes of barley');
    expect(temperature).toBe(0);
  });

  it('what it makes up is not given as an answer', async () => {
    says('The king of France owns seventeen purple elephants.');
    await add();
    const answer = await ask();
    expect(answer.text).not.toContain('elephants');
  });

  it('what it thinks aloud is no part of it', async () => {
    says(
      '<thi',
      'nk>Let me see: barley',
      '</th',
      'ink>\n\n',
      'The mill of Aldermoor grinds four tonnes of barley a day.',
    );
    await add();
    const answer = await ask();
    expect(answer.text).toMatch(/^The mill/);
    expect(answer.citations).toHaveLength(1);
  });

  it('letters that were cut between two pieces come whole', async () => {
    server.onChat = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      const event = Buffer.from(
        'data: {"choices":[{"delta":{"content":"Die Mühle 水車 🌾"},"finish_reason":"stop"}]}\r\n\r\ndata: [DONE]\r\n\r\n',
      );
      const send = (at: number): void => {
        if (at >= event.length) return void response.end();
        response.write(event.subarray(at, at + 1), () => send(at + 1));
      };
      send(0);
    };
    expect((await client.testRemote({ address: server.address, name: 'big' })).text).toBe('Die Mühle 水車 🌾');
  });

  it('a server that does not stream is understood as well', async () => {
    server.onChat = (_request, response) =>
      sendJson(response, 200, {
        choices: [{ message: { role: 'assistant', content: 'All at once.' }, finish_reason: 'stop' }],
        usage: { completion_tokens: 3 },
      });
    expect((await client.testRemote({ address: server.address, name: 'big' })).text).toBe('All at once.');
  });

  it('stop ends the request at the server, while words come and before the first', async () => {
    await add();
    server.onChat = (_request, response) => streamWords(response, ['The mill of Aldermoor grinds on'], { end: false });
    for await (const event of client.ask({ question: 'How much does the mill of Aldermoor grind?', chatId: null }))
      if (event.type === 'text') break;
    await expect.poll(() => server.numRunning()).toBe(0);

    server.onChat = () => {}; // silence
    const numBefore = server.received.length;
    const controller = new AbortController();
    const asked = all(
      client.ask({ question: 'How much does the mill of Aldermoor grind?', chatId: null }, controller.signal),
    );
    asked.catch(() => {});
    await expect.poll(() => server.received.length).toBe(numBefore + 1);
    controller.abort();
    await expect.poll(() => server.numRunning()).toBe(0);
  });

  it.each([
    ['stream_options', 'Unrecognized request argument supplied: stream_options', 'stream_options'],
    ['max_tokens', "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", 'max_tokens'],
    ['temperature', "'temperature' does not support 0 with this model.", 'temperature'],
  ])('a server that does not take "%s" is asked again without', async (_name, message, field) => {
    server.onChat = ({ body }, response) =>
      field in body ? sendJson(response, 400, { error: { message } }) : streamWords(response, ['Fine.']);
    expect((await client.testRemote({ address: server.address, name: 'big' })).text).toBe('Fine.');
    expect(server.received).toHaveLength(2);
  });

  it('a model that knows no system gets its text with the first question', async () => {
    server.onChat = ({ body }, response) =>
      body.messages[0].role === 'system'
        ? sendJson(response, 400, { error: { message: 'System role not supported' } })
        : streamWords(response, ['Fine.']);
    await client.testRemote({ address: server.address, name: 'big' });
    expect(server.received.at(-1)?.body.messages).toEqual([
      { role: 'user', content: 'You answer in one short sentence.\n\nSay hello.' },
    ]);
  });

  it('a job asks it too, and says so', async () => {
    says('The mill grinds four tonnes of barley a day.');
    await add();
    const [document] = app.library.list();
    const scope = { type: 'documents' as const, documentIds: [document!.id] };
    const { chatId } = await client.startJob({ task: { type: 'summarise', scope }, chatId: null });
    await app.idle();
    const { turns } = await client.readChat({ chatId });
    expect(turns[0]?.answer).toMatchObject({ sentTo: { host: server.host, numPassages: 1 } });
  });
});

describe('what goes wrong is one sentence that says what to do', () => {
  const fails = (status: number, body: unknown = { error: { message: 'no' } }): void => {
    server.onChat = (_request, response) => sendJson(response, status, body);
  };
  const tried = (): Promise<Error & { code: string }> =>
    client.testRemote({ address: server.address, name: 'big' }).then(
      () => Promise.reject(new Error('it was answered')),
      (error) => error,
    );

  it.each([
    [401, { error: { message: 'bad key' } }, 'denied', 'does not accept the key'],
    [403, {}, 'denied', 'does not accept the key'],
    [404, { error: { message: 'The model `big` does not exist' } }, 'not-found', 'has no model "big"'],
    [400, { error: { message: 'model big not found' } }, 'not-found', 'has no model "big"'],
    [404, { detail: 'Not Found' }, 'not-found', 'no OpenAI-compatible server'],
    [
      400,
      { error: { message: "This model's maximum context length is 512 tokens, you asked for 900." } },
      'invalid-input',
      'too long',
    ],
    [
      400,
      { error: { message: 'the request exceeds the available context size', code: 400 } },
      'invalid-input',
      'too long',
    ],
    [413, 'too large', 'invalid-input', 'too long'],
    [422, { detail: [{ msg: 'field required' }] }, 'unsupported', 'did not take the request (422)'],
    [429, {}, 'busy', 'Try again later'],
    [503, { error: { message: 'Loading model' } }, 'busy', 'loading the model'],
    [500, 'Traceback', 'unreadable', 'Its log says more'],
  ])('status %i %j', async (status, body, code, words) => {
    fails(status, body);
    const error = await tried();
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.message).toContain(server.host);
  });

  it('nobody listens', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    await expect(client.probeRemote({ address: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'offline',
      message: `127.0.0.1:${port} refuses the connection. Start the server there, or check the address and its port.`,
    });
  });

  it('a name that nobody has', async () => {
    await expect(client.probeRemote({ address: 'http://no-such-host.invalid' })).rejects.toMatchObject({
      code: 'offline',
    });
  });

  it('a stream that is cut: what was written is kept, and marked', async () => {
    await add();
    server.onChat = (_request, response) => {
      streamWords(response, ['The mill of Aldermoor grinds four tonnes'], { end: false });
      setImmediate(() => response.destroy());
    };
    const answer = await ask();
    expect(answer).toMatchObject({ end: 'cut', sentTo: { host: server.host } });
    expect(answer.text).toContain('four tonnes');
  });

  it('a stream that just ends, without a reason and without its last mark', async () => {
    server.onChat = (_request, response) => {
      streamWords(response, ['Half of an'], { end: false });
      response.end();
    };
    expect((await tried()).message).toContain('broke off');
  });

  it('an error in the middle of a stream', async () => {
    server.onChat = (_request, response) => {
      streamWords(response, ['Half of an'], { end: false });
      response.end(`data: ${JSON.stringify({ error: { message: 'out of memory', code: 500 } })}\n\n`);
    };
    expect((await tried()).message).toContain('error of its own');
  });

  it.each([
    ['a page', 'text/html', '<h1>Welcome</h1>'],
    ['no JSON', 'application/json', 'nonsense'],
    ['another JSON', 'application/json', '{"hello":"world"}'],
    ['events that are none', 'text/event-stream', 'data: nonsense\n\n'],
    ['an event without end', 'text/event-stream', `data: ${'x'.repeat(2 << 20)}`],
  ])('%s instead of an answer', async (_name, type, body) => {
    server.onChat = (_request, response) => {
      response.writeHead(200, { 'content-type': type });
      response.end(body);
    };
    server.onModels = server.onChat;
    expect(await tried()).toMatchObject({ code: 'unreadable', message: expect.stringContaining('/v1') });
    await expect(client.probeRemote({ address: server.address })).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('a list without end', async () => {
    server.onModels = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const piece = Buffer.alloc(1 << 16, 0x20);
      const more = (): void => {
        while (!response.destroyed && response.write(piece));
        response.once('drain', more);
      };
      more();
    };
    await expect(client.probeRemote({ address: server.address })).rejects.toMatchObject({ code: 'unreadable' });
    await expect.poll(() => server.numRunning()).toBe(0);
  });

  it('no way to another computer: a redirect is not followed, nor does the key go along', async () => {
    const other = await startOpenAiServer();
    server.onModels = (_request, response) => response.writeHead(307, { location: `${other.address}/models` }).end();
    server.onChat = (_request, response) =>
      response.writeHead(308, { location: `${other.address}/chat/completions` }).end();
    await expect(client.probeRemote({ address: server.address, key: 'k' })).rejects.toMatchObject({ code: 'denied' });
    expect((await tried()).message).toContain('does not follow');
    expect(other.received).toEqual([]);
    await other.close();
  });

  it('a redirect on the same host is followed, a few times', async () => {
    server.onModels = ({ path }, response) =>
      path === '/v1/models'
        ? response.writeHead(307, { location: '/v2/models' }).end()
        : sendJson(response, 200, { data: [{ id: 'moved' }] });
    expect((await client.probeRemote({ address: server.address })).models[0]?.name).toBe('moved');
    server.onModels = (_request, response) => response.writeHead(307, { location: '/v1/models' }).end();
    await expect(client.probeRemote({ address: server.address })).rejects.toMatchObject({ code: 'denied' });
  });

  it('in a chat the quotes answer, with the reason before them', async () => {
    await add();
    fails(401);
    const answer = await ask();
    expect(answer).toMatchObject({ writtenBy: 'quotes', citations: [{ source: 'mill.txt' }] });
    expect(answer.text).toContain(`${server.host} does not accept the key.`);
  });
});

describe('the offline switch', () => {
  it('forbids that anything is sent to another computer, and nothing else', async () => {
    const settings = {
      readValue: (key: string, _schema: unknown, fallback: unknown) => (key === 'settings.offline' ? true : fallback),
    } as unknown as SettingsTable;
    const { handlers } = createRemoteModels(scene.outside, settings);
    const signal = new AbortController().signal;
    await expect(handlers.probeRemote({ address: 'http://gpu.example/v1' }, signal)).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringContaining('stay offline'),
    });
    await expect(handlers.testRemote({ address: 'gpu.example', name: 'big' }, signal)).rejects.toThrow('stay offline');
    expect(elsewhere).toEqual([]);
    expect((await handlers.probeRemote({ address: server.address }, signal)).models).toHaveLength(1);
  });
});

describe('beside the models of this computer', () => {
  it('one is in use: choosing the other is one step', async () => {
    await scene.remove();
    scene = await createScene();
    const scripted = createScriptedModel();
    scripted.reply = () => 'The local one speaks.';
    await installScripted(scene.outside.modelsFolder);
    ({ app, client } = await scene.open({ kit: scripted.kit }));
    const { model } = await add();
    const inUse = async () => ({
      local: (await client.listModels({})).models.find(({ id }) => id === 'scripted')?.inUse,
      remote: (await client.listRemoteModels({})).models[0]?.inUse,
      named: (await client.describeMachine({})).chatModel,
    });
    expect(await inUse()).toEqual({ local: false, remote: true, named: `big (${server.host})` });
    await client.useModel({ modelId: 'scripted' as never });
    expect(await inUse()).toEqual({ local: true, remote: false, named: 'Scripted' });
    await client.useModel({ modelId: model.id });
    expect(await inUse()).toMatchObject({ remote: true });
    await client.removeRemoteModel({ modelId: model.id });
    expect(await inUse()).toEqual({ local: true, remote: undefined, named: 'Scripted' });
  });

  it('is there again at the next start', async () => {
    await add({ key: 'kept' });
    await app.close();
    ({ app, client } = await scene.open());
    says('The mill of Aldermoor grinds four tonnes of barley a day.');
    expect(await ask()).toMatchObject({ writtenBy: 'model', sentTo: { host: server.host } });
    expect(server.received.at(-1)?.authorization).toBe('Bearer kept');
  });
});
