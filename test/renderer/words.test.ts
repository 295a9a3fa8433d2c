import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAddress, videoAddressAt } from '../../renderer/common/address.ts';
import { formatBytes, formatClock, formatDuration, formatPlace } from '../../renderer/common/format.ts';
import english from '../../renderer/common/text/en.json' with { type: 'json' };
import { startTexts } from '../../renderer/common/text/text.ts';

const renderer = join(import.meta.dirname, '..', '..', 'renderer');

function keysOf(texts: object, before = ''): string[] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null ? keysOf(value, `${before}${key}.`) : [`${before}${key}`],
  );
}

describe('the texts', () => {
  const sources = readdirSync(renderer, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => readFileSync(join(renderer, name), 'utf8'))
    .join('\n');
  const keys = keysOf(english).map((key) => key.replace(/_(one|other)$/, ''));

  it('hold every key that the window asks for', () => {
    const asked = [...sources.matchAll(/\b(?:t|text)\(\s*'([\w.-]+)'/g)].map((match) => match[1]);
    expect(asked.length).toBeGreaterThan(60);
    expect(asked.filter((key) => key !== undefined && !keys.includes(key))).toEqual([]);
  });

  it('hold no key that nothing asks for', () => {
    const families = [...sources.matchAll(/\b(?:t|text)\(\s*`([\w.-]+)\$\{/g)].map((match) => match[1] ?? '');
    expect(families.length).toBeGreaterThan(3);
    const unused = keys.filter((key) => !sources.includes(`'${key}'`) && !families.some((one) => key.startsWith(one)));
    expect(unused).toEqual([]);
  });
});

describe('an address', () => {
  it('is http or https and nothing else', () => {
    expect(parseAddress('  https://example.org/a b')).toBe(null);
    expect(parseAddress(' https://example.org/a ')?.href).toBe('https://example.org/a');
    for (const text of ['javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x', 'example.org', '', 'https://'])
      expect(parseAddress(text), text).toBe(null);
    expect(parseAddress('https://b\u0430nk.example/')?.host).toMatch(/^xn--/); // a Cyrillic a
  });

  it('of a video leads to its second, and of another site nowhere', () => {
    const wanted = 'https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=272s';
    for (const address of [
      'https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1',
      'https://youtu.be/dQw4w9WgXcQ?si=x',
      'https://m.youtube.com/shorts/dQw4w9WgXcQ',
      'https://www.youtube.com/live/dQw4w9WgXcQ',
    ])
      expect(videoAddressAt(address, 272.9), address).toBe(wanted);
    for (const address of ['https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ', 'https://youtu.be/', 'talk.mp4'])
      expect(videoAddressAt(address, 1), address).toBe(null);
  });
});

describe('figures', () => {
  beforeAll(startTexts);

  it('are written for people', () => {
    expect([0, 999, 1000, 46_000_000, 322_000_000, 999_960, 4.9e9].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '46.0 MB',
      '322 MB',
      '1.0 MB',
      '4.9 GB',
    ]);
    expect([0, 272, 3872].map(formatClock)).toEqual(['0:00', '4:32', '1:04:32']);
    expect([12.4, 3200, 23_000, 180_000].map(formatDuration)).toEqual(['12 ms', '3.2 s', '23 s', '3 min']);
    expect(formatPlace({ page: 4, paragraph: null, startSeconds: null, label: null })).toBe('p. 4');
    expect(formatPlace({ page: null, paragraph: null, startSeconds: null, label: null })).toBe('');
    expect(formatPlace({ page: 3, paragraph: null, startSeconds: null, label: 'Slide 3' })).toBe('Slide 3');
    expect(formatPlace({ page: 4, paragraph: null, startSeconds: null, label: 'a.pdf' })).toBe('a.pdf, p. 4');
    expect(formatPlace({ page: null, paragraph: 9, startSeconds: null, label: 'Sheet Budget A2:F40' })).toBe(
      'Sheet Budget A2:F40',
    );
    expect(formatPlace({ page: null, paragraph: null, startSeconds: 61, label: 'a.srt' })).toBe('a.srt, 1:01');
  });
});
