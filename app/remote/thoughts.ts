/**
 * Takes out what a reasoning model thinks aloud before it answers: `<think> … </think>` at the very beginning. It is no part
 * of the answer, and nothing in it has a quote.
 */
export function createThoughtFilter(): { push(text: string): string; end(): string } {
  const opening = '<think>';
  const closing = '</think>';
  let state: 'beginning' | 'thinking' | 'answering' = 'beginning';
  let held = '';
  return {
    push(text) {
      if (state === 'answering') return text;
      held += text;
      if (state === 'beginning') {
        const begun = held.trimStart();
        if (begun.length < opening.length && opening.startsWith(begun)) return '';
        if (!begun.startsWith(opening)) {
          state = 'answering';
          return held;
        }
        state = 'thinking';
      }
      const end = held.indexOf(closing);
      if (end === -1) {
        // Enough to know the mark again when its second half comes.
        held = held.slice(-closing.length);
        return '';
      }
      state = 'answering';
      return held.slice(end + closing.length).trimStart();
    },
    end: () => (state === 'beginning' ? held : ''),
  };
}
