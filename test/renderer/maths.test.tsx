// @vitest-environment jsdom
import { render, waitFor } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { splitBlocks } from '../../renderer/chat/text/blocks.ts';
import { FormulaView } from '../../renderer/chat/text/formula.tsx';
import { markMaths } from '../../renderer/chat/text/maths.ts';

const formulas = (text: string): string[] =>
  markMaths(text, true).formulas.map(({ tex, isDisplay }) => (isDisplay ? `[${tex}]` : tex));

describe('maths in an answer', () => {
  it.each([
    ['so $x^2$ and $a_1$', ['x^2', 'a_1']],
    ['for $n$ and $n + 1$, $f(x) = 2x$', ['n', 'n + 1', 'f(x) = 2x']],
    ['\\(a*b*c\\) then \\[\\frac{1}{2}\\]', ['a*b*c', '[\\frac{1}{2}]']],
    ['$$x = 1$$', ['[x = 1]']],
    ['$$\nx\n- y\n\n= 1\n$$\n\nafter', ['[x\n- y\n\n= 1]']],
    ['| a | b |\n|---|---|\n| $|x|$ | $y_1$ |', ['|x|', 'y_1']],
  ])('is found: %j', (text, expected) => expect(formulas(text)).toEqual(expected));

  it.each([
    'It costs $5 and then $10.',
    'from $5 to $6, US$5-$10, $5/unit or 7$, and $1,250 | $2,000',
    'between $81,797 and $82,959 million',
    'a bracket \\[3\\] of a document, an escaped \\$x^2\\$',
    'code `$x^2$` and\n\n```sh\necho $HOME_1 $PATH_2\n```',
    '```\n$x^2$ never closed',
    'one $ alone, and $$ too',
    'an open \\(x^2 formula',
    `$${'x^2+'.repeat(200)}$`,
  ])('is not seen in %j', (text) => expect(formulas(text)).toEqual([]));

  it('leaves every other word where it was', () => {
    const text = 'Before $x^2$ and **after** \\(y\\) [1].';
    const marked = markMaths(text, true).text;
    expect(marked).toHaveLength(text.length);
    expect(marked.indexOf('**after**')).toBe(text.indexOf('**after**'));
    expect(markMaths('the words \ue002\ue100 of a document', true).formulas).toEqual([]);
    expect(markMaths('the words \ue002\ue100 of a document', true).text).not.toContain('\ue002');
    expect(markMaths(text, false).formulas).toEqual([]);
  });

  it('is found in good time in texts that are made to be slow', () => {
    for (const piece of ['$', '$a', '\\(', '\\[', '$$', '`', '``', '\\\\(', '$x^', '```\n'])
      expect(markMaths(piece.repeat(20_000), true).text).toHaveLength(piece.length * 20_000);
  }, 20_000);
});

async function typeset(tex: string, isDisplay = false): Promise<HTMLElement> {
  const { container } = render(<FormulaView formula={{ tex, isDisplay }} />);
  await waitFor(() => expect(container.querySelector('.katex, code')).not.toBe(null));
  // The chunk is loaded: what stands there now stays.
  await waitFor(() => expect(container.querySelector('.formula, .formula-display, code')).not.toBe(null));
  return container;
}

describe('a formula', () => {
  it('is typeset, with its meaning for a screen reader', async () => {
    const container = await typeset('\\frac{a}{b}');
    await waitFor(() => expect(container.querySelector('.katex-html')).not.toBe(null));
    expect(container.querySelector('math mfrac')).not.toBe(null);
    expect(container.querySelector('annotation')?.textContent).toBe('\\frac{a}{b}');
  });

  it.each([
    '\\href{https://evil.example}{x}',
    '\\href{javascript:alert(1)}{x}',
    '\\url{https://evil.example}',
    '\\includegraphics{https://evil.example/a.png}',
    '\\htmlClass{fixed inset-0}{x}',
    '\\htmlId{root}{x}',
    '\\htmlStyle{background:url(https://evil.example/a.png)}{x}',
    '\\htmlData{a=b}{x}',
    '\\text{<img src=x onerror=alert(1)>}',
    '\\unicode{<script>}',
    '\\color{url(https://evil.example/a.png)}{x}',
    '\\textcolor{red;background:url(//evil.example)}{x}',
    '\\char"0A',
  ])('leads nowhere and fetches nothing: %s', async (tex) => {
    const fetched = vi.fn();
    vi.stubGlobal('fetch', fetched);
    const container = await typeset(tex);
    expect(container.querySelectorAll('a, img, script, iframe, [href], [src], [onerror], [id]')).toHaveLength(0);
    for (const element of container.querySelectorAll('*')) {
      expect(element.getAttribute('style') ?? '').not.toMatch(/url\(|position:\s*fixed/);
      expect(element.className.toString()).not.toContain('inset-0');
    }
    expect(fetched).not.toHaveBeenCalled();
    vi.unstubAllGlobals();
  });

  it.each([
    ['a macro that grows without end', '\\def\\a{\\a\\a}\\a'],
    ['many macros of ten', `${'\\def\\a#1{#1#1#1#1#1#1#1#1#1#1}'}\\a{\\a{\\a{\\a{\\a{\\a{x}}}}}}`],
    ['what is no formula', '\\frac{1'],
    ['braces without end', '{'.repeat(3000)],
    ['braces that end', `${'{'.repeat(1500)}x${'}'.repeat(1500)}`],
  ])('that is %s is shown as it was written, or drawn, in good time', async (_what, tex) => {
    const container = await typeset(tex);
    await waitFor(() => expect(container.querySelector('.katex, code')).not.toBe(null));
    expect(container.querySelectorAll('*').length).toBeLessThan(20_000);
  });

  it('draws nothing of boundless size, and leaves its macros to itself', async () => {
    const container = await typeset('\\rule{9999em}{9999em}\\kern{9999em}\\raisebox{9999em}{x}\\gdef\\mine{y}', true);
    const sizes = [...container.querySelectorAll<HTMLElement>('[style]')].flatMap((element) =>
      [...(element.getAttribute('style') ?? '').matchAll(/(-?[\d.]+)em/g)].map(([, size]) => Math.abs(Number(size))),
    );
    expect(Math.max(0, ...sizes)).toBeLessThan(100);
    const other = await typeset('\\mine');
    await waitFor(() => expect(other.querySelector('code')?.textContent).toBe('\\mine'));
  });
});

describe('the blocks of an answer', () => {
  it.each([
    ['one\n\ntwo', ['one', 'two']],
    ['- a\n\n- b\n\n  more\n\nafter', ['- a\n\n- b\n\n  more', 'after']],
    ['```js\na\n\nb\n```\n\nc', ['```js\na\n\nb\n```', 'c']],
    ['````\n```\n\n````\n\nc', ['````\n```\n\n````', 'c']],
    ['1. a\n\n2. b', ['1. a\n\n2. b']],
    ['Note[^1].\n\n[^1]: said', ['Note[^1].\n\n[^1]: said']],
    ['', ['']],
  ])('%j', (text, expected) => {
    const blocks = splitBlocks(text);
    expect(blocks.map((block) => block.text)).toEqual(expected);
    for (const { start, text: words } of blocks) expect(text.slice(start, start + words.length)).toBe(words);
  });
});
