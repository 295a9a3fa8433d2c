import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { windowLanguages } from '../../app/contract/types.ts';
import { catalogue } from '../../engines/catalogue.ts';
import { systemLanguage } from '../../renderer/common/text/text.ts';

const folder = new URL('../../renderer/common/text/', import.meta.url);
const textsOf = (language: string) => flatten(JSON.parse(readFileSync(new URL(`${language}.json`, folder), 'utf8')));

/** `{ a: { b: 'x' } }` → `a.b` to `x`. */
function flatten(node: object, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(node).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null
        ? [...flatten(value, `${prefix}${key}.`)]
        : [[`${prefix}${key}`, String(value)] as const],
    ),
  );
}

const plural = /_(zero|one|two|few|many|other)$/;
const holesOf = (text: string) => [...text.matchAll(/\{\{(\w+)/g)].map(([, name]) => name).sort();

describe('The texts of the window', () => {
  const english = textsOf('en');
  const wantedOf = (language: string): string[] => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    const keys = [...english.keys()].flatMap((key) =>
      plural.test(key) ? forms.map((form) => key.replace(plural, `_${form}`)) : [key],
    );
    return [...new Set(keys)].sort();
  };

  it('are there in every language that can be chosen, and in no other', () => {
    expect(
      readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .sort(),
    ).toEqual(windowLanguages.map((language) => `${language}.json`).sort());
  });

  describe.each(windowLanguages)('in %s', (language) => {
    const texts = textsOf(language);

    it('lack none, have none too many, and have every form of number that the language knows', () => {
      expect([...texts.keys()].sort()).toEqual(wantedOf(language));
    });

    it('have words, with the same values to fill in as in English', () => {
      for (const [key, text] of texts) {
        expect(text.trim(), key).not.toBe('');
        const model = english.get(key) ?? english.get(key.replace(plural, '_other')) ?? '';
        expect(holesOf(text), key).toEqual(holesOf(model));
      }
    });
  });

  it('are translated: what stays as in English is short, or a name', () => {
    for (const language of windowLanguages.filter((other) => other !== 'en')) {
      const words = (text: string) => text.replaceAll(/\{\{[^}]*\}\}/g, '').trim();
      const same = [...textsOf(language)].filter(([key, text]) => text === english.get(key) && words(text).length > 20);
      expect(same, language).toEqual([]);
    }
  });

  it('keep French marks with the word before them, and quotes with the word within', () => {
    for (const [key, text] of textsOf('fr')) expect(text, key).not.toMatch(/\S [:;?!»]|« /);
  });

  it('come in the first of the person’s languages that is there', () => {
    expect(systemLanguage(['de-DE', 'fr-CA', 'en'])).toBe('fr');
    expect(systemLanguage(['zh-TW'])).toBe('zh');
    expect(systemLanguage(['pt', 'sw'])).toBe('en');
    expect(systemLanguage([])).toBe('en');
  });
});

describe('The notes of the catalogue', () => {
  it('are all in the texts, in English as the catalogue has them', () => {
    const english = textsOf('en');
    const suffix = ` ${english.get('models.unverified')}`;
    for (const { id, note } of catalogue)
      expect(english.get(`models.notes.${id.replaceAll('.', '_')}`), id).toBe(note.replace(suffix, ''));
  });
});

describe('The words in the code', () => {
  it('are all in the texts', () => {
    const english = textsOf('en');
    const known = (key: string) =>
      english.has(key) || english.has(`${key}_other`) || [...english.keys()].some((name) => name.startsWith(`${key}.`));
    const missing: string[] = [];
    const renderer = new URL('../../renderer/', import.meta.url);
    for (const name of readdirSync(renderer, { recursive: true, encoding: 'utf8' })) {
      if (!/\.tsx?$/.test(name)) continue;
      const source = readFileSync(new URL(name.replaceAll('\\', '/'), renderer), 'utf8');
      for (const [, key = ''] of source.matchAll(/\b(?:t|text)\(\s*'([\w.-]+)'/g))
        if (!known(key)) missing.push(`${name}: ${key}`);
    }
    expect(missing).toEqual([]);
  });
});
