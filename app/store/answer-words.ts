/** What the search in chats finds of a stored answer. For one answer it must give the same for ever: see words.ts. */
import { words } from './words.ts';

type Parts = { text: string; sources: { title: string; source: string; quote: string }[] };

/** The words of the answer itself. */
export function answerWords(json: string): string {
  return words(answerParts(json).text);
}

/** The words of what it cites: titles, names of files, quotes. */
export function sourceWords(json: string): string {
  return words(
    answerParts(json)
      .sources.map(({ title, source, quote }) => `${title} ${source} ${quote}`)
      .join(' '),
  );
}

/** What can be read of a stored answer, however damaged. */
export function answerParts(json: string | null): Parts {
  let value: unknown = null;
  try {
    value = JSON.parse(json ?? 'null');
  } catch {
    // Nothing can.
  }
  const citations = member(value, 'citations');
  const text = (of: unknown, name: string): string => {
    const found = member(of, name);
    return typeof found === 'string' ? found : '';
  };
  return {
    text: text(value, 'text'),
    sources: (Array.isArray(citations) ? citations : []).map((one: unknown) => ({
      title: text(one, 'title'),
      source: text(one, 'source'),
      quote: text(one, 'quote'),
    })),
  };
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
