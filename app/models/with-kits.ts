/** Readers use what is installed beside the app at the moment: the languages of scanned pages, and the speech model. */
import type { ReadFile } from '../../ingest/source.ts';
import type { Models } from './models.ts';

export function withKits(readFile: ReadFile, models: Pick<Models, 'kitsOf'>): ReadFile {
  return async (source, options) => {
    const [scans, [speech]] = await Promise.all([models.kitsOf('scan'), models.kitsOf('speech')]);
    return readFile(source, {
      ...options,
      scanFolders: scans.map(({ folder }) => folder),
      speech: speech && { folder: speech.folder },
    });
  };
}
