import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPlan, openCheckpoint } from '../../engines/build/build.ts';
import type { Checkpoint } from '../../engines/build/checkpoint.ts';
import { buildRandomPlan } from '../../engines/build/random-plan.ts';
import { readPlanHeader } from '../../engines/plan/format.ts';
import { openNative } from '../native/native.ts';
import { withFolder } from './checkpoints.ts';
import { type ReferenceCase, readReference, withEngine, writeHubFolder } from './reference/reference.ts';

/** A small checkpoint of a case's class, with other files or another config. */
async function withCheckpoint<Result>(
  name: string,
  changes: { files?: Record<string, unknown>; config?: Record<string, unknown> },
  body: (checkpoint: Checkpoint, folder: string) => Promise<Result>,
): Promise<Result> {
  return withFolder(async (parent) => {
    const reference: ReferenceCase = { ...readReference(name), files: changes.files };
    const config = { ...reference.configs[0], ...changes.config };
    const folder = await writeHubFolder(reference, join(parent, 'model'), config);
    const checkpoint = await openCheckpoint(folder);
    try {
      return await body(checkpoint, folder);
    } finally {
      await checkpoint.close();
    }
  });
}

const refusal = async (name: string, changes: Parameters<typeof withCheckpoint>[1]): Promise<string> =>
  withCheckpoint(name, changes, async (checkpoint) => {
    checkpoint.model.build(new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor])));
    return 'it was read';
  }).catch((error: Error & { code?: string }) => `${error.code}: ${error.message}`);

const promptFile = (json: unknown) => ({ 'config_sentence_transformers.json': json });
const e5 = { query: 'query: ', passage: 'passage: ' };

describe('An embedder’s files', () => {
  test.each([
    ['nothing', {}, 48],
    ['sentence_bert_config.json', { 'sentence_bert_config.json': { max_seq_length: 32, do_lower_case: false } }, 32],
    ['a null there', { 'sentence_bert_config.json': { max_seq_length: null } }, 48],
    ['the tokenizer, since version 6', { 'tokenizer_config.json': { model_max_length: 24 } }, 24],
    ['a tokenizer without end', { 'tokenizer_config.json': { model_max_length: 1e30 } }, 48],
    ['more than there are positions', { 'sentence_bert_config.json': { max_seq_length: 4096 } }, 48],
  ])('say how long a text may be: %s', async (_, files, expected) => {
    const found = await withCheckpoint('bert-mean', { files }, async ({ model }) => model.contextTokens);
    expect(found).toBe(expected);
  });

  test('leave RoBERTa two positions fewer than its table has', async () => {
    const found = await withCheckpoint('roberta-mean', {}, async ({ model }) => model.contextTokens);
    expect(found).toBe(46);
  });

  test.each([
    ['no prompts', {}, null],
    ['empty ones', promptFile({ prompts: { query: '', document: '' } }), null],
    ['for a query and a passage', promptFile({ prompts: { query: 'query: ', passage: 'passage: ' } }), e5],
    [
      'for a document before a passage',
      promptFile({ prompts: { query: 'q ', passage: 'p ', document: 'd ' } }),
      { query: 'q ', passage: 'd ' },
    ],
    [
      'for a query alone',
      promptFile({ prompts: { query: 'Represent this: ' }, default_prompt_name: null }),
      { query: 'Represent this: ', passage: '' },
    ],
    [
      'a usual one for both',
      promptFile({ prompts: { any: 'text: ' }, default_prompt_name: 'any' }),
      { query: 'text: ', passage: 'text: ' },
    ],
  ])('say what goes before a text: %s', async (_, files, expected) => {
    expect(await withCheckpoint('bert-mean', { files }, async ({ prompts }) => prompts)).toEqual(expected);
  });

  test('put prompts into the plan, and the build’s own instead', () =>
    withCheckpoint('bert-mean', { files: promptFile({ prompts: e5 }) }, async (_, folder) => {
      const { builder } = await openNative();
      await buildPlan({ checkpoint: folder, out: `${folder}.plan`, builder });
      expect((await readPlanHeader(`${folder}.plan`)).prompts).toEqual(e5);
      const prompts = { query: 'ask: ', passage: '' };
      await buildPlan({ checkpoint: folder, out: `${folder}.plan`, builder, prompts });
      expect((await readPlanHeader(`${folder}.plan`)).prompts).toEqual(prompts);
    }));

  const pooled = (json: unknown) => ({ files: { '1_Pooling/config.json': json } });
  const modules = (...types: string[]) =>
    types.map((type, idx) => ({ idx, path: type === 'Pooling' ? '1_Pooling' : '', type: `models.${type}` }));
  test.each([
    ['the largest of the rows', pooled({ pooling_mode_max_tokens: true }), 'unsupported-model: .*"max"'],
    [
      'mean and first row together',
      pooled({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: true }),
      'unsupported-model: .*"cls \\+ mean"',
    ],
    ['the last row', pooled({ pooling_mode: 'lasttoken' }), 'unsupported-model: .*"lasttoken"'],
    ['vectors without their prompt', pooled({ pooling_mode: 'mean', include_prompt: false }), 'unsupported-model'],
    [
      'a layer after the pooling',
      { files: { 'modules.json': modules('Transformer', 'Pooling', 'Dense', 'Normalize') } },
      'unsupported-model: .*"Dense"',
    ],
    [
      'vectors whose length counts',
      { files: { 'modules.json': modules('Transformer', 'Pooling'), ...promptFile({ similarity_fn_name: 'dot' }) } },
      'unsupported-model: .*lengths',
    ],
    [
      'a pooling folder outside',
      { files: { 'modules.json': [{ path: '../1_Pooling', type: 'models.Pooling' }] } },
      'invalid-checkpoint: modules.json is damaged: .*outside',
    ],
    ['modules that are none', { files: { 'modules.json': { a: 1 } } }, 'invalid-checkpoint: modules.json'],
    ['prompts that are none', { files: promptFile({ prompts: { query: 7 } }) }, 'invalid-checkpoint: .*prompt query'],
    ['prompts in a list', { files: promptFile({ prompts: ['query: '] }) }, 'invalid-checkpoint: .*prompts'],
    [
      'relative positions',
      { config: { position_embedding_type: 'relative_key' } },
      'unsupported-model: .*relative_key',
    ],
    ['an unknown activation', { config: { hidden_act: 'mish' } }, 'unsupported-model: .*mish'],
    ['a decoder', { config: { is_decoder: true } }, 'unsupported-model'],
    ['heads that do not fit', { config: { num_attention_heads: 5 } }, 'unsupported-model: .*5 heads'],
    ['MPNet', { config: { model_type: 'mpnet' } }, 'unsupported-model: .*mpnet'],
    [
      'three labels',
      { config: { architectures: ['BertForSequenceClassification'], id2label: { 0: 'a', 1: 'b', 2: 'c' } } },
      'unsupported-model: .*3 labels',
    ],
    [
      'the usual two labels',
      { config: { architectures: ['BertForSequenceClassification'] } },
      'unsupported-model: .*2 labels',
    ],
    [
      'spans of answers',
      { config: { architectures: ['BertForQuestionAnswering'] } },
      'unsupported-model: .*BertForQuestionAnswering',
    ],
    [
      'a score without its head',
      { config: { architectures: ['BertForSequenceClassification'], id2label: { 0: 'a' } } },
      'invalid-checkpoint: .*no tensor classifier.weight',
    ],
  ] as [string, Parameters<typeof withCheckpoint>[1], string][])('are refused for %s', async (_, changes, expected) => {
    expect(await refusal('bert-mean', changes)).toMatch(new RegExp(expected, 'u'));
  });

  test('with a padding id past the table of positions are refused', async () => {
    expect(await refusal('roberta-mean', { config: { pad_token_id: 48 } })).toMatch(
      /invalid-checkpoint: .*pad_token_id/,
    );
  });
});

describe('A cross-encoder', () => {
  test('is a reranker with the ids that stand around two texts', () =>
    withCheckpoint('bert-pairs', {}, async ({ model, pair, prompts }, folder) => {
      expect(model).toMatchObject({ role: 'reranker', embeddingSize: 0, kv: null });
      expect(pair).toEqual({ start: [1], between: [2], end: [2] });
      expect(prompts).toBeNull();
      const { builder } = await openNative();
      const header = await buildPlan({ checkpoint: folder, out: `${folder}.plan`, builder });
      expect(await readPlanHeader(`${folder}.plan`)).toEqual(header);
      expect(header).toMatchObject({ role: 'reranker', pair: { start: [1], between: [2], end: [2] } });
      const { buffers, output } = header.program;
      expect(buffers[output]).toEqual({ rows: 'sequences', width: 1 });
    }));

  test('tells the first text from the second', () =>
    withCheckpoint('bert-pairs', {}, async (_, folder) => {
      const ids = [Int32Array.of(1, 5, 6, 2, 7, 8, 2)];
      const scores = await withEngine(folder, {}, async (engine) =>
        Promise.all([0, 3, 4, 7].map(async (first) => (await engine.rerank(ids, Int32Array.of(first)))[0]!)),
      );
      expect(new Set(scores.map((score) => score.toFixed(4))).size).toBe(4);
    }));

  test.each(['bert-mean', 'xlm-roberta-first', 'distilbert-mean-relu', 'bert-pairs', 'xlm-roberta-pairs'])(
    'or an embedder can be made up in its true shape: %s',
    (name) =>
      withFolder(async (folder) => {
        const { configs, kind } = readReference(name);
        const out = join(folder, 'random.plan');
        const header = await buildRandomPlan({ config: configs[0], name, out });
        expect(header.role).toBe(kind === 'score' ? 'reranker' : 'embedder');
        const engine = await (await openNative()).loadEngine({ plan: out, device: 'cpu', numThreads: 1 });
        const ids = [Int32Array.of(1, 5, 6, 2, 7, 2), Int32Array.of(1, 9, 2, 8, 2)];
        const found = kind === 'score' ? await engine.rerank(ids, Int32Array.of(4, 3)) : await engine.embed(ids);
        await engine.close();
        expect(found.every(Number.isFinite)).toBe(true);
        expect(new Set(found).size).toBeGreaterThan(1);
      }),
  );

  test('whose tokenizer cannot put two texts together is refused', async () => {
    const tokenizer = {
      normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: false },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      model: { type: 'WordPiece', unk_token: '[UNK]', vocab: { '[UNK]': 0 } },
    };
    await withCheckpoint('bert-pairs', { files: { 'tokenizer.json': tokenizer } }, async (_, folder) => {
      const { builder } = await openNative();
      const built = buildPlan({ checkpoint: folder, out: `${folder}.plan`, builder });
      await expect(built).rejects.toThrow(/how two texts are put together/);
    });
  });
});
