/** Vectors for other programs, with the official client; the embedder is a fake of two numbers a text. */
import OpenAI, { BadRequestError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Programs } from '../../../app/programs/programs.ts';
import { type LocalApiServer, startLocalApi } from '../../../main/local-api/server.ts';

const vectorOf = (text: string): [number, number] => [text.length / 10, -1 / 3];
const asked: { texts: readonly string[]; as: string }[] = [];
const programs = {
  inUse: async () => ({ chat: null, embedder: { id: 'small', name: 'Small' } }),
  async embed(texts: readonly string[], as: 'passage' | 'query') {
    asked.push({ texts, as });
    const vectors = Float32Array.from(texts.flatMap(vectorOf));
    return { model: 'small', vectors, dimension: 2, numTokens: texts.join(' ').split(' ').length };
  },
} as unknown as Programs;

describe('embeddings', () => {
  let server: LocalApiServer;
  let openai: OpenAI;
  beforeAll(async () => {
    const app = { programs } as Parameters<typeof startLocalApi>[0]['app'];
    const accepts = (key: string): boolean => key === 'k';
    server = await startLocalApi({ app, port: 0, accepts, version: '0', nowMs: Date.now, log: () => {} });
    openai = new OpenAI({ baseURL: `http://127.0.0.1:${server.port}/v1`, apiKey: 'k', maxRetries: 0 });
  });
  afterAll(() => server?.close());

  it('are listed with the library, which needs no chat model', async () => {
    const ids: string[] = [];
    for await (const { id } of openai.models.list()) ids.push(id);
    expect(ids).toEqual(['small', 'quoth-library']);
  });

  it('come as numbers and as base64, the same to the last bit, in the order of the texts', async () => {
    const input = ['one', 'three words here'];
    const numbers = await openai.embeddings.create({ model: 'small', input, encoding_format: 'float' });
    // Asked for nothing, the client wants base64 and takes it apart.
    const packed = await openai.embeddings.create({ model: 'small', input });
    const expected = input.map((text) => [...Float32Array.from(vectorOf(text))]);
    expect(numbers.data.map(({ embedding }) => embedding)).toEqual(expected);
    expect(packed.data.map(({ embedding }) => [...embedding])).toEqual(expected);
    expect(numbers.data.map(({ index }) => index)).toEqual([0, 1]);
    expect(numbers).toMatchObject({ object: 'list', model: 'small', usage: { prompt_tokens: 4, total_tokens: 4 } });
  });

  it('tell questions from passages where they are asked to', async () => {
    await openai.embeddings.create({ model: 'small', input: 'one' });
    await openai.embeddings.create({ model: 'small', input: 'one', ...{ input_type: 'query' } });
    expect(asked.slice(-2).map(({ as }) => as)).toEqual(['passage', 'query']);
  });

  it.each([
    ['nothing', []],
    ['an empty text', ['']],
    ['tokens', [1, 2, 3]],
    ['too many', Array(2049).fill('x')],
  ])('of %s are refused', async (_name, input) => {
    const failed = openai.embeddings.create({ model: 'small', input: input as string[] });
    await expect(failed).rejects.toBeInstanceOf(BadRequestError);
  });

  it('of another length than the model has are refused', async () => {
    const failed = openai.embeddings.create({ model: 'small', input: 'x', dimensions: 3 });
    await expect(failed).rejects.toMatchObject({ status: 400, param: 'dimensions' });
  });
});
