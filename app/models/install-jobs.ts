/** What the list of installs works off: a model of the catalogue, or one of the person's own files. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outside } from '../outside.ts';
import { fetchedBytes, install } from './install.ts';
import type { InstallJob, OwnFiles } from './installs.ts';
import { type ModelList, toOwnOffer } from './model-list.ts';
import { type BuildOffer, downloadBytesOf, type Offer } from './offer.ts';
import { gather, importFiles, removeUploads } from './own-files.ts';

export type InstallJobs = {
  catalogueJob(offer: Offer): InstallJob;
  ownJob(id: string, ownFiles: OwnFiles): InstallJob;
  /** The job of a saved entry; null for a model that the catalogue does not have any more. */
  jobOf(id: string, ownFiles: OwnFiles | null): InstallJob | null;
};

export function createInstallJobs(parts: {
  outside: Outside;
  list: ModelList;
  offers: readonly Offer[];
  build: BuildOffer;
  /** Called before a model's files are replaced. */
  prepare: (offer: Offer) => Promise<void>;
}): InstallJobs {
  const { outside, list, offers, build, prepare } = parts;

  function catalogueJob(offer: Offer): InstallJob {
    const where = () => list.folderOf(offer);
    return {
      ...{ id: offer.id, name: offer.name, role: offer.role, ownFiles: null },
      left: async () => ({ doneBytes: await fetchedBytes(offer, where()), totalBytes: downloadBytesOf(offer) }),
      async run(signal, report) {
        if (await list.isWhole(offer, signal)) return;
        await prepare(offer);
        await install(offer, where(), build, outside, signal, report);
      },
      discard: async () => {
        await rm(where().download, { recursive: true, force: true });
      },
    };
  }

  function ownJob(id: string, ownFiles: OwnFiles): InstallJob {
    const { name, role, paths } = ownFiles;
    const offer = toOwnOffer(id, name, role, 0);
    const where = () => list.folderOf(offer);
    return {
      ...{ id, name, role, ownFiles },
      left: async () => ({ doneBytes: 0, totalBytes: 0 }),
      async run(signal, report) {
        await prepare(offer);
        const given = await gather(paths, join(where().download, 'checkpoint'));
        await importFiles(given, offer, where(), build, outside, signal, report);
        await removeUploads(paths, outside.profileFolder);
      },
      discard: async () => {
        await rm(where().folder, { recursive: true, force: true });
        await removeUploads(paths, outside.profileFolder);
      },
    };
  }

  const jobOf = (id: string, ownFiles: OwnFiles | null): InstallJob | null => {
    const offer = offers.find((one) => one.id === id);
    return ownFiles ? ownJob(id, ownFiles) : offer ? catalogueJob(offer) : null;
  };

  return { catalogueJob, ownJob, jobOf };
}
