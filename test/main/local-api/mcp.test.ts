/** The MCP server with the SDK's own client: over HTTP, and over standard input and output. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { QuothError } from '../../../app/contract/errors.ts';
import type { Core } from '../../../main/compose.ts';
import { type StdioOptions, serveMcp } from '../../../main/local-api/mcp-stdio.ts';
import { type OpenApi, openApi, towerFact } from './open-api.ts';

let api: OpenApi;
beforeAll(async () => {
  api = await openApi();
  api.model.reply = () => 'The lighthouse of Ploumanac’h is 15 metres tall.';
});
afterAll(() => api?.remove());

const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

async function connect(transport: Transport): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  clients.push(client);
  return client;
}

function overHttp(key: string): Promise<Client> {
  const address = new URL(`http://127.0.0.1:${api.port}/mcp`);
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  return connect(new StreamableHTTPClientTransport(address, { requestInit }) as Transport);
}

type Called = {
  content: { type: string; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
};
const call = async (client: Client, name: string, parts: Record<string, unknown>): Promise<Called> =>
  (await client.callTool({ name, arguments: parts })) as Called;

const question = 'How tall is the lighthouse of Ploumanac’h?';

/** What every way in must do. */
async function expectWholeServer(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(['search', 'ask', 'list_documents', 'read_document']);
  expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true);

  const found = await call(client, 'search', { query: question, limit: 1 });
  expect(found.structuredContent?.passages).toMatchObject([{ source: 'lighthouse.txt', text: towerFact }]);

  const asked = await call(client, 'ask', { question });
  expect(asked.structuredContent).toMatchObject({
    refused: false,
    citations: [{ n: 1, source: 'lighthouse.txt', verified: true, boxes: null }],
  });
  expect(asked.content[0]!.text).toContain('[1] lighthouse');

  const listed = await call(client, 'list_documents', { name: 'LIGHT' });
  const [document] = listed.structuredContent!.documents as { document_id: string; state: string }[];
  expect(document).toMatchObject({ state: 'ready' });
  const read = await call(client, 'read_document', { document_id: document!.document_id });
  expect(read.content[0]!.text).toContain('pink granite');

  const { resources } = await client.listResources();
  expect(resources).toHaveLength(3);
  const { contents } = await client.readResource({ uri: `quoth://document/${document!.document_id}` });
  expect(contents[0]).toMatchObject({ mimeType: 'text/plain', text: expect.stringContaining('pink granite') });
  const { resourceTemplates } = await client.listResourceTemplates();
  expect(resourceTemplates[0]?.uriTemplate).toBe('quoth://document/{documentId}');
}

describe('over HTTP', () => {
  it('searches, asks, lists and reads, with citations', async () => {
    await expectWholeServer(await overHttp(api.key));
  });

  it('wants the key', async () => {
    await expect(overHttp('quoth-wrong')).rejects.toThrow();
  });

  it('a failure of a tool is one sentence for the model', async () => {
    const client = await overHttp(api.key);
    const answer = await call(client, 'read_document', { document_id: 'doc_0000000000000000' });
    expect(answer).toMatchObject({ isError: true });
    expect(answer.content[0]!.text).toMatch(/^This document/);
  });

  it('giving up a call ends the generation', async () => {
    const client = await overHttp(api.key);
    const begun = Promise.withResolvers<void>();
    const { reply } = api.model;
    api.model.reply = () => {
      begun.resolve();
      return new Promise(() => {});
    };
    const controller = new AbortController();
    const asked = client.callTool({ name: 'ask', arguments: { question } }, undefined, { signal: controller.signal });
    await begun.promise;
    controller.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(() => api.model.numRunning()).toBe(0);
    api.model.reply = reply;
    expect(await call(client, 'search', { query: question })).not.toHaveProperty('isError');
  });

  it('closing a client ends what it asked for', async () => {
    const client = await overHttp(api.key);
    const begun = Promise.withResolvers<void>();
    const { reply } = api.model;
    api.model.reply = () => {
      begun.resolve();
      return new Promise(() => {});
    };
    const asked = client.callTool({ name: 'ask', arguments: { question } });
    asked.catch(() => {});
    await begun.promise;
    await client.close();
    await expect.poll(() => api.model.numRunning()).toBe(0);
    api.model.reply = reply;
  });

  it('tells that words are coming to a client that wants to know', async () => {
    const client = await overHttp(api.key);
    let numTold = 0;
    await client.callTool({ name: 'ask', arguments: { question } }, undefined, {
      onprogress: () => {
        numTold += 1;
      },
    });
    expect(numTold).toBeGreaterThan(1);
  });
});

describe('over standard input and output', () => {
  /** `quoth mcp` in this process, its other end in our hand. */
  async function start(change: Partial<StdioOptions>): Promise<{ client: Client; ended: Promise<void> }> {
    const [near, far] = InMemoryTransport.createLinkedPair();
    const ended = serveMcp({
      profileFolder: api.scene.outside.profileFolder,
      version: '0.0.0-test',
      signal: new AbortController().signal,
      transport: far,
      ...change,
    });
    return { client: await connect(near), ended };
  }
  const busy = async (): Promise<Core> => {
    throw new QuothError('busy', 'Quoth is already using this profile.');
  };

  it('goes to the Quoth that has the profile open', async () => {
    const { client, ended } = await start({ openCore: busy });
    await expectWholeServer(client);
    await client.close();
    await ended;
  });

  it('opens the profile where no Quoth has it, and gives it free again', async () => {
    let numOpen = 0;
    const openCore = async (): Promise<Core> => {
      numOpen += 1;
      return {
        app: api.app,
        close: async () => {
          numOpen -= 1;
        },
      } as unknown as Core;
    };
    const { client, ended } = await start({ profileFolder: join(api.scene.files, 'no door'), openCore, keepMs: 1 });
    await client.listTools();
    expect(numOpen).toBe(0);
    await call(client, 'search', { query: question });
    await expect.poll(() => numOpen).toBe(0);
    const two = await Promise.all([call(client, 'search', { query: question }), call(client, 'ask', { question })]);
    expect(two.every(({ isError }) => !isError)).toBe(true);
    await expect.poll(() => numOpen).toBe(0);
    await client.close();
    await ended;
  });

  it('says what to do when Quoth is open and lets nobody in', async () => {
    const { client, ended } = await start({ profileFolder: join(api.scene.files, 'no door'), openCore: busy });
    const answer = await call(client, 'search', { query: question });
    expect(answer).toMatchObject({ isError: true });
    expect(answer.content[0]!.text).toContain('Settings, Local API');
    await expect(client.listResources()).rejects.toThrow('Settings, Local API');
    await client.close();
    await ended;
  });

  it('is the command "quoth mcp": it speaks nothing but the protocol, and ends with its input', async () => {
    const cli = join(import.meta.dirname, '../../../main/cli/cli.ts');
    const child = spawn(process.execPath, [cli, 'mcp', '--profile', api.scene.outside.profileFolder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
    });
    const send = (message: object): void =>
      void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    const answerOf = async (id: number) => {
      await expect.poll(() => said.includes(`"id":${id}`), { timeout: 30_000 }).toBe(true);
      const lines = said
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      return lines.find((line) => line.id === id).result;
    };
    const clientInfo = { name: 'test', version: '1' };
    send({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
    expect((await answerOf(1)).serverInfo).toMatchObject({ name: 'quoth' });
    send({ method: 'notifications/initialized' });
    send({ id: 2, method: 'tools/call', params: { name: 'search', arguments: { query: question } } });
    expect((await answerOf(2)).structuredContent.passages[0]).toMatchObject({ source: 'lighthouse.txt' });
    child.stdin.end();
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
  });
});
