import type { Command } from '../command.ts';

export const command: Command = {
  usage: 'chats [words]',
  summary: 'Lists the saved chats, the one last spoken in first, or those that speak of something.',
  options: [],
  minPositionals: 0,
  maxPositionals: 1,
  async run({ positionals: [words], output, openCore, signal }) {
    const { handlers } = await openCore();
    const list = words
      ? (await handlers.searchChats({ words, limit: 200 }, signal)).found
      : (await handlers.listChats({}, signal)).chats.map((chat) => ({ chat, matches: [] }));
    for (const { chat, matches } of list) {
      const day = new Date(chat.updatedAtMs).toISOString().slice(0, 10);
      const lines = matches.map(({ before, match, after }) => `    ${before}${match}${after}`);
      await output.say({ type: 'chat', ...chat, matches }, [`${chat.id}  ${day}  ${chat.title}`, ...lines].join('\n'));
    }
    if (list.length === 0 && !output.json)
      await output.say({}, words ? 'No chat speaks of that.' : 'There are no chats yet.');
    return 0;
  },
};
