import type { Command } from '../command.ts';
import { wholeNumber } from '../command.ts';
import { explanationWords } from '../explain.ts';
import { placeWords } from '../places.ts';
import { scopeOf, scopeOptions, scopeUsage } from '../scope.ts';

export const command: Command = {
  usage: `search <question> [-k 10] [--explain] ${scopeUsage}`,
  summary:
    'Finds the passages that fit a question best; --explain shows all candidates, their scores and why they were dropped.',
  options: ['k', ...scopeOptions],
  flags: ['explain'],
  minPositionals: 1,
  maxPositionals: 1,
  async run({ positionals: [question = ''], values, output, openCore, signal }) {
    const limit = wholeNumber(values, 'k', { default: 10, min: 1, max: 100 });
    const core = await openCore();
    const scope = scopeOf(values, core);
    const explain = values.explain !== undefined;
    const { passages, timings, explanation } = await core.handlers.search(
      { question, limit, explain, ...(scope ? { scope } : {}) },
      signal,
    );
    const facts = passages.map(({ passageId, documentId, source, title, place, text, score, alsoIn = [] }) => ({
      passageId,
      documentId,
      source,
      title,
      page: place.page,
      startSeconds: place.startSeconds,
      label: place.label,
      text,
      score,
      alsoIn: alsoIn.map(({ documentId: twin, source: file, place: at }) => ({
        documentId: twin,
        source: file,
        page: at.page,
      })),
    }));
    const words = passages.map((passage, index) => {
      const where = [passage.source, placeWords(passage.place)].filter((part) => part !== '').join(', ');
      const files = (passage.alsoIn ?? []).map(({ source }) => source);
      const also = files.length > 0 ? `\n   also in: ${files.join(', ')}` : '';
      return `${index + 1}. ${where}${also}\n   ${passage.text.replace(/\s+/g, ' ').slice(0, 300)}`;
    });
    if (explanation) {
      await output.say({ passages: facts, timings, explanation }, explanationWords(explanation));
      return 0;
    }
    await output.say({ passages: facts, timings }, words.join('\n') || 'Nothing was found.');
    return 0;
  },
};
