import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readDocx } from '../../ingest/readers/docx.ts';
import { htmlToSections, readHtml } from '../../ingest/readers/html.ts';
import { decideKind } from '../../ingest/readers/kind.ts';
import { readMarkdown } from '../../ingest/readers/markdown.ts';
import { readPdf } from '../../ingest/readers/pdf.ts';
import { joinHyphens } from '../../ingest/readers/pdf-lines.ts';
import { decodeText, readText } from '../../ingest/readers/text.ts';
import { checkZip } from '../../ingest/readers/zip-limits.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { bytesOf, dataFolder, docxOf, filesBelow, hasData, pdfOf, recallOfWords, textOf, zipOf } from './data.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const pagesOf = (result: ReadResult) =>
  result.type === 'read'
    ? result.sections.map((section) => (section.locator.type === 'page' ? section.locator.page : null))
    : [];

describe('a PDF', () => {
  test('gives the text of each page under its number, empty pages counted', async () => {
    const result = await readPdf(
      pdfOf([['The first page.'], [], ['The third page.', 'Its second line.']]),
      'three.pdf',
    );
    expect(result).toMatchObject({ type: 'read', kind: 'pdf', title: 'three', numPages: 3 });
    expect(pagesOf(result)).toEqual([1, 3]);
    expect(textOf(result)).toBe('The first page.\nThe third page.\nIts second line.');
  });

  test('puts words together again that a line end has cut, and keeps hyphens that belong', async () => {
    const lines = [
      'A docu-',
      'ment with a well-',
      'known word; the well-known end. A state-of-the-',
      'Art thing, from 1990-',
      '1991.',
    ];
    expect(textOf(await readPdf(pdfOf([lines]), 'h.pdf'))).toBe(
      'A document with a well-known word; the well-known end. A state-of-the-Art thing, from 1990-\n1991.',
    );
    expect(
      joinHyphens([
        [
          { text: 'soft\u00ad', startsParagraph: false },
          { text: 'ware', startsParagraph: false },
        ],
      ]),
    ).toEqual(['software']);
  });

  test('without a letter on any page ends as no-text, with garbage as damaged', async () => {
    expect(await readPdf(pdfOf([[], []]), 'scan.pdf')).toMatchObject({ type: 'failed', reason: 'no-text' });
    expect(await readPdf(bytes('%PDF-1.4\nnothing'), 'x.pdf')).toMatchObject({ type: 'failed', reason: 'damaged' });
  });

  test('cut anywhere ends in a state', async () => {
    const whole = pdfOf([['One page with some words.'], ['Another page.']]);
    for (let share = 1; share < 20; share++) {
      const result = await readPdf(whole.slice(0, Math.floor((whole.length * share) / 20)), 'cut.pdf');
      expect(result.type === 'read' || ['damaged', 'no-text'].includes(result.reason)).toBe(true);
    }
  });

  test('reports its progress page by page', async () => {
    const seen: number[] = [];
    await readPdf(pdfOf([['a'], ['b'], ['c'], ['d']]), 'p.pdf', (done) => seen.push(done));
    expect(seen).toEqual([0.25, 0.5, 0.75, 1]);
  });
});

describe.skipIf(!hasData)('real PDFs', () => {
  const pdf = (path: string) => readPdf(bytesOf(join(dataFolder, path)), path.split('/').at(-1)!);

  test.each([
    ['qa/docugami-sec10q/2023_Q1_AMZN.pdf', 52, 'Amortization of lease assets | 1,560 | 1,546', 12],
    ['documents/pdf/pypdf_samples/004-pdflatex-4-pages__pdflatex-4-pages.pdf', 4, '', 1],
    ['documents/groundtruth/pdf/normal_4pages.pdf', 4, '현행 생명보험 표준약관상 재해분류표', 2],
    ['documents/pdf/unstructured/korean-text-with-tables.pdf', 1, '', 1],
  ])('%s: %i pages, "%s" on page %i', async (path, numPages, words, page) => {
    const result = await pdf(path);
    expect(result).toMatchObject({ type: 'read', numPages });
    if (result.type !== 'read') return;
    const onPage = result.sections.filter(({ locator }) => locator.type === 'page' && locator.page === page);
    expect(onPage.map((section) => section.text).join('\n')).toContain(words);
  });

  test('headings come from the outline, and hold from where they stand', async () => {
    const result = await pdf('documents/pdf/pypdf_samples/006-pdflatex-outline__pdflatex-outline.pdf');
    expect(result.type).toBe('read');
    if (result.type !== 'read') return;
    const withHeading = result.sections.filter((section) => section.heading !== null);
    expect(withHeading.length).toBeGreaterThan(3);
    for (const { heading, text } of withHeading.filter((section) => section.text.includes(section.heading!)))
      expect(text.split('\n')[0]).toContain(heading!.split(' ')[0]);
  });

  test('the ground truth of docling is found in what is read', async () => {
    const expected = new TextDecoder().decode(bytesOf(join(dataFolder, 'documents/groundtruth/pdf/normal_4pages.md')));
    expect(recallOfWords(expected, textOf(await pdf('documents/groundtruth/pdf/normal_4pages.pdf')))).toBeGreaterThan(
      0.95,
    );
  });

  test('a password ends as password, a picture without words as no-text', async () => {
    expect(await pdf('documents/pdf/pdfjs/issue21579.pdf')).toMatchObject({ type: 'failed', reason: 'password' });
    expect(await pdf('documents/pdf/pdfjs/issue11931.pdf')).toMatchObject({
      type: 'failed',
      reason: 'no-text',
    });
  });
});

describe('a DOCX', () => {
  test('gives numbered paragraphs under their headings', async () => {
    const result = await readDocx(docxOf(['# Ducks', 'They swim & dive.', '# Geese', 'They fly.']), 'birds.docx');
    expect(result).toMatchObject({ type: 'read', kind: 'docx', title: 'Ducks', numPages: null });
    expect(result.type === 'read' && result.sections).toEqual([
      { text: 'Ducks', locator: { type: 'paragraph', paragraph: 1 }, heading: 'Ducks' },
      { text: 'They swim & dive.', locator: { type: 'paragraph', paragraph: 2 }, heading: 'Ducks' },
      { text: 'Geese', locator: { type: 'paragraph', paragraph: 3 }, heading: 'Geese' },
      { text: 'They fly.', locator: { type: 'paragraph', paragraph: 4 }, heading: 'Geese' },
    ]);
  });

  test('that is no zip, cut off, empty or encrypted ends with that reason', async () => {
    expect(decideKind(bytes('just text'), 'a.docx')).toMatchObject({ type: 'refused', reason: 'damaged' });
    expect(decideKind(Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1), 'a.docx')).toMatchObject({ reason: 'password' });
    const whole = docxOf(['words']);
    expect(await readDocx(whole.slice(0, whole.length - 40), 'a.docx')).toMatchObject({ reason: 'damaged' });
    expect(await readDocx(docxOf([]), 'a.docx')).toMatchObject({ reason: 'no-text' });
    expect(await readDocx(docxOf(['x'], [{ name: 'y', data: bytes('y'), flags: 1 }]), 'a.docx')).toMatchObject({
      reason: 'password',
    });
  });

  const zeros = (numBytes: number) => new Uint8Array(numBytes);
  test.each([
    ['inflates 1,000 times', [{ name: 'bomb', data: zeros(60e6) }], 'too-large'],
    ['claims gigabytes', [{ name: 'bomb', data: zeros(1000), claimedInflatedBytes: 3e9 }], 'too-large'],
    ['claims less than it holds', [{ name: 'lie', data: zeros(60e6), claimedInflatedBytes: 100 }], 'damaged'],
    [
      'has entries that share their data',
      [
        { name: 'a', data: zeros(1e6) },
        { name: 'b', data: zeros(1e6), sharesDataOf: 0 },
      ],
      'damaged',
    ],
    ['has 5,000 entries', Array.from({ length: 5000 }, (_, n) => ({ name: `n${n}`, data: zeros(1) })), 'too-large'],
  ])('that %s is refused', async (_what, entries, reason) => {
    expect(await checkZip(zipOf(entries))).toMatchObject({ type: 'refused', reason });
    expect(
      await readDocx(
        docxOf(
          ['words'],
          entries.map((entry) => ({ ...entry, sharesDataOf: undefined })),
        ),
        'a.docx',
      ),
    ).toMatchObject(reason === 'damaged' && entries.length === 2 ? { type: 'read' } : { type: 'failed', reason });
  });

  test('with many parts that are large together is refused by their sum', async () => {
    const entries = Array.from({ length: 60 }, (_, n) => ({ name: `n${n}`, data: zeros(9e6) }));
    expect(await checkZip(zipOf(entries))).toMatchObject({ type: 'refused', reason: 'too-large' });
  });

  test('names in a zip are never paths', async () => {
    const result = await readDocx(docxOf(['inside'], [{ name: '../../../etc/evil', data: bytes('x') }]), 'a.docx');
    expect(textOf(result)).toBe('inside');
  });
});

describe.skipIf(!hasData)('real DOCX and HTML files', () => {
  const truths = (kind: string) =>
    filesBelow(join(dataFolder, 'documents/groundtruth', kind)).filter((path) => path.endsWith(`.${kind}`));
  // docling draws pictures' captions, table rules and list marks into its Markdown; those are no words of the document.
  const expected = (path: string) =>
    new TextDecoder()
      .decode(bytesOf(`${path}.md`))
      .replace(/<!--.*?-->/g, ' ')
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/^(?:\s*\d+\.|#+ [\d.]+) /gm, '')
      .replace(/&amp;/g, '&');

  test('the words of docling are found in each DOCX, nearly all of them', async () => {
    const recalls: Record<string, number> = {};
    // drawingml.docx is all charts, whose numbers mammoth does not read.
    for (const path of truths('docx').filter((name) => !name.endsWith('drawingml.docx')))
      recalls[path.split('/').at(-1)!] = recallOfWords(expected(path), textOf(await readDocx(bytesOf(path), 'a.docx')));
    const values = Object.values(recalls);
    expect(values.length).toBeGreaterThan(8);
    expect(values.reduce((sum, recall) => sum + recall, 0) / values.length, JSON.stringify(recalls)).toBeGreaterThan(
      0.95,
    );
  });

  test('the words of docling are found in each HTML page, nearly all of them', async () => {
    const recalls: Record<string, number> = {};
    for (const path of truths('html'))
      recalls[path.split('/').at(-1)!] = recallOfWords(expected(path), textOf(readHtml(bytesOf(path), 'a.html')));
    const values = Object.values(recalls);
    expect(values.length).toBeGreaterThan(10);
    expect(values.reduce((sum, recall) => sum + recall, 0) / values.length, JSON.stringify(recalls)).toBeGreaterThan(
      0.95,
    );
  });

  test('a DOCX with a link to a local picture or an outside entity opens neither', async () => {
    const linked = await readDocx(bytesOf(join(dataFolder, 'documents/office/markitdown/rlink.docx')), 'rlink.docx');
    expect(textOf(linked)).not.toMatch(/root:|data:|base64/);
    const entity = await readDocx(
      bytesOf(join(dataFolder, 'documents/office/poi_word/ExternalEntityInText.docx')),
      'e.docx',
    );
    expect(entity).toMatchObject({ type: 'failed', reason: 'damaged' });
  });
});

describe('HTML', () => {
  test('keeps the words, headings and cells, and drops what a reader does not read', () => {
    const result = readHtml(
      bytes(`<html><head><title>A &amp; B</title><style>p{}</style></head><body><nav>Menu</nav><h1>Top</h1>
        <p>One <b>bold</b>\n  word&nbsp;here.<br>Next line.</p><script>alert("no")</script><table><tr><td>1</td><td>2</td></tr></table>
        <ul><li>first</li><li>second</li></ul><p hidden>secret</p><pre>  a\n    b</pre></body></html>`),
      'page.html',
    );
    expect(result).toMatchObject({ type: 'read', title: 'A & B' });
    expect(result.type === 'read' && result.sections.map((section) => section.text)).toEqual([
      'Top',
      'One bold word here.\nNext line.',
      '1 | 2',
      'first',
      'second',
      'a\n    b',
    ]);
    expect(result.type === 'read' && result.sections.at(-1)?.heading).toBe('Top');
  });

  test('counts the items of ordered lists as a browser does', () => {
    const { sections } =
      htmlToSections(`<ol><li>Switch off.<ol type="a"><li>Wait.</li><li><p>Pull</p><p>the plug.</p></li></ol></li>
      <li value="5">Open <b>the lid</b>.</li><li></li><li><h3>Clean</h3>it.</li></ol><p>Done.</p>
      <ul><li>dot</li></ul><ol reversed><li>down</li></ol><ol start="3" type="I"><li>on</li></ol><ol><li><table><tr><td>cell</td></tr></table></li></ol>`);
    expect(sections.map(({ text }) => text)).toEqual([
      '1. Switch off.',
      'a. Wait.',
      'b. Pull',
      'the plug.',
      '5. Open the lid.',
      '7. Clean',
      'it.',
      'Done.',
      'dot',
      'down',
      'III. on',
      'cell',
    ]);
    expect(htmlToSections('<ol><li>one</li></ol>', false).sections[0]!.text).toBe('one');
  });

  test('5,000 nested elements end in a state', () => {
    const result = readHtml(bytes(`${'<div>'.repeat(5000)}deep`), 'deep.html');
    expect(['read', 'failed']).toContain(result.type);
  });

  test('a page in an old encoding is read by the name it gives', () => {
    const page = Buffer.concat([Buffer.from('<meta charset="shift_jis"><p>'), Buffer.from([0x93, 0xfa, 0x96, 0x7b])]);
    expect(textOf(readHtml(new Uint8Array(page), 'j.html'))).toBe('日本');
  });
});

describe('Markdown', () => {
  test('headings are headings, fences are not, front matter is left out', () => {
    const result = readMarkdown(
      bytes(
        '---\ntags: x\n---\n# Top *one*\n\nText here.\n\nUnder\n-----\n```\n# no heading\n```\n\n- item\n## Last ##\nend',
      ),
      'n.md',
    );
    expect(result).toMatchObject({ type: 'read', title: 'Top one' });
    expect(result.type === 'read' && result.sections.map(({ text, heading }) => [heading, text])).toEqual([
      ['Top one', 'Top one'],
      ['Top one', 'Text here.'],
      ['Under', 'Under'],
      ['Under', '```\n# no heading\n```'],
      ['Under', '- item'],
      ['Last', 'Last'],
      ['Last', 'end'],
    ]);
  });
});

describe('plain text', () => {
  const japanese = '吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。';
  const shiftJis = '8ce194798ecd944c82c582a082e98142967c914f82cd82dc82be96b382a28142';
  test('is decoded from UTF-8, UTF-16 with and without a mark, and the encodings of old systems', () => {
    const utf16 = Buffer.from('Grüße, plain words in UTF-16.', 'utf16le');
    const big = Buffer.from(utf16).swap16();
    const cases: [Uint8Array, string, string][] = [
      [bytes(japanese), 'utf-8', japanese],
      [bytes('\ufeffMarked'), 'utf-8', 'Marked'],
      [utf16, 'utf-16le', 'Grüße, plain words in UTF-16.'],
      [big, 'utf-16be', 'Grüße, plain words in UTF-16.'],
      [Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(japanese, 'utf16le')]), 'utf-16le', japanese],
      [Buffer.from('Caf\xe9 \x96 na\xefve fa\xe7ade, 10 \x80', 'latin1'), 'windows-1252', 'Café – naïve façade, 10 €'],
      [Buffer.from('cff0e8e2e5f22c20eae0ea20e4e5ebe03f', 'hex'), 'windows-1251', 'Привет, как дела?'],
      [Buffer.from('d6d0b9facac7d2bbb8f6b4f3b9fabaa3b5c4c8cbc3f1', 'hex'), 'gb18030', '中国是一个大国海的人民'],
    ];
    for (const [source, encoding, text] of cases)
      expect(decodeText(new Uint8Array(source))).toEqual({ type: 'text', encoding, text });
    expect(decodeText(new Uint8Array(Buffer.from(shiftJis, 'hex')))).toMatchObject({ encoding: 'shift_jis' });
  });

  test('is divided at blank lines, and long blocks at line ends', () => {
    const result = readText(bytes('One\nline.\n\n \nTwo.\r\n\r\nThree.'), 'a.txt');
    expect(result.type === 'read' && result.sections.map((section) => section.text)).toEqual([
      'One\nline.',
      'Two.',
      'Three.',
    ]);
    const lines = Array.from({ length: 500 }, (_, n) => `Line number ${n} of a long list.`).join('\n');
    const long = readText(bytes(lines), 'b.txt');
    expect(long.type === 'read' && long.sections.length).toBeGreaterThan(5);
    expect(textOf(long)).toBe(lines);
  });

  test('that is binary, blank or not text at all ends with a reason', () => {
    const noise = Uint8Array.from({ length: 5000 }, (_, n) => (n * 7919) % 256);
    expect(readText(noise, 'a.txt')).toMatchObject({ type: 'failed', reason: 'damaged' });
    expect(readText(bytes(' \n\t\n'), 'a.txt')).toMatchObject({ type: 'failed', reason: 'no-text' });
  });
});

describe.skipIf(!hasData)('real books', () => {
  test('a Japanese novel and an English one are read whole', () => {
    const book = (name: string) => new Uint8Array(gunzipSync(bytesOf(join(dataFolder, 'documents/languages', name))));
    const cat = readText(book('wagahaiwa_nekodearu.txt.gz'), 'cat.txt');
    expect(textOf(cat).includes('は猫である。名前はまだ無い。')).toBe(true);
    expect(cat.type === 'read' && cat.sections.length).toBeGreaterThan(200);
    expect(textOf(readText(book('botchan.txt.gz'), 'botchan.txt')).includes("Project Gutenberg's Botchan")).toBe(true);
  });
});

describe('the kind of a file', () => {
  test('is told by its first bytes before its name', () => {
    expect(decideKind(bytes('%PDF-1.7 …'), 'report.txt')).toEqual({ type: 'kind', kind: 'pdf' });
    expect(decideKind(bytes('junk\n%PDF-1.7'), 'report.pdf')).toEqual({ type: 'kind', kind: 'pdf' });
    expect(decideKind(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'report.pdf')).toMatchObject({ kind: 'image' });
    expect(decideKind(bytes('GIF89a'), 'report.pdf')).toMatchObject({ reason: 'unsupported' });
    expect(decideKind(bytes('PK\x03\x04'), 'book.epub')).toEqual({ type: 'kind', kind: 'epub' });
    expect(decideKind(bytes('PK\x03\x04'), 'program.jar')).toMatchObject({ reason: 'unsupported' });
    expect(decideKind(bytes('MZ is how this text begins'), 'notes.txt')).toEqual({ type: 'kind', kind: 'text' });
    expect(decideKind(bytes('<!doctype html><p>x'), 'page')).toEqual({ type: 'kind', kind: 'html' });
    expect(decideKind(bytes('Read me.'), 'README')).toEqual({ type: 'kind', kind: 'text' });
    expect(decideKind(bytes('{}'), 'settings.json')).toMatchObject({ reason: 'unsupported' });
  });
});
