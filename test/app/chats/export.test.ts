import { describe, expect, it } from 'vitest';
import { exportChat } from '../../../app/chats/export/export-chat.ts';
import { markdownToHtml } from '../../../app/chats/export/markdown-to-html.ts';
import { type ChatToExport, englishWords } from '../../../app/chats/export/words.ts';
import type { ChatSummary, Citation } from '../../../app/contract/types.ts';
import { makeAnswer, makeCitation, makeDocument, makePassage, makeTurn } from '../../fakes/app-handlers.ts';
import { collectPayloads } from '../../fakes/payloads.ts';

const html = (markdown: string): string => markdownToHtml(markdown, (n) => `(${n})`);

describe('an answer’s Markdown as HTML', () => {
  it.each([
    ['One\ntwo  \nthree', '<p>One\ntwo<br>\nthree</p>'],
    ['# Big', '<h3>Big</h3>'],
    ['**a** *b* _c_ ~~d~~ `e*f*`', '<p><strong>a</strong> <em>b</em> <em>c</em> <del>d</del> <code>e*f*</code></p>'],
    ['snake_case_name, 2 * 3 * 4', '<p>snake_case_name, 2 * 3 * 4</p>'],
    ['said [1], [2, 3].', '<p>said (1), (2)(3).</p>'],
    ['not \\[1]', '<p>not [1]</p>'],
    ['so \\(a*b*c\\) and $x_1$ and $$y_i * z$$', '<p>so \\(a*b*c\\) and $x_1$ and $$y_i * z$$</p>'],
    ['from $5 to $6, *both*', '<p>from $5 to $6, <em>both</em></p>'],
    ['- a\n- b\n  - c', '<ul>\n<li>a</li>\n<li>b\n<ul>\n<li>c</li>\n</ul></li>\n</ul>'],
    ['3. a\n4. b\n\ntext', '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n<p>text</p>'],
    ['> said\n> so', '<blockquote><p>said\nso</p></blockquote>'],
    ['```js\n<b>\n\n```\nx', '<pre><code>&lt;b&gt;\n</code></pre>\n<p>x</p>'],
    ['```\nnever closed', '<pre><code>never closed</code></pre>'],
    [
      '| a | b |\n|---|:-:|\n| 1 \\| 2 | **3** |',
      '<table>\n<thead><tr><th>a</th><th>b</th></tr></thead>\n<tbody><tr><td>1 | 2</td><td><strong>3</strong></td></tr></tbody>\n</table>',
    ],
    ['---', '<hr>'],
    [
      '[w](https://example.org/a?b=1&c)',
      '<p><a href="https://example.org/a?b=1&amp;c" rel="noopener noreferrer">w</a></p>',
    ],
    ['[w](javascript:alert(1))', '<p>[w](javascript:alert(1))</p>'],
    ['[w](file:///etc/passwd)', '<p>w</p>'],
    ['![a picture](https://example.org/x.png)', '<p>a picture</p>'],
    ['<img src=x onerror=alert(1)>', '<p>&lt;img src=x onerror=alert(1)&gt;</p>'],
  ])('%j', (markdown, expected) => expect(html(markdown)).toBe(expected));

  it('is made of known tags only, whatever the text says', () => {
    const payloads = collectPayloads();
    expect(payloads.length).toBeGreaterThan(300);
    for (const payload of payloads) {
      const out = html(`${payload}\n\n[l](${payload}) ![p](${payload}) **${payload}**\n\n> ${payload}\n\n- ${payload}`);
      const tags = out.match(/<[^>]*>/g) ?? [];
      for (const tag of tags)
        expect(tag).toMatch(
          /^<\/?(?:p|h[1-6]|hr|br|ul|ol|li|pre|code|blockquote|strong|em|del|table|thead|tbody|tr|th|td|a)(?: start="\d+"| href="https?:[^"<>]*" rel="noopener noreferrer")?>$/,
        );
    }
  });

  it('comes in good time for texts that are made to be slow', () => {
    for (const piece of ['*', '**a', '[', '![', '`', '> ', '- ', '_a', '~~', '|-', '\\', '1. ', '[a](', '  - ']) {
      const out = html(`x ${piece.repeat(20_000)}\n\n${piece.repeat(20_000)}`);
      expect(out.length).toBeGreaterThan(1000);
    }
  }, 20_000);
});

const lease = makeDocument(1, { title: 'Lease', source: 'lease.docx', kind: 'docx' });
const film = makeDocument(2, {
  title: 'A *film*',
  source: 'https://www.youtube.com/watch?v=abcdefghijk',
  kind: 'youtube',
});
const citations: Citation[] = [
  makeCitation(1, makePassage(1, lease, '', { paragraph: 7 }), 'three months’\nnotice <b>'),
  makeCitation(2, makePassage(2, film, '', { startSeconds: 75.5 }), 'It ends [here].', false),
  { ...makeCitation(3, makePassage(3, lease, ''), ''), source: '', title: 'Removed document', verified: false },
];
const chat = {
  id: `chat_${'1'.repeat(16)}`,
  title: 'Ends: <how>?',
  numTurns: 2,
  updatedAtMs: Date.UTC(2026, 10, 20, 12),
};
const exported = {
  chat: chat as ChatSummary,
  turns: [
    makeTurn(1, 'How does it *end*?', makeAnswer('With notice [1], says a film [2, 3], not [9].', citations)),
    makeTurn(2, 'Why?'),
  ],
  words: englishWords,
};

const asText = async (format: 'markdown' | 'html', chat: ChatToExport) => {
  const { base64, ...file } = await exportChat(format, chat);
  return { ...file, text: Buffer.from(base64, 'base64').toString('utf8') };
};

describe('a chat as Markdown', async () => {
  const { name, text, mediaType } = await asText('markdown', exported);

  it('has each question, its answer, and its quotes as footnotes with their places and links', () => {
    expect(name).toBe('Ends how.md');
    expect(mediaType).toBe('text/markdown;charset=utf-8');
    expect(text).toBe(
      [
        '# Ends: \\<how\\>?',
        '*From Quoth, November 20, 2026*',
        '## How does it \\*end\\*?',
        'With notice [^1-1], says a film [^1-2][^1-3], not \\[9].',
        '**Quotes**',
        '[^1-1]: “three months’ notice \\<b\\>” — *Lease*, lease.docx, ¶ 7, Word for word',
        '[^1-2]: “It ends \\[here\\].” — [A \\*film\\*](<https://www.youtube.com/watch?v=abcdefghijk&t=75s>), 1:15, Not found word for word',
        '[^1-3]: *Removed from the library*',
        '## Why?',
        '*No answer.*',
        '',
      ]
        .join('\n\n')
        .replace(/\n\n$/, '\n'),
    );
  });

  it('fetches nothing where it is read, and leaves code as it is', async () => {
    const said =
      '![p](https://evil.example/a.png) <img src=x> [l](javascript:x)\n\n[r]: https://evil.example\n\n`![c](d) [1]`';
    const { text: out } = await asText('markdown', { ...exported, turns: [makeTurn(1, 'Q', makeAnswer(said))] });
    expect(out).toContain('\\!\\[p](https://evil.example/a.png) \\<img src=x> [l]\\(javascript:x)');
    expect(out).toContain('\\[r]: https://evil.example');
    expect(out).toContain('`![c](d) [1]`');
  });
});

describe('a chat as a web page', async () => {
  const { name, text } = await asText('html', exported);

  it('leads from each number to its quote, and from the quote to its place', () => {
    expect(name).toBe('Ends how.html');
    expect(text).toContain('With notice<a class="cite" href="#quote-1-1">[1]</a>');
    expect(text).toContain('not [9].');
    expect(text).toContain(
      '<li id="quote-1-1" value="1"><blockquote class="quote">three months’\nnotice &lt;b&gt;</blockquote>',
    );
    expect(text).toContain('<cite>Lease</cite> · lease.docx · ¶ 7 · Word for word');
    expect(text).toContain('href="https://www.youtube.com/watch?v=abcdefghijk&amp;t=75s"');
    expect(text).toContain('<li id="quote-1-2" value="2" class="unverified">');
    expect(text).toContain('<p class="none">No answer.</p>');
    expect(text).toContain('<title>Ends: &lt;how&gt;?</title>');
  });

  it('needs nothing from anywhere, and says so to whoever draws it', () => {
    expect(text).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(text).not.toMatch(/<(?:img|script|link|iframe|object|form|base)|@import|url\(|\son\w+=/i);
  });

  it('speaks the language of the window', async () => {
    const words = { ...englishWords, language: 'fr', from: 'De Quoth, le {{date}}', quotes: 'Citations' };
    const { text: french } = await asText('html', { ...exported, words });
    expect(french).toContain('<html lang="fr">');
    expect(french).toContain('De Quoth, le 20 novembre 2026');
    expect(french).toContain('<h3>Citations</h3>');
  });
});

it.each([
  ['../../etc/passwd', 'etc passwd'],
  ['  ...  ', 'Quoth'],
  ['con', 'Quoth con'],
  ['見積もり: 2024年?', '見積もり 2024年'],
  ['a'.repeat(300), 'a'.repeat(60)],
  ['a\u202etxt.exe', 'a txt.exe'],
])('the file of a chat called %j has a name that every system takes', async (title, expected) => {
  const file = await exportChat('html', { ...exported, chat: { ...exported.chat, title } });
  expect(file.name).toBe(`${expected}.html`);
});
