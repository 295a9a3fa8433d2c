import { describe, expect, test } from 'vitest';
import { graphOf } from '../../engines/build/build.ts';
import { randomCheckpoint } from '../../engines/build/random-plan.ts';
import { widthsOf } from '../../engines/catalogue/sizes.ts';
import { catalogue, defaultEmbedder, type Fit, findModel, fitModel } from '../../engines/catalogue.ts';
import { compile } from '../../engines/graph/passes/passes.ts';

const gib = 2 ** 30;
const embedder = findModel(defaultEmbedder)!;
const cards = [6, 8, 10, 12, 16, 24];
const memory = { totalBytes: 16 * gib };

function onCard(id: string, cardGib: number): Fit {
  return fitModel(findModel(id)!, { gpu: { totalBytes: cardGib * gib }, memory }, { beside: [embedder] });
}
const inShort = ({ verdict, device, contextTokens, kvType }: Fit): string =>
  verdict === 'too-large' ? verdict : `${verdict} ${device} ${contextTokens} ${kvType}`;

describe('Whether a model fits', () => {
  // Cards of 6 to 24 GiB with a desktop on them, 16 GiB of memory, the embedder beside.
  test.each([
    ['tinyllama-1.1b-chat', ...cards.map(() => 'fits cuda 2048 f16')],
    ['mistral-7b-instruct-v0.2-awq', 'fits cuda 8192 i8', ...[8, 10, 12, 16, 24].map(() => 'fits cuda 8192 f16')],
    [
      'llama-2-13b-chat-awq',
      'slow cpu 4096 f16',
      'slow cpu 4096 f16',
      'fits cuda 4096 i8',
      ...[12, 16, 24].map(() => 'fits cuda 4096 f16'),
    ],
    [
      'qwen2.5-14b-instruct',
      ...[6, 8, 10].map(() => 'slow cpu 8192 f16'),
      'fits cuda 8192 i8',
      'fits cuda 8192 f16',
      'fits cuda 8192 f16',
    ],
  ])('%s on cards of 6, 8, 10, 12, 16 and 24 GiB', (id, ...expected) => {
    expect(cards.map((card) => inShort(onCard(id, card)))).toEqual(expected);
  });

  test('a larger card never takes less', () => {
    const rank = ({ verdict, contextTokens, kvType }: Fit): number =>
      ['too-large', 'slow', 'fits'].indexOf(verdict) * 1e6 + contextTokens * 10 + (kvType === 'f16' ? 1 : 0);
    for (const { id } of catalogue) {
      const ranks = cards.map((card) => rank(onCard(id, card)));
      expect(ranks, id).toEqual(ranks.toSorted((a, b) => a - b));
    }
  });

  test('says what is needed for what, and what is free', () => {
    const fit = fitModel(
      findModel('mistral-7b-instruct-v0.2-awq')!,
      { gpu: { totalBytes: 8 * gib, freeBytes: 7.2e9 }, memory },
      { beside: [embedder] },
    );
    expect(fit.sentence).toBe(
      'Mistral 7B Instruct v0.2 (AWQ): 4.0 GB + 1.1 GB for 8,192 tokens of context + 0.3 GB working memory + 0.2 GB for search; 7.2 GB are free on the GPU.',
    );
    expect(fit.neededBytes).toBe(fit.weightBytes + fit.contextBytes + fit.workingBytes + fit.besideBytes);
    expect(fit.neededBytes).toBeLessThan(fit.freeBytes);
    expect(fit.contextBytes).toBe(8192 * 131_072);
  });

  test('where there is no room anywhere, says how much is missing', () => {
    const small = { gpu: { totalBytes: 6 * gib }, memory: { totalBytes: 8 * gib, freeBytes: 3e9 } };
    const fit = fitModel(findModel('qwen2.5-14b-instruct')!, small);
    expect(fit.verdict).toBe('too-large');
    expect(fit.neededBytes).toBeGreaterThan(fit.freeBytes);
    expect(fit.sentence).toMatch(/^Qwen 2\.5 14B Instruct: .* = 1\d\.\d GB, and \d\.\d GB are free on the GPU\.$/);
  });

  test('on a processor, by how fast its memory lets it write', () => {
    const mistral = findModel('mistral-7b-instruct-v0.2-awq')!;
    const on = (memoryBytesPerSecond: number) =>
      fitModel(mistral, { gpu: null, memory: { totalBytes: 32 * gib }, memoryBytesPerSecond });
    expect(on(40e9)).toMatchObject({ verdict: 'slow', device: 'cpu', kvType: 'f16' });
    expect(on(40e9).sentence).toContain('about 10 tokens a second');
    expect(on(90e9)).toMatchObject({ verdict: 'fits', device: 'cpu' });
    expect(fitModel(embedder, { gpu: null, memory })).toMatchObject({ verdict: 'fits', contextTokens: 0 });
  });

  test('what is short by a byte does not fit', () => {
    const mistral = findModel('mistral-7b-instruct-v0.2-awq')!;
    const at = (freeBytes: number) =>
      fitModel(mistral, { gpu: { totalBytes: 8 * gib, freeBytes }, memory: { totalBytes: 0, freeBytes: 0 } });
    const { neededBytes } = at(8e9);
    expect(at(neededBytes + 256 * 2 ** 20)).toMatchObject({ verdict: 'fits', kvType: 'f16', contextTokens: 8192 });
    expect(at(neededBytes + 256 * 2 ** 20 - 1)).toMatchObject({ verdict: 'fits', kvType: 'i8', contextTokens: 8192 });
    expect(at(4.4e9)).toMatchObject({ verdict: 'too-large', contextTokens: 1024, kvType: 'i8' });
  });

  test('counts at least the rows that the compiled program of each shape has', () => {
    for (const { id, shape, role } of catalogue) {
      const key = 'num_hidden_layers';
      const graph = graphOf(randomCheckpoint({ config: shape, name: id, layers: Math.min(2, Number(shape[key])) }));
      const { peakFloatsPerToken } = compile(graph);
      const { hidden, vocabulary } = widthsOf(shape);
      const fit = fitModel(findModel(id)!, { gpu: null, memory: { totalBytes: 64 * gib } });
      const rows = role === 'chat' ? 256 : 512;
      const outputs = role === 'chat' ? 4 * 64 * (vocabulary + hidden) : 0;
      const counted = (fit.workingBytes - outputs) / 4 / rows;
      expect(counted, id).toBeGreaterThanOrEqual(peakFloatsPerToken);
      expect(counted, id).toBeLessThan(1.75 * peakFloatsPerToken);
    }
  });
});
