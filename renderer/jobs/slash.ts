/** The commands that can be typed instead of a question: `/summarise`, `/mentions Eiffel Tower`, `/compare`. */
import type { JobTask } from '../../app/contract/types.ts';

export type JobType = JobTask['type'];
export const jobTypes: readonly JobType[] = ['summarise', 'mentions', 'compare'];

/** What a command asks for: the kind, and the words behind it. */
export type SlashCommand = { type: JobType; words: string };

const also: Readonly<Record<JobType, readonly string[]>> = {
  summarise: ['summarise', 'summarize', 'summary'],
  mentions: ['mentions', 'mention', 'list'],
  compare: ['compare', 'diff'],
};

/**
 * The commands that a draft may become: all of them for "/", none for a question. `nameOf` gives a command's name in the
 * language of the window; the English ones are always understood.
 */
export function slashCommands(draft: string, nameOf: (type: JobType) => string): SlashCommand[] {
  const match = /^\/(\S*)(?:\s+([\s\S]*))?$/u.exec(draft);
  if (!match) return [];
  const [, typed = '', words] = match;
  const wanted = typed.toLocaleLowerCase();
  const names = (type: JobType): string[] => [nameOf(type).toLocaleLowerCase(), ...also[type]];
  // Behind a space the command is whole.
  const fits = (name: string): boolean => (words === undefined ? name.startsWith(wanted) : name === wanted);
  return jobTypes.filter((type) => names(type).some(fits)).map((type) => ({ type, words: (words ?? '').trim() }));
}
