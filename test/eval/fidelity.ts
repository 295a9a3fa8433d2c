/**
 * Measures how much of a document's words are read: token F1 against docling's Markdown of the same files, and the share of
 * poppler's words of PDFs, where `pdftotext` is installed.
 *
 *     node test/eval/fidelity.ts [--words]        --words: which are missing or too many
 */
import { execFileSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { withoutFurniture } from '../../ingest/readers/pdf-furniture.ts';
import { readMember } from '../../ingest/readers/read-document.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { bytesOf, dataFolder, f1OfWords, filesBelow, recallOfWords, textOf, wordsOf } from '../ingest/data.ts';

const showsWords = process.argv.includes('--words');

/**
 * Docling's Markdown without its own signs: what it says about pictures, addresses of links, and numbers of lists but for those
 * that Word and browsers count.
 */
function expectedOf(path: string): string {
  const text = new TextDecoder()
    .decode(bytesOf(path))
    .replace(/<!--.*?-->/gs, ' ')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/&amp;/g, '&');
  return /\.(?:docx|html)\.md$/.test(path) ? text : text.replace(/^(?:\s*\d+\.|#+ [\d.]+) /gm, '');
}

/** What a person sees of a document: its sections with the names of sheets, which stand above tables as headings. */
function seenOf(result: ReadResult): string {
  if (result.type === 'failed' || result.kind !== 'xlsx') return textOf(result);
  const sheets = new Set(result.sections.map(({ label }) => label?.replace(/^Sheet /, '') ?? ''));
  return [...sheets, textOf(result)].join('\n');
}

function difference(expected: string, actual: string): string {
  const [wanted, found] = [wordsOf(expected), wordsOf(actual)];
  const words = new Set([...wanted.keys(), ...found.keys()]);
  const parts = [...words].flatMap((word) => {
    const extra = (found.get(word) ?? 0) - (wanted.get(word) ?? 0);
    return extra === 0 ? [] : [`${word}${extra > 0 ? '+' : ''}${extra}`];
  });
  return parts.slice(0, 60).join(' ');
}

async function againstDocling(): Promise<void> {
  const byKind = new Map<string, number[]>();
  for (const truth of filesBelow(join(dataFolder, 'documents/groundtruth'))) {
    if (!truth.endsWith('.md') || truth.endsWith('wiki.md')) continue;
    const bare = truth.replace(/\.md$/, '');
    const path = [bare, `${bare}.pdf`].find((one) => filesBelow(join(truth, '..')).includes(one));
    if (!path) continue;
    const kind = basename(join(truth, '..'));
    const actual = seenOf(await readMember(bytesOf(path), basename(path)));
    const score = f1OfWords(expectedOf(truth), actual);
    byKind.set(kind, [...(byKind.get(kind) ?? []), score]);
    console.log(`  ${score.toFixed(3)} ${kind}/${basename(path)}`);
    if (showsWords && score < 0.97) console.log(`        ${difference(expectedOf(truth), actual)}`);
  }
  for (const [kind, scores] of byKind)
    console.log(
      `${kind}: mean F1 ${(scores.reduce((sum, one) => sum + one, 0) / scores.length).toFixed(3)} of ${scores.length}`,
    );
}

/** Poppler's text without what our reader says once or not at all: titles and numbers that stand on most pages. */
function withoutRunningTitles(text: string): string {
  const pages = text
    .split('\f')
    .slice(0, -1)
    .map((page) =>
      page.split('\n').flatMap((line) => (line.trim() ? [{ text: line.trim(), startsParagraph: false }] : [])),
    );
  return withoutFurniture(pages)
    .map((lines) => lines.map((line) => line.text).join('\n'))
    .join('\n');
}

async function againstPoppler(): Promise<void> {
  const shares: number[] = [];
  const sharesOfRest: number[] = [];
  let numWanted = 0;
  let numFound = 0;
  for (const path of filesBelow(join(dataFolder, 'documents/pdf')).concat(filesBelow(join(dataFolder, 'qa')))) {
    if (!path.endsWith('.pdf')) continue;
    let expected: string;
    try {
      expected = execFileSync('pdftotext', ['-enc', 'UTF-8', path, '-'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 20_000,
        maxBuffer: 100e6,
      });
    } catch {
      continue;
    }
    // Words that a line's end has cut are whole in ours.
    expected = expected.replace(/(\p{Ll})[-\u00ad\u2010]\n(?=\p{Ll})/gu, '$1').replaceAll('\u00ad', '');
    const numWords = [...wordsOf(expected).values()].reduce((sum, one) => sum + one, 0);
    if (numWords < 20) continue;
    const result = await readMember(bytesOf(path), basename(path));
    if (result.type === 'failed') {
      console.log(`  ${result.reason} ${basename(path)} (${numWords} words)`);
      continue;
    }
    const actual = textOf(result);
    const share = recallOfWords(expected, actual);
    shares.push(share);
    const shareOfRest = recallOfWords(withoutRunningTitles(expected), actual);
    sharesOfRest.push(shareOfRest);
    numWanted += numWords;
    numFound += share * numWords;
    if (share < 0.98) {
      console.log(
        `  ${share.toFixed(3)}, running titles apart ${shareOfRest.toFixed(3)} ${basename(path)} (${numWords} words)`,
      );
      if (showsWords) console.log(`        ${difference(expected, actual).slice(0, 500)}`);
    }
  }
  const [good, goodOfRest] = [shares, sharesOfRest].map((some) => some.filter((share) => share >= 0.98).length);
  console.log(
    `poppler: ${shares.length} PDFs, ${good} with at least 98 %, running titles apart ${goodOfRest}; of all words ${(numFound / numWanted).toFixed(4)}`,
  );
}

if (import.meta.main) {
  await againstDocling();
  await againstPoppler();
}
