import type { Command } from '../command.ts';
import { wholeNumber } from '../command.ts';
import { explanationWords } from '../explain.ts';
import { placeWords } from '../places.ts';

export const command: Command = {
  usage: 'search <question> [-k 10] [--explain]',
  summary:
    'Finds the passages that fit a question best; --explain shows all candidates, their scores and why they were dropped.',
  options: ['k'],
  flags: ['explain'],
  minPositionals: 1,
  maxPositionals: 1,
  async run({ positionals: [question = ''], values, output, openCore, signal }) {
    const limit = wholeNumber(values, 'k', { default: 10, min: 1, max: 100 });
    const core = await openCore();
    const explain = values.explain !== undefined;
    const { passages, timings, explanation } = await core.handlers.search({ question, limit, explain }, signal);
    const facts = passages.map(({ passageId, documentId, source, title, place, text, score }) => ({
      passageId,
      documentId,
      source,
      title,
      page: place.page,
      startSeconds: place.startSeconds,
      label: place.label,
      text,
      score,
    }));
    const words = passages.map((passage, index) => {
      const where = [passage.source, placeWords(passage.place)].filter((part) => part !== '').join(', ');
      return `${index + 1}. ${where}\n   ${passage.text.replace(/\s+/g, ' ').slice(0, 300)}`;
    });
    if (explanation) {
      await output.say({ passages: facts, timings, explanation }, explanationWords(explanation));
      return 0;
    }
    await output.say({ passages: facts, timings }, words.join('\n') || 'Nothing was found.');
    return 0;
  },
};
