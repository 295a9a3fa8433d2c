import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readZip } from '../../ingest/readers/bundles/zip.ts';
import { readMember } from '../../ingest/readers/read-document.ts';
import { cleanText } from '../../ingest/readers/sections.ts';
import { noteFor } from '../../ingest/reasons.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { splitSections } from '../../ingest/split.ts';
import { bytesOf, dataFolder, docxOf, entriesOf, filesBelow, hasData, pdfOf, textOf, zipOf } from './data.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const sectionsOf = (result: ReadResult) => {
  expect(result, textOf(result)).toMatchObject({ type: 'read' });
  return result.type === 'read' ? result.sections : [];
};

describe('a ZIP', () => {
  test('is one document: each file under its name, its places kept', async () => {
    const archive = zipOf([
      ...entriesOf({
        'letters/may.txt': 'Dear Ada.',
        'talk.srt': '1\n00:00:01,000 --> 00:00:02,500\nHello.\n',
        'table.csv': 'Name,Age\nAda,36\n',
        'other.csv': 'Bird,Count\nDuck,3\n',
        'post.eml': 'From: a@b\nSubject: Hi\n\nMail text.',
        'inner.zip': 'PK\x03\x04',
        'picture.png': '\x89PNG\r\n',
        '__MACOSX/._may.txt': 'junk',
        '.DS_Store': 'junk',
        '../../evil.txt': 'not a path',
      }),
      { name: 'report.pdf', data: pdfOf([['First.'], ['Second.']]) },
      { name: 'a.docx', data: docxOf(['# Title', 'Words.']) },
    ]);
    // Within another archive it is not opened.
    expect(await readMember(archive, 'all.zip')).toMatchObject({ type: 'failed', reason: 'unsupported' });
    const { readZip } = await import('../../ingest/readers/bundles/zip.ts');
    const read = await readZip(archive, 'all.zip', undefined, readMember);
    const sections = sectionsOf(read);
    expect(sections.map(({ label, locator, text }) => [label, locator.type, text])).toEqual([
      ['../../evil.txt', 'paragraph', 'not a path'],
      ['a.docx', 'paragraph', 'Title'],
      ['a.docx', 'paragraph', 'Words.'],
      ['letters/may.txt', 'paragraph', 'Dear Ada.'],
      ['other.csv, Cells', 'paragraph', 'Duck | 3'],
      ['post.eml', 'paragraph', 'Hi'],
      ['post.eml', 'paragraph', 'From: a@b'],
      ['post.eml', 'paragraph', 'Mail text.'],
      ['report.pdf', 'page', 'First.'],
      ['report.pdf', 'page', 'Second.'],
      ['table.csv, Cells', 'paragraph', 'Ada | 36'],
      ['talk.srt', 'time', 'Hello.'],
    ]);
    const chunks = splitSections(sections, { countTokens: (text) => text.length / 4 });
    expect(chunks.find((chunk) => chunk.text.includes('Ada | 36'))).toMatchObject({
      text: 'Name | Age\nAda | 36',
      label: 'table.csv, Cells A2:B2',
    });
    // No chunk mixes two files.
    expect(chunks.filter((chunk) => /may|Dear/.test(chunk.text) && /Words/.test(chunk.text))).toEqual([]);
  });

  test('without a readable file, or all locked, or hostile ends with that reason', async () => {
    const { readZip } = await import('../../ingest/readers/bundles/zip.ts');
    const read = (archive: Uint8Array) => readZip(archive, 'a.zip', undefined, readMember);
    await expect(read(zipOf(entriesOf({ 'a.gif': 'GIF89a' })))).rejects.toMatchObject({ reason: 'unsupported' });
    await expect(read(zipOf([]))).rejects.toMatchObject({ reason: 'no-text' });
    await expect(read(zipOf([{ name: 'a.txt', data: bytes('x'), flags: 1 }]))).rejects.toMatchObject({
      reason: 'password',
    });
    const bomb = zipOf([{ name: 'a.txt', data: new Uint8Array(60e6) }]);
    await expect(read(bomb)).rejects.toMatchObject({ reason: 'too-large' });
    const liar = zipOf([{ name: 'a.txt', data: new Uint8Array(60e6), claimedInflatedBytes: 10 }]);
    await expect(read(liar)).rejects.toMatchObject({ reason: 'too-large' });
    const broken = zipOf([{ name: 'a.txt', data: bytes('some words') }]);
    broken.set(
      deflateRawSync(bytes('x')).map((byte) => byte ^ 0xff),
      35,
    );
    await expect(read(broken)).rejects.toMatchObject({ reason: 'damaged' });
  });
});

describe('an EPUB', () => {
  const book = (chapter: string, extra: Record<string, string> = {}) =>
    zipOf(
      entriesOf({
        mimetype: 'application/epub+zip',
        'META-INF/container.xml': '<container><rootfiles><rootfile full-path="OEBPS/b.opf"/></rootfiles></container>',
        'OEBPS/b.opf':
          '<package xmlns:dc="d"><metadata><dc:title>On Ducks</dc:title></metadata><manifest><item id="c2" href="two.xhtml" media-type="application/xhtml+xml"/><item id="c1" href="a%20one.xhtml" media-type="application/xhtml+xml"/><item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="n"/><itemref idref="c1"/><itemref idref="c2"/><itemref idref="gone"/></spine></package>',
        'OEBPS/a one.xhtml': chapter,
        'OEBPS/two.xhtml': '<html><body><h1>Two</h1><p>Geese&nbsp;fly.</p></body></html>',
        'OEBPS/nav.xhtml': '<html><body>Contents</body></html>',
        ...extra,
      }),
    );
  test('is read chapter by chapter, its contents left out', async () => {
    const result = await readMember(
      book('<?xml version="1.0"?><!DOCTYPE html><html><body><h1>One</h1><p>Ducks swim.</p></body></html>'),
      'b.epub',
    );
    expect(result).toMatchObject({ kind: 'epub', title: 'On Ducks' });
    expect(sectionsOf(result).map(({ heading, text, locator }) => [heading, text, locator])).toEqual([
      ['One', 'One', { type: 'paragraph', paragraph: 1 }],
      ['One', 'Ducks swim.', { type: 'paragraph', paragraph: 2 }],
      ['Two', 'Two', { type: 'paragraph', paragraph: 3 }],
      ['Two', 'Geese fly.', { type: 'paragraph', paragraph: 4 }],
    ]);
  });
  test('whose chapters are locked ends as password', async () => {
    const locked = book('x', {
      'META-INF/encryption.xml': '<encryption><CipherReference URI="OEBPS/two.xhtml"/></encryption>',
    });
    expect(await readMember(locked, 'b.epub')).toMatchObject({ reason: 'password' });
  });
});

describe('a mail', () => {
  test('gives its head, its words in any encoding, and what is attached', async () => {
    const mail = [
      'From: =?utf-8?Q?Ad=C3=A9la?= <a@b.c>',
      'To: b@c.d,',
      ' c@d.e',
      'Subject: =?utf-8?B?R3LDvMOf?= =?utf-8?B?ZQ==?=',
      'Date: Fri, 1 May 2026 10:00:00 +0000',
      'Content-Type: multipart/mixed; boundary="x y"',
      '',
      '--x y',
      'Content-Type: multipart/alternative; boundary=z',
      '',
      '--z',
      'Content-Type: text/plain; charset=iso-8859-1',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'A caf=E9, and a long =',
      'line.',
      '',
      'Second paragraph.',
      '--z',
      'Content-Type: text/html',
      '',
      '<p>A café</p>',
      '--z--',
      '--x y',
      'Content-Type: application/octet-stream',
      "Content-Disposition: attachment; filename*=utf-8''caf%C3%A9.csv",
      'Content-Transfer-Encoding: base64',
      '',
      Buffer.from('Name,Age\nAda,36\n').toString('base64'),
      '--x y--',
    ].join('\r\n');
    const result = await readMemberWithAttachments(bytes(mail));
    expect(result).toMatchObject({ kind: 'email', title: 'Grüße' });
    expect(sectionsOf(result).map(({ label, text }) => [label, text])).toEqual([
      [undefined, 'Grüße'],
      [undefined, 'From: Adéla <a@b.c>\nTo: b@c.d, c@d.e\nDate: Fri, 1 May 2026 10:00:00 +0000'],
      [undefined, 'A café, and a long line.'],
      [undefined, 'Second paragraph.'],
      ['café.csv, Cells', 'Ada | 36'],
    ]);
  });
  test('of HTML alone is read as a page; what is no mail is damaged', async () => {
    expect(textOf(await readMember(bytes('Subject: S\nContent-Type: text/html\n\n<p>Hello</p>'), 'a.eml'))).toBe(
      'S\nHello',
    );
    expect(await readMember(bytes('just words'), 'a.eml')).toMatchObject({ reason: 'damaged' });
  });
  const readMemberWithAttachments = async (mail: Uint8Array) => {
    const { readEmail } = await import('../../ingest/readers/bundles/email.ts');
    return readEmail(mail, 'a.eml', undefined, readMember);
  };
});

describe('caption files', () => {
  test('SRT and WebVTT give captions with their seconds; notes, styles and repeats are left out', async () => {
    const srt = await readMember(
      bytes(
        '\ufeff1\r\n00:00:01,500 --> 00:00:03,000\r\n<i>Hello</i>\r\nthere.\r\n\r\n2\r\n01:00:00,000 --> 01:00:01,000 X1:0\r\n{\\an8}Bye &amp; thanks.',
      ),
      'a.srt',
    );
    expect(sectionsOf(srt)).toEqual([
      { text: 'Hello there.', locator: { type: 'time', startSeconds: 1.5, endSeconds: 3 }, heading: null },
      { text: 'Bye & thanks.', locator: { type: 'time', startSeconds: 3600, endSeconds: 3601 }, heading: null },
    ]);
    const vtt = await readMember(
      bytes(
        'WEBVTT\n\nNOTE no\n\nSTYLE\n::cue{}\n\nid\n00:01.000 --> 00:02.000 align:start\n<v Ada>One <00:01.500><c>two</c> 1 < 2\n\n00:02.000 --> 00:03.000\nOne two 1 < 2\n',
      ),
      'a.vtt',
    );
    expect(sectionsOf(vtt).map(({ text, locator }) => [text, locator])).toEqual([
      ['One two 1 < 2', { type: 'time', startSeconds: 1, endSeconds: 2 }],
    ]);
    expect(await readMember(bytes('WEBVTT\n\n'), 'a.vtt')).toMatchObject({ reason: 'no-text' });
  });
});

describe('XML', () => {
  test('gives paragraphs, and records with the names of their fields', async () => {
    const result = await readMember(
      bytes(
        '<?xml version="1.0"?><c><title>Stock</title><item><name>Tea</name><price>5</price></item><p>Some <b>bold</b>\n words.</p></c>',
      ),
      'a.xml',
    );
    expect(result).toMatchObject({ kind: 'xml', title: 'Stock' });
    expect(textOf(result)).toBe('Stock\nname: Tea\nprice: 5\nSome bold\nwords.');
  });
});

describe('what nobody sees', () => {
  test('is taken out while reading: zero-width and direction marks, the tag block', async () => {
    const hidden = [...'ignore'].map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0))).join('');
    const text = textOf(
      await readMember(bytes(`Pass\u200bword\u2060 is \u202edrow\u202c${hidden} A\u{e0101}.\ufeff`), 'a.txt'),
    );
    expect(text).toBe('Password is drow A.');
  });
  test('stays where writing needs it', () => {
    for (const text of ['می‌خواهم', 'क्‍ष', '👩‍👩‍👧', '❤️‍🔥', '葛\u{e0100}']) expect(cleanText(text)).toBe(text);
    expect(cleanText('a\u200db\u200cc')).toBe('abc');
  });
});

/** Each would take the square of its length in a careless reader; all of them together end within the test's deadline. */
describe('hostile input of a megabyte', () => {
  const times = (text: string, characters = 1e6) => text.repeat(Math.ceil(characters / text.length));
  test.each([
    ['a.html', times('<div>')],
    ['a.html', times('<a><b><i>')],
    ['a.html', times('<!--')],
    ['a.html', times('<p ')],
    ['a.html', times('<script>')],
    ['a.html', times('<title>')],
    ['a.html', times('<p a="')],
    ['a.html', times('<ul><li>', 2e5)],
    ['a.html', times('<table><tr><td>')],
    ['a.html', times('</div>')],
    ['a.html', times('&')],
    ['a.md', `# ${times('[')}`],
    ['a.md', `# ${times('[a](')}`],
    ['a.md', `# ${times('# ')}x`],
    ['a.xml', times('<a>')],
    ['a.xml', `<a>${times('&#')}</a>`],
    ['a.csv', times('"')],
    ['a.csv', times(',')],
    ['a.rtf', `{\\rtf1${times('{')}`],
    ['a.rtf', `{\\rtf1 ${times('\\cell')}`],
    ['a.vtt', `WEBVTT\n\n00:01.000 --> 00:02.000\n${times('<v ')}`],
    ['a.eml', `From: a\n${times(' x\n')}`],
    [
      'a.eml',
      `From: a\nContent-Type: multipart/mixed; boundary=b\n\n${times('--b\nContent-Type: multipart/mixed; boundary=b\n\n')}`,
    ],
    ['a.eml', `From: ${times('=?utf-8?B?')}\n\nx`],
    ['a.txt', times('\u200d')],
  ])('%s of %.20s… ends in a state', { timeout: 60_000 }, async (name, text) => {
    expect(['read', 'failed']).toContain((await readMember(bytes(text), name)).type);
  });
});

describe.skipIf(!hasData)('naughty strings', () => {
  test('as any kind of text end in a state', async () => {
    const paths = filesBelow(join(dataFolder, 'security')).filter((path) => /\.(txt|json|csv|md|html?)$/.test(path));
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths)
      for (const kind of ['txt', 'html', 'md', 'csv', 'xml', 'rtf', 'eml', 'vtt'])
        expect(['read', 'failed']).toContain((await readMember(bytesOf(path), `a.${kind}`)).type);
  });
});

describe('what of an archive cannot be read', () => {
  test('is named with its reason beside what was read', async () => {
    const whole = await readZip(
      zipOf(entriesOf({ 'letters/may.txt': 'Dear duck.', 'letters/song.ogg': 'OggS\0\0', 'empty.txt': '' })),
      'all.zip',
      undefined,
      readMember,
    );
    if (whole.type === 'failed') throw new Error(whole.detail);
    expect(whole.sections.map(({ text }) => text)).toEqual(['Dear duck.']);
    expect(whole.unread).toEqual([
      { name: 'empty.txt', reason: 'empty' },
      { name: 'letters/song.ogg', reason: 'unsupported' },
    ]);
    expect(noteFor(whole.unread!)).toBe(
      'Not read: empty.txt (is empty), letters/song.ogg (is of a kind that Quoth does not read).',
    );
  });

  test('is named twenty times at most', () => {
    const unread = Array.from({ length: 23 }, (_, at) => ({ name: `${at}.bin`, reason: 'damaged' as const }));
    expect(noteFor(unread)).toMatch(/19\.bin \(is damaged\) and 3 more\.$/);
  });
});

test('a voice of WebVTT is its caption’s speaker, and no word of it', async () => {
  const file = bytes('WEBVTT\n\n00:00.000 --> 00:02.000\n<v.loud Mary Ann>No way!\n\n00:02.000 --> 00:03.000\nHee!\n');
  const sections = sectionsOf(await readMember(file, 'talk.vtt'));
  expect(sections.map(({ text, speaker }) => [text, speaker])).toEqual([
    ['No way!', 'Mary Ann'],
    ['Hee!', undefined],
  ]);
});
