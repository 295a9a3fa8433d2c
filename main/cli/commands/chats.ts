import type { ChatSummary } from '../../../app/contract/types.ts';
import type { Command } from '../command.ts';

export const command: Command = {
  usage: 'chats',
  summary: 'Lists the saved chats, the one last spoken in first.',
  options: [],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ output, openCore, signal }) {
    const core = await openCore();
    const { chats } = await core.handlers.listChats({}, signal);
    for (const chat of chats as ChatSummary[])
      await output.say(
        { type: 'chat', ...chat },
        `${chat.id}  ${new Date(chat.updatedAtMs).toISOString().slice(0, 10)}  ${chat.title}`,
      );
    if (chats.length === 0 && !output.json) await output.say({}, 'There are no chats yet.');
    return 0;
  },
};
