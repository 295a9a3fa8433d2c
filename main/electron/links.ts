/**
 * `quoth://` links and the words of a start's command line, as what the page is asked to show. Anybody can make such a link:
 * it is taken letter by letter, and the most that comes of it is a question in the composer that nobody has sent.
 */
import { type ShellCommand, shellCommand } from '../../app/contract/shell.ts';

export const linkScheme = 'quoth';

const maxLinkCharacters = 8_000;
const maxQuestionCharacters = 2_000;

/** `quoth://ask?question=…`, `quoth://chat/ID`, `quoth://document/ID`; null for everything else. */
export function commandOfLink(link: string): ShellCommand | null {
  if (link.length > maxLinkCharacters) return null;
  let url: URL;
  try {
    url = new URL(link);
  } catch {
    return null;
  }
  const isPlain = url.username === '' && url.password === '' && url.port === '' && url.hash === '';
  if (url.protocol !== `${linkScheme}:` || !isPlain) return null;
  if (url.hostname === 'ask') return /^\/?$/.test(url.pathname) ? commandOfQuestion(url.searchParams) : null;
  const id = /^\/([a-z]+_[0-9a-z]+)\/?$/.exec(url.pathname)?.[1];
  if (id === undefined || url.search !== '') return null;
  const command =
    url.hostname === 'chat'
      ? { type: 'chat', chatId: id, turnId: null }
      : url.hostname === 'document'
        ? { type: 'document', documentId: id }
        : null;
  return shellCommand.safeParse(command).data ?? null;
}

function commandOfQuestion(search: URLSearchParams): ShellCommand | null {
  const names = [...search.keys()];
  if (names.length !== 1 || names[0] !== 'question') return null;
  const question = plainText(search.get('question') ?? '');
  // A command of the composer is what a person types, not what a link brings.
  if (question === '' || question.length > maxQuestionCharacters || question.startsWith('/')) return null;
  return { type: 'compose', question };
}

/** One line without what cannot be seen: control characters and marks that turn the reading direction. */
function plainText(text: string): string {
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\p{Cf}\p{Co}\p{Cn}]/gu, '')
    .replace(/ {2,}/g, ' ')
    .trim();
}

/** What the system's own lists of a program's tasks start it with. */
const flags: Record<string, ShellCommand> = {
  '--new-chat': { type: 'new-chat' },
  '--library': { type: 'view', view: 'library' },
  '--settings': { type: 'view', view: 'settings' },
};

/**
 * What a start with these words asks for: the first link or task among them; null for a plain start. Other words are not ours.
 */
export function commandOfWords(words: readonly string[]): ShellCommand | null {
  for (const word of words) {
    const command = Object.hasOwn(flags, word) ? flags[word] : commandOfLink(word);
    if (command) return command;
  }
  return null;
}
