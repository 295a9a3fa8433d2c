// @vitest-environment jsdom
import { existsSync } from 'node:fs';
import { act, cleanup, fireEvent, screen, waitFor } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { asMarkdown } from '../../app/chats/markdown.ts';
import type { AskEvent } from '../../app/contract/contract.ts';
import { makeAnswer, makeDocument, Tape } from '../fakes/app-handlers.ts';
import { collectPayloads, payloadFolder } from '../fakes/payloads.ts';
import { openWindow } from './open-window.tsx';

/** Shows a text as the answer to a question, in the whole window. */
async function showAnswer(text: string, kind: 'electron' | 'loopback' = 'loopback', question = 'Q') {
  const window = openWindow((app) => {
    app.setDocument(makeDocument(1));
    const tape = new Tape<AskEvent>();
    tape.push({ type: 'answer', answer: makeAnswer(text) });
    tape.end();
    app.script.answers.push(tape);
  }, kind);
  const user = userEvent.setup();
  const field = await screen.findByRole('textbox', { name: 'Your question' });
  fireEvent.change(field, { target: { value: question } });
  await user.type(field, '{Enter}');
  await screen.findByText(/First word after/);
  await act(async () => undefined); // a long text is drawn after the rest
  return window;
}

const active =
  'img,picture,source,audio,video,iframe,frame,object,embed,link,style,script,base,form,meta,math,svg:not(.lucide):not([viewBox="0 0 32 32"]),[href],[src],[srcset],[action],[formaction],[background],[poster],[ping]';

/** What an answer must never bring to the page: elements that fetch or act, handlers, styles. */
function dangers(root: Element): string[] {
  const found = [...root.querySelectorAll(active)].map((element) => element.outerHTML.slice(0, 120));
  for (const element of root.querySelectorAll('*'))
    for (const { name, value } of element.attributes)
      if (
        /^on/i.test(name) ||
        /^\s*(javascript|vbscript|data):/i.test(value) ||
        (name === 'style' && /url\(/i.test(value))
      )
        found.push(`${element.tagName} ${name}=${value.slice(0, 80)}`);
  return found;
}

const handMade = [
  '![x](https://evil.example/a.png)',
  '![x][1]\n\n[1]: https://evil.example/a.png',
  '[![x](https://evil.example/a.png)](https://evil.example)',
  '[1]: https://evil.example\n\nAs said in [1] and [words][1].',
  '<img src=x onerror=alert(1)>',
  '<svg onload=alert(1)><use href="https://evil.example/x.svg#a"/></svg>',
  '<iframe src="https://evil.example"></iframe><base href="https://evil.example">',
  '[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) [d](vbscript:x) [e](file:///etc/passwd)',
  '<https://evil.example/auto> and https://evil.example/bare and www.evil.example and a@evil.example',
  'Note[^1].\n\n[^1]: See ![x](https://evil.example/a.png)',
  '<style>body{background:url(https://evil.example/a.png)}</style>',
  '<math><maction xlink:href="javascript:alert(1)">x</maction></math>',
  '- [ ] <input onfocus=alert(1) autofocus>\n- [x] done',
  '| a | b |\n|:-:|--:|\n| ![x](https://evil.example/a) | <b onclick=alert(1)>b</b> |',
  '```html\n<script>alert(1)</script>\n```',
  '<a href="https://evil.example" ping="https://evil.example/p">x</a>',
  '[x](https://evil.example "onmouseover=alert(1)")',
];

describe('an answer', () => {
  it('brings nothing that fetches, acts or leads away', async () => {
    for (const text of handMade) {
      const { container } = await showAnswer(text);
      const article = container.querySelector('article');
      expect(article && dangers(article), text).toEqual([]);
      cleanup();
    }
  });

  it('colours code, and what the code says stays words', async () => {
    const code =
      '<a href="https://evil.example" onclick="alert(1)">x</a>\n<script src="https://evil.example/x.js"></script>';
    const { container } = await showAnswer(
      `\`\`\`html\n${code}\n\`\`\`\n\n\`\`\`js" onload="alert(1)\nlet a = 1\n\`\`\``,
    );
    await waitFor(() => expect(container.querySelector('.hljs-tag')).not.toBe(null));
    const article = container.querySelector('article');
    expect(article && dangers(article)).toEqual([]);
    expect(container.querySelector('pre code')?.textContent).toBe(`${code}\n`);
    expect(container.querySelectorAll('pre')).toHaveLength(2);
    for (const span of container.querySelectorAll('pre span')) expect(span.className).toMatch(/^(?:hljs-|language-)/);
  });

  it('shows raw HTML as the text that it is', async () => {
    const { container } = await showAnswer('Look: <b>bold</b>');
    expect(container.querySelector('.prose-answer')?.textContent).toContain('<b>bold</b>');
  });

  it('keeps the marks of Markdown that only shape text', async () => {
    const { container } = await showAnswer('**Bold**\n\n- one\n- two\n\n| a |\n|---|\n| b |\n\n`code`');
    for (const name of ['strong', 'li', 'td', 'code'])
      expect(container.querySelector(`.prose-answer ${name}`), name).toBeTruthy();
  });

  it('holds links that do nothing until a click, and then ask with the real address', async () => {
    const { calls } = await showAnswer(
      'Read [the bank](https://xn--bnk-hoa.example/login).',
      'loopback',
      'Is https://xn--bnk-hoa.example/login mine?',
    );
    fireEvent.click(await screen.findByRole('button', { name: 'the bank' }));
    await screen.findByRole('dialog', { name: 'Open xn--bnk-hoa.example in your browser?' });
    expect(calls.opened).toEqual([]);
    fireEvent.click(screen.getByRole('button', { name: 'Open' }));
    expect(calls.opened).toEqual(['https://xn--bnk-hoa.example/login']);
  });

  it('holds no link that the person did not write', async () => {
    const { container } = await showAnswer(
      'Read [the bank](https://evil.example/a), https://evil.example/b, <https://evil.example/c> and www.evil.example.',
      'loopback',
      'What does https://good.example/a say?',
    );
    await screen.findByText(/Read the bank, https:\/\/evil\.example\/b/);
    const answer = container.querySelector('.prose-answer');
    expect(answer?.querySelectorAll('button, a')).toHaveLength(0);
  });

  it('opens no address that is not secure or that hides its host', async () => {
    const text = 'Read [one](http://plain.example/) and [two](https://user:pass@evil.example/).';
    await showAnswer(text, 'loopback', text);
    for (const name of ['one', 'two']) {
      fireEvent.click(await screen.findByRole('button', { name }));
      await screen.findByRole('dialog');
      expect(screen.queryByRole('button', { name: 'Open' })).toBe(null);
      fireEvent.click(screen.getByRole('button', { name: 'Cancel' }));
    }
  });

  it('leaves the question to the shell where the shell asks by itself', async () => {
    const { calls } = await showAnswer('Read [it](https://example.org/a).', 'electron', 'What is example.org/a?');
    fireEvent.click(await screen.findByRole('button', { name: 'it' }));
    expect(screen.queryByRole('dialog')).toBe(null);
    expect(calls.opened).toEqual(['https://example.org/a']);
  });
});

describe.skipIf(!existsSync(payloadFolder))('the collected payloads', () => {
  afterEach(() => vi.restoreAllMocks());

  it('bring nothing that fetches, acts or leads away, as text, as a link and as a picture', async () => {
    const payloads = collectPayloads();
    expect(payloads.length).toBeGreaterThan(300);
    const { AnswerText } = await import('../../renderer/chat/text/answer-text.tsx');
    const { createElement } = await import('react');
    const { QuothProvider } = await import('../../renderer/common/quoth.tsx');
    const { quoth } = openWindow();
    const { render } = await import('@testing-library/react');
    const alert = vi.fn();
    vi.stubGlobal('alert', alert);
    const found: string[] = [];
    for (const payload of payloads) {
      const text = `${payload}\n\n[link](${payload}) ![picture](${payload}) [1]\n\n[1]: ${payload}`;
      const { container, unmount } = render(
        createElement(QuothProvider, { quoth, children: createElement(AnswerText, { text, question: text }) }),
      );
      found.push(...dangers(container));
      unmount();
    }
    expect(found).toEqual([]);
    expect(alert).not.toHaveBeenCalled();
  });

  it('shows a document’s words as they are: their signs are no Markdown, their brackets no citations', async () => {
    const words = 'As in [3], 2 * 3 * 4 = _x_ < 5 & `y` ~~z~~ | \\\\ end';
    await showAnswer(`- “${asMarkdown(words)}” [1]`);
    const line = document.querySelector('.prose-answer li');
    expect(line?.textContent?.replaceAll('\u2060', '')).toBe(`“${words}”[1]`);
    expect(line?.querySelectorAll('em, del, code, cite em').length).toBe(0);
    expect(line?.querySelectorAll('[title="This number names none of the sources."]').length).toBe(1);
  });
});
