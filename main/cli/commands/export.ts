import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { QuothError } from '../../../app/contract/errors.ts';
import { type ChatId, type ChatSummary, exportFormat } from '../../../app/contract/types.ts';
import { type Command, WrongUse } from '../command.ts';

export const command: Command = {
  usage: 'export <chat> [--format markdown|html|docx] [--out FILE]',
  summary: 'Writes a chat with its quotes, their places and links. <chat> is an id or a part of a title.',
  options: ['format', 'out'],
  minPositionals: 1,
  maxPositionals: 1,
  async run({ positionals: [wanted = ''], values, output, openCore, signal }) {
    const format = exportFormat.safeParse(values.format ?? 'markdown');
    if (!format.success) throw new WrongUse('--format is markdown, html or docx.');
    if (format.data === 'docx' && values.out === undefined)
      throw new WrongUse('A Word document is no text: say with --out where it is to be written.');
    const core = await openCore();
    const { chats } = await core.handlers.listChats({}, signal);
    const chatId = findChat(chats as ChatSummary[], wanted);
    const { name, base64 } = await core.handlers.exportChat({ chatId, format: format.data }, signal);
    const bytes = Buffer.from(base64, 'base64');
    const file = values.out === undefined ? null : path.resolve(values.out);
    if (file)
      await writeFile(file, bytes).catch((cause: unknown) => {
        throw new QuothError('denied', `"${file}" could not be written.`, { cause });
      });
    await output.say(
      { type: 'exported', chatId, name, file, ...(file ? {} : { text: bytes.toString('utf8') }) },
      file ? `Wrote ${file}.` : bytes.toString('utf8').trimEnd(),
    );
    return 0;
  },
};

function findChat(chats: ChatSummary[], wanted: string): ChatId {
  const named = chats.filter(({ id, title }) => id === wanted || title === wanted);
  const found =
    named.length > 0 ? named : chats.filter(({ title }) => title.toLowerCase().includes(wanted.toLowerCase()));
  const [chat, another] = found;
  if (!chat) throw new QuothError('not-found', `There is no chat "${wanted}"; "quoth chats" lists them.`);
  if (another)
    throw new QuothError('invalid-input', `${found.length} chats are called so; "quoth chats" shows their ids.`);
  return chat.id;
}
