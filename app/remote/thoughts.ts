/**
 * Takes out what a reasoning model thinks aloud before it answers: `<think> … </think>` at the very beginning. It is no part
 * of the answer, and nothing in it has a quote.
 */
export function createThoughtFilter(): { push(text: string): string; end(): string } {
  const opening = '<think>';
  const closing = '</think>';
  let state: 'beginning' | 'thinking' | 'thought' | 'answering' = 'beginning';
  let held = '';
  return {
    push(text) {
      if (state === 'answering') return text;
      if (state === 'thought') {
        // The empty lines between the two may come in pieces of their own.
        const answer = text.trimStart();
        if (answer !== '') state = 'answering';
        return answer;
      }
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
      const answer = held.slice(end + closing.length).trimStart();
      state = answer === '' ? 'thought' : 'answering';
      return answer;
    },
    end: () => (state === 'beginning' ? held : ''),
  };
}
