import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ModelId } from '../../../app/contract/types.ts';
import { type AppKit, createKit } from '../../../app/models/kit.ts';
import type { Offer } from '../../../app/models/offer.ts';
import { type Engine, type Native, NativeError } from '../../../native/index.ts';
import { tinyRerankerFiles, writeTinyReranker } from '../../fakes/tiny-reranker.ts';
import { openNative } from '../../native/native.ts';
import { all, createScene, installed, type Scene } from '../outside.ts';

/** BM25 likes many pumps; the reranker likes many good words. */
const files = {
  'a.txt': 'pump pump pump bad bad bad bad bad',
  'b.txt': 'pump pump bad good bad bad bad bad',
  'c.txt': 'pump bad good good good bad bad bad',
};
const byWords = ['a.txt', 'b.txt', 'c.txt'];
const byReranker = ['c.txt', 'b.txt', 'a.txt'];
const id = 'tiny-reranker' as ModelId;

let server: Server;
let scene: Scene;
let kit: AppKit;
let rerank: (engine: Engine, ...given: Parameters<Engine['rerank']>) => Promise<Float32Array>;
let numLoaded: number;

beforeAll(async () => void (await openNative()), 600_000);

beforeEach(async () => {
  rerank = (engine, ...given) => engine.rerank(...given);
  numLoaded = 0;
  const addon = await openNative();
  const native: Native = {
    ...addon,
    builder: addon.builder,
    describe: () => addon.describe(),
    openVectorIndex: (options) => addon.openVectorIndex(options),
    async loadEngine(options) {
      numLoaded += 1;
      const engine = await addon.loadEngine({ ...options, device: 'cpu', numThreads: 1 });
      return {
        info: engine.info,
        rerank: (...given: Parameters<Engine['rerank']>) => rerank(engine, ...given),
        close: () => engine.close(),
      } as Engine;
    },
  };
  scene = await createScene({ native, fetch: globalThis.fetch });
  const published = join(scene.files, 'published');
  await writeTinyReranker(published);
  server = createServer((request, response) => {
    readFile(join(published, request.url!.slice(1))).then((bytes) =>
      response.writeHead(200, { 'content-length': bytes.length, etag: '"1"' }).end(bytes),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const offer: Offer = {
    id,
    name: 'Tiny Reranker',
    role: 'reranker',
    licence: 'Apache-2.0',
    planBytes: 100_000,
    note: '',
    checkpoint: null,
    files: await Promise.all(
      tinyRerankerFiles.map(async (name) => {
        const { size: sizeBytes } = await stat(join(published, name));
        const part = { type: 'web', address: `${origin}/${name}`, sizeBytes, exact: true, sha256: null } as const;
        return { name, sha256: null, parts: [part] };
      }),
    ),
  };
  kit = createKit({ native }, [offer]);
});
afterEach(async () => {
  await scene.remove();
  server.closeAllConnections();
  server.close();
});

/** The app with the three documents and, unless told otherwise, the reranker installed. */
async function open({ install = true } = {}) {
  const opened = await scene.open({ kit });
  const { client } = opened;
  const tickets = [];
  for (const [name, text] of Object.entries(files)) {
    const path = join(scene.files, name);
    await writeFile(path, text);
    tickets.push(scene.ticket(path));
  }
  await all(client.addFiles({ tickets } as Parameters<typeof client.addFiles>[0]));
  if (install) await installed(client, id);
  return opened;
}

type Client = Awaited<ReturnType<typeof open>>['client'];
const find = (client: Client, explain = true) => client.search({ question: 'pump', limit: 10, explain });
const sourcesOf = (found: { passages: { source: string }[] }) => found.passages.map(({ source }) => source);

describe('a reranker of the list of models', () => {
  it('is built from its files, used at once, and named', async () => {
    const { client } = await open({ install: false });
    expect(sourcesOf(await find(client))).toEqual(byWords);
    expect((await client.listModels({})).models).toMatchObject([
      { role: 'reranker', state: 'available', inUse: false },
    ]);
    await installed(client, id);
    expect((await client.listModels({})).models).toMatchObject([{ role: 'reranker', state: 'installed', inUse: true }]);
    expect(numLoaded).toBe(0); // not before it is needed
    expect(sourcesOf(await find(client))).toEqual(byReranker);
    await find(client);
    expect(numLoaded).toBe(1);
    expect((await client.describeMachine({})).reranker).toBe('Tiny Reranker');
  });

  it('gives scores that an explained search shows beside the others', async () => {
    const { client } = await open();
    const { passages, explanation } = await find(client);
    expect(explanation).toMatchObject({
      query: 'pump',
      embedder: null,
      reranking: { type: 'done', model: 'Tiny Reranker', numScored: 3 },
    });
    const { candidates } = explanation!;
    expect(candidates.map(({ passageId }) => passageId)).toEqual(passages.map(({ passageId }) => passageId));
    const scores = candidates.map(({ rerankScore }) => rerankScore!);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(new Set(scores).size).toBe(3);
    // The first order is still there: by words, the other way round.
    expect(candidates.map(({ score }) => score)).toEqual(candidates.map(({ score }) => score).sort((a, b) => a - b));
    expect((await find(client, false)).explanation).toBeNull();
  });

  it('orders the sources of an answer', async () => {
    const { client } = await open();
    const events = await all(client.ask({ question: 'pump', chatId: null }));
    const sources = events.find((event) => event.type === 'sources')!;
    expect(sourcesOf(sources)).toEqual(byReranker);
  });

  it('is set aside and taken up again, also over a restart', async () => {
    const first = await open();
    expect(sourcesOf(await find(first.client))).toEqual(byReranker);
    await first.client.useModel({ modelId: id, inUse: false });
    expect((await first.client.listModels({})).models).toMatchObject([{ state: 'installed', inUse: false }]);
    const without = await find(first.client);
    expect(sourcesOf(without)).toEqual(byWords);
    expect(without.explanation!.reranking).toEqual({ type: 'none' });
    await first.app.close();
    const second = await scene.open({ kit });
    expect(sourcesOf(await find(second.client))).toEqual(byWords);
    await second.client.useModel({ modelId: id });
    expect(sourcesOf(await find(second.client))).toEqual(byReranker);
    await second.client.removeModel({ modelId: id });
    expect(sourcesOf(await find(second.client))).toEqual(byWords);
  });

  it('whose engine dies costs one search its order', async () => {
    const { client } = await open();
    rerank = async () => {
      rerank = (engine, ...given) => engine.rerank(...given);
      throw new NativeError('engine-died', 'The engine ended.');
    };
    const broken = await find(client);
    expect(sourcesOf(broken)).toEqual(byWords);
    expect(broken.explanation!.reranking).toMatchObject({ type: 'given-up', why: 'failed' });
    expect(sourcesOf(await find(client))).toEqual(byReranker);
    expect(numLoaded).toBe(2);
  });

  it('that hangs does not hold who leaves', async () => {
    const { client } = await open();
    const asked = Promise.withResolvers<void>();
    rerank = () => {
      asked.resolve();
      return new Promise(() => {});
    };
    const controller = new AbortController();
    const searching = client.search({ question: 'pump', limit: 3 }, controller.signal);
    await asked.promise;
    controller.abort();
    await expect(searching).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('that is damaged is named, and the search goes on', async () => {
    const { client } = await open();
    const plan = join(scene.outside.modelsFolder, id, 'plan.quoth');
    const bytes = await readFile(plan);
    bytes.fill(0, 0, 64);
    await writeFile(plan, bytes);
    expect(sourcesOf(await find(client))).toEqual(byWords);
    expect((await client.listModels({})).models).toMatchObject([{ state: 'broken' }]);
    await installed(client, id);
    expect(sourcesOf(await find(client))).toEqual(byReranker);
  });
});

it('only a reranker can be set aside', async () => {
  const offers = kit.offers.map((offer) => ({ ...offer, role: 'chat' as const }));
  const { client } = await scene.open({ kit: { ...kit, offers } });
  const refused = client.useModel({ modelId: id, inUse: false });
  await expect(refused).rejects.toMatchObject({ code: 'unsupported' });
});
