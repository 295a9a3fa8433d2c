/** What a person finds who opens an exported chat in Word: read back with our own reader, and its parts looked at. */
import { strFromU8, unzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { exportChat } from '../../../app/chats/export/export-chat.ts';
import { type ChatToExport, englishWords } from '../../../app/chats/export/words.ts';
import type { ChatId, Citation } from '../../../app/contract/types.ts';
import { readDocx } from '../../../ingest/readers/docx.ts';
import { makeAnswer, makeCitation, makeDocument, makePassage, makeTurn } from '../../fakes/app-handlers.ts';
import { collectPayloads } from '../../fakes/payloads.ts';

const lease = makeDocument(1, { title: 'Lease', source: 'lease.docx', kind: 'docx' });
const film = makeDocument(2, {
  title: 'A film',
  source: 'https://www.youtube.com/watch?v=abcdefghijk',
  kind: 'youtube',
});
const citations: Citation[] = [
  makeCitation(1, makePassage(1, lease, '', { paragraph: 7 }), 'three months’\nnotice <b> & more'),
  makeCitation(2, makePassage(2, film, '', { startSeconds: 75.5 }), 'It ends [here].', false),
  { ...makeCitation(3, makePassage(3, lease, ''), ''), source: '', title: 'Removed document', verified: false },
];
const answer = [
  'With **notice** [1], says a film [2, 3], not [9].',
  '## By *year*',
  '| Year | Rent |\n|---|---|\n| 2023 | 1,200 [1] |\n| 2024 | `x \\| y` |',
  '1. first\n   - inner\n2. second\n\n7. other list',
  '> said so',
  '```js\nconst a = "<b>";\n  b();\n```',
  'See [the page](https://example.org/a?b=1&c=2), not [this](javascript:alert(1)).',
].join('\n\n');
const chat: ChatToExport = {
  chat: {
    id: `chat_${'1'.repeat(16)}` as ChatId,
    title: 'Ends: <how>?',
    numTurns: 2,
    updatedAtMs: Date.UTC(2026, 10, 20, 12),
  },
  turns: [makeTurn(1, 'How does it\n*end*?', makeAnswer(answer, citations)), makeTurn(2, 'Why?')],
  words: englishWords,
};

async function write(part: Partial<ChatToExport> = {}) {
  const file = await exportChat('docx', { ...chat, ...part });
  const bytes = new Uint8Array(Buffer.from(file.base64, 'base64'));
  const parts = Object.fromEntries(Object.entries(unzipSync(bytes)).map(([name, data]) => [name, strFromU8(data)]));
  return { ...file, bytes, parts, body: parts['word/document.xml'] ?? '' };
}

/** The words of each paragraph with its style. */
function paragraphsOf(body: string): { style: string; text: string }[] {
  return [...body.matchAll(/<w:p>(.*?)<\/w:p>|<w:p\/>/gs)].map(([, inner = '']) => ({
    style: /<w:pStyle w:val="([^"]+)"/.exec(inner)?.[1] ?? '',
    text: [...inner.matchAll(/<w:t(?: [^>]*)?>([^<]*)<\/w:t>|<w:br\/>/g)].map(([, words]) => words ?? '\n').join(''),
  }));
}

describe('a chat as a Word document', () => {
  it('has headings, the answer, and each quote with its place, as paragraphs of their styles', async () => {
    const { name, mediaType, body } = await write();
    expect(name).toBe('Ends how.docx');
    expect(mediaType).toBe('application/vnd.openxmlformats-officedocument.wordprocessingml.document');
    const paragraphs = paragraphsOf(body);
    const ofStyle = (style: string) => paragraphs.filter((one) => one.style === style).map(({ text }) => text);
    expect(ofStyle('Title')).toEqual(['Ends: &lt;how&gt;?']);
    expect(ofStyle('Date')).toEqual(['From Quoth, November 20, 2026', 'No answer.']);
    expect(ofStyle('Heading1')).toEqual(['How does it\n*end*?', 'Why?']);
    expect(ofStyle('Heading2')).toEqual(['Quotes']);
    expect(ofStyle('Heading3')).toEqual(['By year']);
    expect(ofStyle('Quote')).toEqual(['[1] three months’\nnotice &lt;b&gt; &amp; more', '[2] It ends [here].']);
    expect(ofStyle('QuotePlace')).toEqual([
      'Lease · lease.docx · ¶ 7 · Word for word',
      'A film · 1:15 · Not found word for word',
      '[3] Removed from the library',
    ]);
    expect(ofStyle('Code')).toEqual(['const a = "&lt;b&gt;";\n  b();'.replaceAll('"', '&quot;')]);
    expect(ofStyle('IntenseQuote')).toEqual(['said so']);
  });

  it('leads from each number to its quote, and from a quote to the second of its video', async () => {
    const { body, parts } = await write();
    for (const n of [1, 2, 3]) {
      expect(body).toContain(`w:anchor="quote-1-${n}"`);
      expect(body).toMatch(new RegExp(`<w:bookmarkStart w:name="quote-1-${n}"`));
    }
    expect(body).not.toContain('quote-1-9');
    const relations = parts['word/_rels/document.xml.rels'] ?? '';
    const outside = [...relations.matchAll(/Target="([^"]+)" TargetMode="External"/g)].map(([, address]) => address);
    expect(outside.sort()).toEqual([
      'https://example.org/a?b=1&amp;c=2',
      'https://www.youtube.com/watch?v=abcdefghijk&amp;t=75s',
    ]);
  });

  it('is made as Word wants it: no run within a run, no paragraph within a paragraph', async () => {
    const { body } = await write();
    for (const name of ['r', 'p', 'hyperlink']) {
      let depth = 0;
      for (const [tag] of body.matchAll(new RegExp(`</?w:${name}(?: [^>]*)?>`, 'g'))) {
        if (tag.endsWith('/>')) continue;
        depth += tag.startsWith('</') ? -1 : 1;
        expect(depth, `${name} at ${tag}`).toBeLessThanOrEqual(1);
      }
      expect(depth).toBe(0);
    }
  });

  it('has real tables and lists: a head that repeats, numbers that count for themselves', async () => {
    const { body, parts } = await write();
    expect(body.match(/<w:tbl>/g)).toHaveLength(1);
    expect(body.match(/<w:tblHeader\/>/g)).toHaveLength(1);
    expect(body.match(/<w:tr>/g)).toHaveLength(3);
    const numbering = parts['word/numbering.xml'] ?? '';
    expect(numbering).toContain('<w:start w:val="1"/>');
    const lists = [...body.matchAll(/<w:ilvl w:val="(\d)"\/><w:numId w:val="([^"]+)"\/>/g)].map(([, level, id]) => [
      level,
      id,
    ]);
    expect(lists).toHaveLength(4);
    expect(lists.map(([level]) => level)).toEqual(['0', '1', '0', '0']);
    expect(lists[0]?.[1]).toBe(lists[2]?.[1]);
    expect(lists[0]?.[1]).not.toBe(lists[1]?.[1]);
  });

  it('is read by our own reader as what it is', async () => {
    const { bytes } = await write();
    const read = await readDocx(bytes, 'x.docx');
    if (read.type !== 'read') throw new Error(read.detail);
    const words = read.sections.map(({ text }) => text);
    expect(words).toContain('With notice [1], says a film [2][3], not [9].');
    expect(words).toContain('2023 | 1,200 [1]');
    expect(words.some((text) => text.includes('three months’') && text.includes('notice <b> & more'))).toBe(true);
    const quotes = read.sections.find(({ text }) => text.startsWith('[2]'));
    expect(quotes?.heading).toBe('Quotes');
  });

  it.each([
    ['fr', '<w:lang w:val="fr-FR"/>'],
    ['ja', '<w:lang w:val="ja-JP" w:eastAsia="ja-JP"/>'],
    ['zh-Hans', '<w:lang w:val="zh-CN" w:eastAsia="zh-CN"/>'],
    ['en', '<w:lang w:val="en-US"/>'],
  ])('says that it is written in %s', async (language, mark) => {
    const { parts } = await write({ words: { ...englishWords, language } });
    expect(parts['word/styles.xml']).toContain(mark);
  });

  it('fetches and runs nothing, whatever an answer says, and stays well-formed', async () => {
    const payloads = collectPayloads();
    const said = payloads.map(
      (one) => `${one}\n\n[l](${one}) ![p](${one}) **${one}**\n\n- ${one}\n\n| a | b |\n|-|-|\n| ${one} | x |`,
    );
    const hostile = `${said.join('\n\n')}\n\n\u0000\u0001\u000b\ud800 ]]> <!-- &x; {{mustache}} { INCLUDEPICTURE "https://evil.example/a.png" }`;
    const { parts, bytes } = await write({
      chat: { ...chat.chat, title: '\u0001 <!DOCTYPE x> \ud800' },
      turns: [makeTurn(1, '\u0000?', makeAnswer(hostile))],
    });
    const names = Object.keys(parts);
    expect(names.filter((name) => /media|embeddings|vba|activeX|attachedTemplate/i.test(name))).toEqual([]);
    for (const [name, xml] of Object.entries(parts)) {
      expect(xml, name).not.toMatch(
        /<!DOCTYPE|<!ENTITY|w:instrText|w:fldSimple|r:embed|<w:pict|<w:object|attachedTemplate/,
      );
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(xml, name).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
    }
    const relations = parts['word/_rels/document.xml.rels'] ?? '';
    for (const [, address = ''] of relations.matchAll(/Target="([^"]+)" TargetMode="External"/g))
      expect(address).toMatch(/^https?:\/\//);
    expect((await readDocx(bytes, 'x.docx')).type).toBe('read');
  });

  it('holds a long chat in one file', async () => {
    const turns = Array.from({ length: 300 }, (_, n) =>
      makeTurn(n + 1, `Question ${n}`, makeAnswer(answer, citations)),
    );
    const { body } = await write({ turns });
    expect(body.match(/w:val="Heading1"/g)).toHaveLength(300);
  }, 30_000);
});
