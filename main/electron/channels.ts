/** The channels between the preload script and the window process. There are no others. */
import { z } from 'zod';
import { documentId } from '../../app/contract/types.ts';

/** Paths are at most this long on any system that Electron runs on. */
const maxPathCharacters = 33_000;

/** The largest message of the core is smaller. */
const maxFileCharacters = 16 * 1024 * 1024;

export const channels = {
  connect: { name: 'quoth:connect', input: z.tuple([]) },
  chooseFiles: { name: 'quoth:choose-files', input: z.tuple([]) },
  chooseFolder: { name: 'quoth:choose-folder', input: z.tuple([]) },
  ticketsForPaths: {
    name: 'quoth:tickets-for-paths',
    input: z.tuple([z.array(z.string().min(1).max(maxPathCharacters)).max(10_000)]),
  },
  saveFile: {
    name: 'quoth:save-file',
    // A name, never a path: the person says where.
    input: z.tuple([
      z.object({
        name: z
          .string()
          .min(1)
          .max(255)
          .regex(/^[^/\\\0]+$/),
        text: z.string().max(maxFileCharacters),
      }),
    ]),
  },
  showInFolder: { name: 'quoth:show-in-folder', input: z.tuple([documentId]) },
  openExternal: { name: 'quoth:open-external', input: z.tuple([z.string().max(4_000)]) },
} as const;

/** On which the window process hands a fresh end of the core's connection to the page. */
export const portChannel = 'quoth:port';

export type ChannelName = keyof typeof channels;
export type ChannelInput<Name extends ChannelName> = z.output<(typeof channels)[Name]['input']>;
