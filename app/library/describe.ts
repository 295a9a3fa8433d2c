/** All that is known of one document, and what the library takes on the disk. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { DocumentSummary } from '../contract/types.ts';
import type { Citing } from '../store/citing.ts';
import type { StoredDocument } from '../store/document-table.ts';
import type { PassageTable } from '../store/passage-table.ts';
import type { Copies } from './copies.ts';
import { languageOf } from './language.ts';
import { nameOf } from './places.ts';
import { isGone } from './reconcile.ts';
import { describeScans } from './scans.ts';

export type DescribeParts = {
  profileFolder: string;
  find(id: string): StoredDocument | null;
  summaryOf(document: StoredDocument): DocumentSummary;
  passages: Pick<PassageTable, 'passagesOf' | 'scansOf' | 'storedFacts'>;
  citing: Citing;
  copies: Copies;
};

const mostCiting = 100;
/** Passages that a language is told from, taken from the whole document: a preface may be in another one. */
const numSamples = 6;

export function createDescribe(
  parts: DescribeParts,
): Pick<Handlers<QuothContract>, 'describeDocument' | 'describeLibrary'> {
  const { find, summaryOf, passages, citing, copies, profileFolder } = parts;

  function sampleOf({ id, numPassages }: StoredDocument): string {
    const step = Math.max(1, Math.floor(numPassages / numSamples));
    const texts: string[] = [];
    for (let ordinal = 0; ordinal < numPassages && texts.length < numSamples; ordinal += step)
      texts.push(...passages.passagesOf(id, ordinal, 1).map(({ text }) => text));
    return texts.join('\n');
  }

  return {
    async describeDocument({ documentId }) {
      const document = find(documentId);
      if (!document) throw new QuothError('not-found', 'This document is not in the library any more.');
      const isFile = document.sourceType === 'file';
      const isCopy = copies.isCopy(document);
      const { numVectors, storedBytes } = passages.storedFacts(documentId);
      const language = languageOf(sampleOf(document));
      const copyBytes = isCopy ? await bytesOf(document.location) : 0;
      return {
        document: summaryOf(document),
        changedAtMs: document.modifiedAtMs,
        language,
        ...describeScans(passages.scansOf(documentId), language),
        // Where a copy lies means nothing to a person: it never was in a folder of theirs.
        folderName: isFile && !isCopy ? nameOf(dirname(document.location)) : null,
        isThere: isFile ? !(await isGone(document.location)) : null,
        isCopy,
        numVectors,
        storedBytes: storedBytes + copyBytes,
        citedIn: citing.turnsCiting(documentId, mostCiting),
      };
    },
    async describeLibrary() {
      const names = await readdir(profileFolder).catch(() => []);
      const database = names.filter((name) => /^quoth\.db(-wal)?$/.test(basename(name)));
      const [databaseBytes, indexBytes, copiesBytes] = await Promise.all([
        sum(database.map((name) => bytesOf(join(profileFolder, name)))),
        bytesBelow(join(profileFolder, 'index')),
        bytesBelow(copies.folder),
      ]);
      return { databaseBytes, indexBytes, copiesBytes };
    },
  };
}

async function sum(sizes: Promise<number>[]): Promise<number> {
  return (await Promise.all(sizes)).reduce((total, size) => total + size, 0);
}

async function bytesOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

/** Of the files in a folder and below; 0 where there is none. Its folders are ours: no link leads out of them. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  let total = 0;
  for (const entry of entries) if (entry.isFile()) total += await bytesOf(join(entry.parentPath, entry.name));
  return total;
}
