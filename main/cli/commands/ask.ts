import type { AskEvent } from '../../../app/contract/contract.ts';
import { QuothError } from '../../../app/contract/errors.ts';
import { chatId } from '../../../app/contract/types.ts';
import type { Command } from '../command.ts';
import { placeWords } from '../places.ts';
import { scopeOf, scopeOptions, scopeUsage } from '../scope.ts';

/** Markdown's escapes are for the window; a terminal shows the signs themselves. */
const plain = (markdown: string): string => markdown.replace(/\\([!-/:-@[-`{-~])/g, '$1');

export const command: Command = {
  usage: `ask <question> [--chat ID] ${scopeUsage}`,
  summary: 'Answers a question from the library, with the quotes that back it.',
  options: ['chat', ...scopeOptions],
  minPositionals: 1,
  maxPositionals: 1,
  async run({ positionals: [question = ''], values, output, openCore, signal }) {
    const chat = values.chat === undefined ? null : chatId.safeParse(values.chat);
    if (chat && !chat.success) throw new QuothError('not-found', `There is no chat "${values.chat}".`);
    const core = await openCore();
    // Without the options, a chat goes on in what its last question was asked in.
    const scope = scopeOf(values, core) ?? undefined;
    const events = core.handlers.ask(
      { question, chatId: chat?.data ?? null, scope },
      signal,
    ) as AsyncIterable<AskEvent>;
    let streamed = '';
    for await (const event of events) {
      if (event.type === 'started') await output.say(event, null);
      if (event.type === 'text') {
        await output.say(event, null);
        streamed += event.text;
        await output.piece(event.text);
      }
      if (event.type !== 'answer') continue;
      const { text, citations, refused, writtenBy, end, timings } = event.answer;
      const facts = citations.map(({ n, documentId, source, place, quote, verified }) => ({
        n,
        documentId,
        source,
        page: place.page,
        startSeconds: place.startSeconds,
        label: place.label,
        quote,
        verified,
      }));
      const words = citations.map(({ n, source, place, quote, verified }) => {
        const where = [source, placeWords(place)].filter((part) => part !== '').join(', ');
        return `[${n}] ${where}${verified ? '' : ' (not verified)'}\n    “${quote.replace(/\s+/g, ' ')}”`;
      });
      // What the model said was left out: a line cannot be taken back, so the answer comes after it.
      const replaced = (refused || writtenBy === 'quotes') && streamed.trim() !== text ? `\n\n${plain(text)}` : '';
      await output.say(
        { type: 'answer', text, citations: facts, refused, writtenBy, end, timings },
        `${replaced}\n\n${words.join('\n')}`.trimEnd(),
      );
    }
    return 0;
  },
};
