/** The first steps: whether the welcome was seen, and a few documents of ours to try Quoth with. */
import { mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { Library } from '../library/library.ts';
import type { Outside } from '../outside.ts';
import type { SettingsTable } from '../store/settings-table.ts';

type WelcomeHandlers = Pick<Handlers<QuothContract>, 'readWelcome' | 'endWelcome' | 'addSamples' | 'removeSamples'>;

const seenKey = 'welcome.seen';

export function createWelcome(parts: {
  outside: Pick<Outside, 'profileFolder' | 'samplesFolder'>;
  settings: SettingsTable;
  library: Pick<Library, 'addPaths' | 'under' | 'list'> & { handlers: Pick<Library['handlers'], 'removeDocument'> };
}): WelcomeHandlers {
  const { outside, settings, library } = parts;
  // In the profile: the library reads them there as any other file, and they stay when the program is replaced.
  const folder = join(outside.profileFolder, 'samples');
  return {
    // Who has documents already, from an earlier version, knows what this is.
    readWelcome: async () => ({
      seen: settings.readValue(seenKey, z.boolean(), false) || library.list().length > 0,
    }),
    endWelcome: async () => {
      settings.writeValue(seenKey, true);
      return {};
    },
    async *addSamples(_input, signal) {
      try {
        await mkdir(folder, { recursive: true });
        for (const name of await readdir(outside.samplesFolder)) {
          const bytes = await readFile(join(outside.samplesFolder, name));
          // Written anew, a file counts as changed and is read again.
          const there = await readFile(join(folder, name)).catch(() => null);
          if (!there?.equals(bytes)) await writeFile(join(folder, name), bytes);
        }
      } catch (cause) {
        throw new QuothError('internal', 'The sample documents could not be put into place.', { cause });
      }
      yield* library.addPaths([await realpath(folder)], signal);
    },
    removeSamples: async (_input, signal) => {
      const real = await realpath(folder).catch(() => folder);
      for (const { id } of library.under(real)) await library.handlers.removeDocument({ documentId: id }, signal);
      await rm(folder, { recursive: true, force: true });
      return {};
    },
  };
}
