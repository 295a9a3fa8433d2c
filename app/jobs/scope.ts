/** Which documents a task means, and which of them cannot be read. */
import { QuothError } from '../contract/errors.ts';
import type { JobTask } from '../contract/types.ts';
import type { CollectionTable } from '../store/collection-table.ts';
import type { DocumentTable, StoredDocument } from '../store/document-table.ts';
import type { FolderTable } from '../store/folder-table.ts';
import type { JobLanguage } from '../store/job-table.ts';
import type { Scope } from './run.ts';
import { jobWords } from './words.ts';

export type ScopeParts = {
  documents: DocumentTable;
  folders: FolderTable;
  collections: Pick<CollectionTable, 'find' | 'documentsOf'>;
  folderNames: () => readonly { id: string; name: string }[];
  /** Takes documents whose files are gone out of the library's readable ones. */
  dropGone: (documentIds: readonly string[]) => Promise<boolean>;
};

/** In the order of their places; those of the library the oldest first. Fails with `not-found` for what is not there. */
function documentsOf(task: JobTask, { documents, folders, collections }: ScopeParts, isNew = false): StoredDocument[] {
  const find = (id: string): StoredDocument => {
    const document = documents.find(id);
    if (!document) throw new QuothError('not-found', 'This document is not in the library any more.');
    return document;
  };
  if (task.type === 'compare') return task.documents.map(find);
  switch (task.scope.type) {
    case 'library':
      return documents.list().reverse();
    case 'folder': {
      const folder = folders.find(task.scope.folderId);
      if (!folder) throw new QuothError('not-found', 'This folder is not watched any more.');
      return documents.listUnder(folder.path);
    }
    case 'collection': {
      collectionOf(task.scope.collectionId, collections);
      return collections.documentsOf(task.scope.collectionId).map(find);
    }
    case 'documents': {
      const ids = [...new Set(task.scope.documentIds)];
      // Of several, one that was removed while the job waited is none of it any more.
      const there = ids.filter((id) => documents.find(id) !== null);
      return isNew || there.length === 0 ? ids.map(find) : there.map(find);
    }
  }
}

function collectionOf(id: string, collections: ScopeParts['collections']): { name: string } {
  const collection = collections.find(id);
  if (!collection) throw new QuothError('not-found', 'This collection does not exist any more.');
  return collection;
}

export async function readScope(task: JobTask, parts: ScopeParts): Promise<Scope> {
  const ready = documentsOf(task, parts).filter(({ state }) => state === 'ready');
  await parts.dropGone(ready.map(({ id }) => id));
  const scope: Scope = { readable: [], unread: [] };
  for (const { id, title, state, reason, numPassages } of documentsOf(task, parts))
    if (state === 'ready' && numPassages > 0) scope.readable.push({ id, title, numPassages });
    else scope.unread.push({ documentId: id, title, reason: reason ?? notYet(state) });
  if (task.type === 'compare' && scope.readable.length < 2) {
    const [first] = scope.unread;
    throw new QuothError('unreadable', `“${first?.title}” cannot be compared: ${first?.reason}`);
  }
  return scope;
}

function notYet(state: StoredDocument['state']): string {
  return state === 'ready' ? 'It holds no passages.' : 'It has not been read yet.';
}

/** The task as the question of its turn. */
export function questionOf(task: JobTask, language: JobLanguage, parts: ScopeParts): string {
  const words = jobWords[language];
  const titles = task.type === 'compare' || task.scope.type === 'documents' ? documentsOf(task, parts, true) : [];
  if (task.type === 'compare') {
    const [first, second] = titles;
    if (!first || !second || first.id === second.id)
      throw new QuothError('invalid-input', 'Please choose two different documents to compare.');
    return words.compare(first.title, second.title);
  }
  const { scope } = task;
  let of = words.library;
  if (scope.type === 'documents') of = titles.length === 1 ? titles[0]!.title : words.documents(titles.length);
  if (scope.type === 'folder') {
    documentsOf(task, parts); // fails where there is none
    of = parts.folderNames().find(({ id }) => id === scope.folderId)?.name ?? '';
  }
  if (scope.type === 'collection') of = collectionOf(scope.collectionId, parts.collections).name;
  return task.type === 'summarise' ? words.summarise(of) : words.mentions(task.words, of);
}
