import { describe, expect, test } from 'vitest';
import { noFacts } from '../../engines/architectures/architecture.ts';
import { architectures, readModel } from '../../engines/architectures/index.ts';
import { builtInTemplates } from '../../engines/built-in-templates.ts';
import { awqCheckpointBytes, isEncoder, sizesOf } from '../../engines/catalogue/sizes.ts';
import {
  aboutBytesOf,
  catalogue,
  defaultChatModel,
  defaultEmbedder,
  deviceBytes,
  findModel,
} from '../../engines/catalogue.ts';

const idsOf = (role: string) => catalogue.filter((entry) => entry.role === role).map(({ id }) => id);

describe('The catalogue', () => {
  test('has the two models that every machine with npm can have, with all their hashes', () => {
    for (const id of [defaultChatModel, defaultEmbedder]) {
      const entry = findModel(id)!;
      for (const file of entry.files) {
        expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(file.sizeBytes).toBeGreaterThan(0);
        const [source] = file.sources;
        expect(source.type).toBe('package');
        if (source.type !== 'package') continue;
        for (const { archive } of source.parts) {
          expect(Buffer.from(archive.integrity.replace('sha512-', ''), 'base64')).toHaveLength(64);
        }
      }
    }
    expect(defaultChatModel).toBe('tinyllama-1.1b-chat');
    expect(defaultEmbedder).toBe('all-minilm-l6-v2');
    expect(idsOf('chat')[0]).toBe(defaultChatModel);
    expect(idsOf('embedder')[0]).toBe(defaultEmbedder);
  });

  test('has the families of models that were promised', () => {
    expect(idsOf('chat')).toEqual(
      expect.arrayContaining([
        'llama-2-13b-chat-awq',
        'mistral-7b-instruct-v0.2-awq',
        'mistral-7b-instruct-v0.3-awq',
        'llama-3.1-8b-instruct',
        'llama-3.2-1b-instruct',
        'llama-3.2-3b-instruct',
        ...['0.5b', '1.5b', '3b', '7b', '14b'].map((size) => `qwen2.5-${size}-instruct`),
        ...['0.6b', '1.7b', '4b', '8b'].map((size) => `qwen3-${size}`),
        'gemma-2-2b-it',
        'gemma-2-9b-it',
        'phi-3-mini-4k-instruct',
      ]),
    );
    expect(idsOf('embedder')).toEqual(
      expect.arrayContaining([
        'bge-small-en-v1.5',
        'bge-base-en-v1.5',
        'gte-small',
        'gte-base',
        'multilingual-e5-small',
        'multilingual-e5-base',
      ]),
    );
    expect(idsOf('reranker')).toEqual(['ms-marco-minilm-l6-v2', 'bge-reranker-base', 'bge-reranker-v2-m3']);
  });

  test('names each model once, with a licence and its link, sizes, languages and https addresses', () => {
    expect(new Set(catalogue.map(({ id }) => id)).size).toBe(catalogue.length);
    expect(new Set(catalogue.map(({ name }) => name)).size).toBe(catalogue.length);
    for (const entry of catalogue) {
      const { id, licence, licenceUrl, downloadBytes, planBytes, files, languages, contextTokens, checkpoint } = entry;
      expect(id).toMatch(/^[a-z0-9.-]+$/);
      expect(licence).not.toBe('');
      expect(new URL(licenceUrl).protocol).toBe('https:');
      expect(Math.min(downloadBytes, planBytes)).toBeGreaterThan(1_000_000);
      expect(languages.length).toBeGreaterThan(0);
      for (const language of languages) expect(Intl.getCanonicalLocales(language)).toHaveLength(1);
      expect(new Set(languages).size).toBe(languages.length);
      expect(contextTokens).toBeGreaterThanOrEqual(512);
      expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
      for (const { name, sources, sizeBytes, sha256 } of files) {
        expect(name).toMatch(/^(1_Pooling\/)?[\w.-]+$/);
        expect(sources.length).toBeGreaterThan(0);
        if (sha256 !== null) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
        if (sizeBytes !== null) expect(sizeBytes).toBeGreaterThan(0);
        for (const source of sources) {
          if (source.type !== 'address') continue;
          expect(source.url).toMatch(/^https:\/\/huggingface\.co\/[\w.-]+\/[\w.-]+\/resolve\/main\/[\w./-]+$/);
          expect(source.url.endsWith(`/${name}`)).toBe(true);
        }
      }
      if (checkpoint.type === 'file') expect(files.map(({ name }) => name)).toContain(checkpoint.name);
      else expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['config.json', 'tokenizer.json']));
    }
  });

  test('says of every file without a hash that it is not verified, and of no other', () => {
    for (const { id, files, note } of catalogue) {
      const isUnverified = files.some(({ sha256 }) => sha256 === null);
      expect(/No hash is known/.test(note), id).toBe(isUnverified);
    }
    const hashes = catalogue.flatMap(({ files }) =>
      files.flatMap(({ sha256, name }) => (sha256 === null ? [] : [`${name} ${sha256}`])),
    );
    // Only BGE's two share a file: their tokenizer.
    expect(hashes.length - new Set(hashes).size).toBe(1);
  });

  test('adds up: what is known of the files’ sizes is what has to be fetched', () => {
    for (const { id, files, downloadBytes } of catalogue) {
      const known = files.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
      // The archives of the built-in ones are a little smaller or larger than their files.
      expect(downloadBytes, id).toBeGreaterThan(0.9 * known);
      if (files.every(({ sizeBytes }) => sizeBytes !== null)) expect(downloadBytes / known, id).toBeLessThan(1.1);
    }
  });

  test('knows about how much each file is to fetch: together what the entry says', () => {
    for (const entry of catalogue) {
      const about = entry.files.map((file) => aboutBytesOf(entry, file));
      expect(Math.min(...about), entry.id).toBeGreaterThan(0);
      const sum = about.reduce((total, bytes) => total + bytes, 0);
      expect(sum / entry.downloadBytes, entry.id).toBeGreaterThan(0.9);
      expect(sum / entry.downloadBytes, entry.id).toBeLessThan(1.1);
    }
  });

  test('has the true shapes: their parameters are those that the makers count', () => {
    const published: Readonly<Record<string, number>> = {
      'tinyllama-1.1b-chat': 1_100_048_384,
      'llama-2-13b-chat-awq': 13_015_864_320,
      'mistral-7b-instruct-v0.2': 7_241_732_096,
      'mistral-7b-instruct-v0.3': 7_248_023_552,
      'llama-3.1-8b-instruct': 8_030_261_248,
      'llama-3.2-1b-instruct': 1_235_814_400,
      'llama-3.2-3b-instruct': 3_212_749_824,
      'qwen2.5-0.5b-instruct': 494_032_768,
      'qwen2.5-1.5b-instruct': 1_543_714_304,
      'qwen2.5-3b-instruct': 3_085_938_688,
      'qwen2.5-7b-instruct': 7_615_616_512,
      'qwen2.5-14b-instruct': 14_770_033_664,
      'qwen3-0.6b': 596_049_920,
      'qwen3-1.7b': 1_720_574_976,
      'qwen3-4b': 4_022_468_096,
      'qwen3-8b': 8_190_735_360,
      'gemma-2-2b-it': 2_614_341_888,
      'gemma-2-9b-it': 9_241_705_984,
      'phi-3-mini-4k-instruct': 3_821_079_552,
      'all-minilm-l6-v2': 22_713_216,
      'bge-small-en-v1.5': 33_360_000,
      'bge-base-en-v1.5': 109_482_240,
      'multilingual-e5-small': 117_653_760,
      'multilingual-e5-base': 278_043_648,
      'ms-marco-minilm-l6-v2': 22_713_601,
      'bge-reranker-base': 278_044_417,
      'bge-reranker-v2-m3': 567_755_777,
    };
    for (const [id, parameters] of Object.entries(published)) expect(findModel(id)!.parameters, id).toBe(parameters);
  });

  test('has shapes that the architectures read, as far as these are there, and that fit the entry', () => {
    let read = 0;
    for (const entry of catalogue) {
      const { id, role, shape, contextTokens, kvBytesPerThousandTokens, parameters, weights } = entry;
      expect(isEncoder(shape), id).toBe(role !== 'chat');
      expect(contextTokens, id).toBeLessThanOrEqual(Number(shape.max_position_embeddings));
      expect(kvBytesPerThousandTokens > 0, id).toBe(role === 'chat');
      expect(sizesOf(shape, weights).parameters, id).toBe(parameters);
      expect(structuredClone(shape)).toEqual(JSON.parse(JSON.stringify(shape)));
      const isRead = architectures.some(({ modelTypes }) => modelTypes.includes(shape.model_type));
      if (!isRead || role === 'reranker') continue;
      expect(() =>
        readModel(shape, `${id}/config.json`, { ...noFacts, pooling: 'pooling' in entry ? entry.pooling : null }),
      ).not.toThrow();
      read++;
    }
    expect(read).toBeGreaterThan(5);
  });

  test('reckons what a model takes: plans near the measured ones, AutoAWQ’s files near the published ones', () => {
    for (const id of [defaultChatModel, defaultEmbedder]) {
      const { shape, weights, planBytes } = findModel(id)!;
      expect(sizesOf(shape, weights).planBytes / planBytes, id).toBeGreaterThan(0.95);
      expect(sizesOf(shape, weights).planBytes / planBytes, id).toBeLessThan(1.05);
    }
    // 7.25 GB and 4.15 GB, say those who published them.
    expect(awqCheckpointBytes(findModel('llama-2-13b-chat-awq')!.shape) / 7.25e9).toBeCloseTo(1, 2);
    expect(awqCheckpointBytes(findModel('mistral-7b-instruct-v0.2-awq')!.shape) / 4.15e9).toBeCloseTo(1, 2);
    // Keys and values of Mistral 7B: 128 KiB a token; of Llama 2 13B: 800 KiB.
    expect(findModel('mistral-7b-instruct-v0.2')!.kvBytesPerThousandTokens).toBe(131_072_000);
    expect(findModel('llama-2-13b-chat-awq')!.kvBytesPerThousandTokens).toBe(819_200_000);
    const llama = findModel('llama-2-13b-chat-awq')!;
    expect(deviceBytes(llama, 4096)).toBe(llama.planBytes + 4096 * 819_200);
    expect(deviceBytes(findModel(defaultEmbedder)!, 4096)).toBe(findModel(defaultEmbedder)!.planBytes);
  });

  test('gives each chat model a template that there is, fit for its vocabulary', () => {
    const names = builtInTemplates.map(({ name }) => name);
    for (const entry of catalogue) if (entry.role === 'chat') expect(names).toContain(entry.template);
  });

  test('knows no model that it does not have', () => {
    expect(findModel('gpt-7')).toBeNull();
  });
});
