import type { AskEvent } from '../../../app/contract/contract.ts';
import { QuothError } from '../../../app/contract/errors.ts';
import { chatId } from '../../../app/contract/types.ts';
import { answerFact, citationWords, doubtWords, plain } from '../answers.ts';
import type { Command } from '../command.ts';
import { scopeOf, scopeOptions, scopeUsage } from '../scope.ts';

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
      if (event.type === 'sources' && event.searchedFor !== undefined) {
        const { searchedFor } = event;
        await output.say({ type: 'searched', searchedFor }, `Searched: ${searchedFor.replace(/\s+/g, ' ')}\n`);
      }
      if (event.type === 'text') {
        await output.say(event, null);
        streamed += event.text;
        await output.piece(plain(event.text));
      }
      if (event.type !== 'answer') continue;
      const { text, refused, doubtful, writtenBy } = event.answer;
      // What the model said was left out: a line cannot be taken back, so the answer comes after it.
      const replaced = (refused || writtenBy === 'quotes') && streamed.trim() !== text ? `\n\n${plain(text)}` : '';
      const doubt = doubtful ? `\n\n${doubtWords}` : '';
      await output.say(answerFact(event.answer), `${replaced}${doubt}\n\n${citationWords(event.answer)}`.trimEnd());
    }
    return 0;
  },
};
