/**
 * `quoth mcp`: the MCP server over standard input and output, for programs that start it and keep it.
 *
 * A profile has one owner, and it is not to be this process for longer than it must: what is asked goes to the Quoth that has
 * the profile open, through its local API; where none is open, the profile is opened for this and given free again soon after.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolRequestSchema,
  ErrorCode,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  ResultSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { QuothError, toErrorMessage } from '../../app/contract/errors.ts';
import type { Core } from '../compose.ts';
import { findOpenDoor } from './door.ts';
import { createMcpServer, instructions } from './mcp.ts';

export type StdioOptions = {
  profileFolder: string;
  version: string;
  signal: AbortSignal;
  /** Another way than standard input and output, for tests. */
  transport?: Transport;
  /** How long the profile is kept after the last answer. */
  keepMs?: number;
  /** Opens the profile; fails with `busy` while another Quoth has it. */
  openCore?: (profileFolder: string) => Promise<Core>;
};

/** A model stays loaded for the next question, and a window that is being opened does not wait for long. */
const usualKeepMs = 10_000;
/** An answer of a large model on a slow machine; the client has its own limit. */
const answerDeadlineMs = 15 * 60_000;

const windowIsOpen =
  'Quoth is open, and its local API is off. Switch it on in Quoth under Settings, Local API, or close Quoth; then ask again.';

async function composeCore(profileFolder: string): Promise<Core> {
  const { compose } = await import('../compose.ts');
  return compose({ profileFolder, resume: false });
}

/** Serves until the program that started it closes its end, or the signal aborts. */
export async function serveMcp(options: StdioOptions): Promise<void> {
  const { profileFolder, version, signal, keepMs = usualKeepMs, openCore = composeCore } = options;
  let own: { core: Promise<Core>; numUsers: number; timer: NodeJS.Timeout | undefined } | undefined;
  let lastClosed: Promise<void> = Promise.resolve();

  /** The profile is ours while this runs, and a little longer. */
  async function withOwnCore<Result>(work: (core: Core) => Promise<Result>): Promise<Result> {
    await lastClosed;
    own ??= { core: openCore(profileFolder), numUsers: 0, timer: undefined };
    const mine = own;
    clearTimeout(mine.timer);
    mine.numUsers += 1;
    try {
      return await work(await mine.core);
    } catch (error) {
      // One that could not be opened is tried again the next time.
      await mine.core.catch(() => {
        if (own === mine) own = undefined;
      });
      throw error;
    } finally {
      mine.numUsers -= 1;
      if (mine.numUsers === 0 && own === mine) mine.timer = setTimeout(release, keepMs);
    }
  }

  function release(): Promise<void> {
    const mine = own;
    own = undefined;
    clearTimeout(mine?.timer);
    lastClosed = mine ? mine.core.then((core) => core.close()).catch(() => {}) : lastClosed;
    return lastClosed;
  }

  async function connect(transport: Transport): Promise<Client> {
    const client = new Client({ name: 'quoth-mcp', version });
    await client.connect(transport);
    return client;
  }

  /** To the Quoth that has the profile open; null where there is none, or it lets nobody in. */
  async function connectToOpenQuoth(): Promise<Client | null> {
    const door = await findOpenDoor(profileFolder);
    if (!door) return null;
    const transport = new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${door.port}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${door.key}` } },
    });
    try {
      return await connect(transport as Transport);
    } catch {
      return null; // the file is of one that was killed
    }
  }

  async function withOwnServer<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    return withOwnCore(async ({ app }) => {
      return withServer(createMcpServer({ app: () => app, version, signal }), work);
    });
  }

  async function withServer<Result>(
    server: ReturnType<typeof createMcpServer>,
    work: (client: Client) => Promise<Result>,
  ): Promise<Result> {
    const [near, far] = InMemoryTransport.createLinkedPair();
    await server.connect(far);
    const client = await connect(near);
    try {
      return await work(client);
    } finally {
      await client.close();
    }
  }

  async function withTarget<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      const open = own ? null : await connectToOpenQuoth();
      if (open) {
        try {
          return await work(open);
        } finally {
          await open.close();
        }
      }
      try {
        return await withOwnServer(work);
      } catch (error) {
        if (!(error instanceof QuothError) || error.code !== 'busy') throw error;
        // It may be on its way up or down: its door opens, or its profile is free, in a moment.
        if (attempt >= 2) throw new QuothError('busy', windowIsOpen, { cause: error });
        await pause(500, undefined, { signal });
      }
    }
  }

  const server = new Server(
    { name: 'quoth', title: 'Quoth: your own documents, with proof', version },
    { capabilities: { tools: {}, resources: {} }, instructions },
  );
  // What there is to use is the same whoever answers: nothing is opened for it.
  const shop = () =>
    createMcpServer({
      app: () => {
        throw new QuothError('internal', 'The library is not open.');
      },
      version,
      signal,
    });
  for (const schema of [ListToolsRequestSchema, ListResourceTemplatesRequestSchema])
    server.setRequestHandler(schema, ({ method, params }) =>
      withServer(shop(), (client) => client.request({ method, params }, ResultSchema)),
    );

  for (const schema of [CallToolRequestSchema, ListResourcesRequestSchema, ReadResourceRequestSchema])
    server.setRequestHandler(schema, async ({ method, params }, extra) => {
      const progressToken = extra._meta?.progressToken;
      try {
        return await withTarget((client) =>
          client.request({ method, params: { ...params } }, ResultSchema, {
            signal: AbortSignal.any([extra.signal, signal]),
            timeout: answerDeadlineMs,
            ...(progressToken === undefined
              ? {}
              : {
                  onprogress: (progress) =>
                    void extra
                      .sendNotification({ method: 'notifications/progress', params: { ...progress, progressToken } })
                      .catch(() => {}),
                }),
          }),
        );
      } catch (thrown) {
        if (thrown instanceof McpError) throw thrown;
        const { message } = toErrorMessage(thrown);
        // A tool's failure is for the model to read; the rest is for the program.
        if (method === 'tools/call') return { content: [{ type: 'text', text: message }], isError: true };
        throw new McpError(ErrorCode.InternalError, message);
      }
    });

  const ended = new Promise<void>((resolve) => {
    server.onclose = resolve;
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  await server.connect(options.transport ?? stdio());
  await ended;
  await server.close();
  await release();
}

/** The SDK does not notice that its input has ended: the program that started this one is gone. */
function stdio(): StdioServerTransport {
  const transport = new StdioServerTransport();
  process.stdin.once('end', () => void transport.close());
  process.stdin.once('close', () => void transport.close());
  return transport;
}
