import type { Command } from '../command.ts';
import { wholeNumber } from '../command.ts';
import { placeWords } from '../places.ts';

export const command: Command = {
  usage: 'search <question> [-k 10]',
  summary: 'Finds the passages that fit a question best.',
  options: ['k'],
  minPositionals: 1,
  maxPositionals: 1,
  async run({ positionals: [question = ''], values, output, openCore, signal }) {
    const limit = wholeNumber(values, 'k', { default: 10, min: 1, max: 100 });
    const core = await openCore();
    const { passages, timings } = await core.handlers.search({ question, limit }, signal);
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
    await output.say({ passages: facts, timings }, words.join('\n') || 'Nothing was found.');
    return 0;
  },
};
