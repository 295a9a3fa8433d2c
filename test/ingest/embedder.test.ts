import { describe, expect, test } from 'vitest';
import { createEmbedder } from '../../ingest/embedder.ts';
import type { Engine } from '../../native/index.ts';

const contextTokens = 12;

/** An engine that keeps what it is asked, and a tokenizer of one id a character. */
function scene(prompts?: { query: string; passage: string }) {
  const asked: number[][] = [];
  const engine = {
    info: { embeddingSize: 2, contextTokens },
    embed: async (sequences: Int32Array[]) => {
      asked.push(...sequences.map((ids) => [...ids]));
      return new Float32Array(2 * sequences.length).fill(asked.length);
    },
  } as unknown as Engine;
  const encode = (text: string): number[] => [...text].map((character) => character.codePointAt(0)!);
  const embedder = createEmbedder(engine, { encode, prefixIds: [1], suffixIds: [2] }, 'm', prompts);
  return { embedder, asked, textsOf: () => asked.map((ids) => String.fromCodePoint(...ids.slice(1, -1))) };
}

describe('an embedder', () => {
  test('puts before a passage and a question what its model was taught', async () => {
    const { embedder, textsOf } = scene({ query: 'q: ', passage: 'p: ' });
    await embedder.embed(['abc']);
    await embedder.embed(['abc'], undefined, 'query');
    await embedder.embed(['de', ''], undefined, 'passage');
    expect(textsOf()).toEqual(['p: abc', 'q: abc', 'p: de', 'p: ']);
  });

  test('puts nothing there where the model was taught nothing', async () => {
    const { embedder, textsOf } = scene();
    await embedder.embed(['abc'], undefined, 'query');
    await embedder.embed(['abc']);
    expect(textsOf()).toEqual(['abc', 'abc']);
  });

  test('cuts what is too long at the end, prompt and special ids included', async () => {
    const { embedder, asked } = scene({ query: '', passage: 'p: ' });
    await embedder.embed(['0123456789abcdef']);
    expect(asked).toEqual([[1, ...[...'p: 0123456'].map((character) => character.codePointAt(0)!), 2]]);
    expect(asked[0]).toHaveLength(contextTokens);
  });

  test('leaves the chunks so much less room as its prompt takes', () => {
    expect(scene().embedder.maxTokens).toBe(contextTokens);
    expect(scene({ query: 'a long one: ', passage: 'p: ' }).embedder.maxTokens).toBe(contextTokens - 3);
  });
});
