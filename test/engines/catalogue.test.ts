import { describe, expect, test } from 'vitest';
import { catalogue, defaultChatModel, defaultEmbedder, findModel } from '../../engines/catalogue.ts';

describe('The catalogue', () => {
  test('has the two models that every machine with npm can have, with all their hashes', () => {
    for (const id of [defaultChatModel, defaultEmbedder]) {
      const entry = findModel(id)!;
      for (const file of entry.files) {
        expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(file.sizeBytes).toBeGreaterThan(0);
        expect(file.source.type).toBe('package');
        if (file.source.type !== 'package') continue;
        for (const { archive } of file.source.parts) {
          expect(Buffer.from(archive.integrity.replace('sha512-', ''), 'base64')).toHaveLength(64);
        }
      }
    }
    expect(findModel(defaultChatModel)!.role).toBe('chat');
    expect(findModel(defaultEmbedder)!.role).toBe('embedder');
  });

  test('names each model once, with a licence, sizes and an https address', () => {
    expect(new Set(catalogue.map(({ id }) => id)).size).toBe(catalogue.length);
    for (const { licence, downloadBytes, planBytes, files } of catalogue) {
      expect(licence).not.toBe('');
      expect(Math.min(downloadBytes, planBytes)).toBeGreaterThan(1_000_000);
      for (const { name, source } of files) {
        expect(name).toMatch(/^[\w.-]+$/);
        if (source.type === 'address') expect(new URL(source.url).protocol).toBe('https:');
      }
    }
  });

  test('says of every file without a hash that it is not verified', () => {
    for (const { files, note } of catalogue) {
      if (files.some(({ sha256 }) => sha256 === null)) expect(note).toMatch(/No hash is known/);
    }
  });

  test('knows no model that it does not have', () => {
    expect(findModel('gpt-7')).toBeNull();
  });
});
