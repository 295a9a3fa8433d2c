import { describe, expect, test } from 'vitest';
import { defaultChatModel, defaultEmbedder } from '../../engines/catalogue.ts';
import { readPlanHeader, readPlanTokenizer, verifyPlan } from '../../engines/plan/format.ts';
import { renderChat } from '../../engines/templates.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';
import { generateAll, openNative } from '../native/native.ts';
import { installedPlan } from './checkpoints.ts';

const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };
const chat = installedPlan(defaultChatModel);
const embedder = installedPlan(defaultEmbedder);

describe.skipIf(chat === null)('The default chat model', () => {
  async function answer(question: string): Promise<string> {
    const header = await readPlanHeader(chat!);
    const tokenizer = loadTokenizer(await readPlanTokenizer(chat!, header));
    const prompt = renderChat({
      template: header.template,
      messages: [{ role: 'user', content: question }],
      startToken: tokenizer.pieceOf(header.startIds[0]!),
      endToken: tokenizer.pieceOf(header.stopIds[0]!),
    });
    const engine = await (await openNative()).loadEngine({ plan: chat!, kvTokens: 1024 });
    const ids = tokenizer.encodePieces(prompt);
    const stopIds = [...header.stopIds];
    const generated = await generateAll(engine, { ids, maxTokens: 48, stopIds, sampling: greedy, priority: 0 });
    await engine.close();
    return tokenizer.decode(generated.ids);
  }

  test('is whole, by the hash of every section', async () => {
    const header = await verifyPlan(chat!);
    expect(header).toMatchObject({ architecture: 'llama', role: 'chat', vocabularySize: 32000, contextTokens: 2048 });
    expect(header.template).toContain('<|assistant|>');
  });

  test('knows the capital of France', async () => {
    expect(await answer('What is the capital of France?')).toMatch(/France/);
    expect(await answer('What is the capital city of France? Name the city.')).toMatch(/Paris/);
  });

  test('finds a fact in a text', async () => {
    const text = 'The warranty of the pump lasts 14 months. The pump weighs 9 kilograms.';
    expect(await answer(`${text}\n\nHow many months does the warranty of the pump last?`)).toMatch(/14/);
  });

  test.each([
    ['The quick brown fox jumps over the lazy dog.', -4.0793],
    ['<|user|>\nWhat is the capital of France?</s>\n<|assistant|>\nThe capital of France is Paris.', -1.5888],
  ])(
    'gives %j the likelihood that the checkpoint’s own numbers give, in float32 by the formulas',
    async (text, mean) => {
      const header = await readPlanHeader(chat!);
      const tokenizer = loadTokenizer(await readPlanTokenizer(chat!, header));
      const engine = await (await openNative()).loadEngine({ plan: chat!, kvTokens: 1024 });
      const scores = await engine.score(tokenizer.encode(text, { parseSpecial: true }));
      await engine.close();
      const found = scores.slice(1).reduce((sum, score) => sum + score, 0) / (scores.length - 1);
      // The plan rounds scales to f16 and repacks what is in neither 4 nor 8 bits; the kernels add a thousandth.
      expect(Math.abs(found - mean)).toBeLessThan(0.02);
    },
  );
});

describe.skipIf(embedder === null)('The default embedder', () => {
  test('places sentences as its makers published', async () => {
    const header = await verifyPlan(embedder!);
    expect(header).toMatchObject({ architecture: 'bert', role: 'embedder', embeddingSize: 384, contextTokens: 512 });
    const tokenizer = loadTokenizer(await readPlanTokenizer(embedder!, header));
    const engine = await (await openNative()).loadEngine({ plan: embedder! });
    const sentences = [
      'The cat sits outside',
      'A man is playing guitar',
      'The new movie is awesome',
      'A woman watches TV',
      'The dog plays in the garden',
      'The new movie is so great',
    ];
    const vectors = await engine.embed(sentences.map((sentence) => tokenizer.encode(sentence)));
    await engine.close();
    const cosine = (a: number, b: number) => {
      let sum = 0;
      for (let i = 0; i < 384; i++) sum += vectors[384 * a + i]! * vectors[384 * b + i]!;
      return sum;
    };
    // From the documentation of Sentence Transformers, for the model in float32; 8-bit weights move them a little.
    const published: [number, number, number][] = [
      [2, 5, 0.8939],
      [0, 4, 0.2838],
      [1, 4, 0.2277],
      [1, 3, -0.0327],
      [0, 3, 0.131],
    ];
    for (const [a, b, value] of published) expect(Math.abs(cosine(a, b) - value)).toBeLessThan(0.012);
  });

  test('finds the sentence that answers a question', async () => {
    const header = await readPlanHeader(embedder!);
    const tokenizer = loadTokenizer(await readPlanTokenizer(embedder!, header));
    const engine = await (await openNative()).loadEngine({ plan: embedder! });
    const texts = [
      'How long does the warranty last?',
      'The guarantee covers 14 months.',
      'The pump weighs nine kilograms.',
    ];
    const vectors = await engine.embed(texts.map((text) => tokenizer.encode(text)));
    await engine.close();
    const near = (index: number) => {
      let sum = 0;
      for (let i = 0; i < 384; i++) sum += vectors[i]! * vectors[384 * index + i]!;
      return sum;
    };
    expect(near(1)).toBeGreaterThan(near(2) + 0.1);
  });
});
