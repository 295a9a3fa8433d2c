import { realpath, stat } from 'node:fs/promises';
import type { Collection, CollectionId, DocumentId, PlaceKey } from '../../../app/contract/types.ts';
import { collectionNamed } from '../../../app/library/places.ts';
import { placeKeyOf } from '../../../app/store/scope-table.ts';
import { type Command, WrongUse } from '../command.ts';
import { scopeOf } from '../job.ts';
import { documentFact, documentWords } from '../places.ts';

const actions = ['list', 'show', 'create', 'rename', 'delete', 'add', 'take'];

export const command: Command = {
  usage:
    'collections [list | show <name> | create <name> | rename <name> <new name> | delete <name> | add <name> <document | folder> | take <name> <document | folder>]',
  summary:
    'Named sets of documents to ask in (--collection). Of a folder that is in one, all files are, the later ones too.',
  options: [],
  minPositionals: 0,
  maxPositionals: 3,
  async run({ positionals: [action = 'list', name = '', what = ''], output, openCore, signal }) {
    if (!actions.includes(action)) throw new WrongUse(`"${action}" is nothing that can be done with collections.`);
    const needsWhat = ['rename', 'add', 'take'].includes(action);
    if (action !== 'list' && name === '') throw new WrongUse('The name of the collection is missing.');
    if (needsWhat && what === '') throw new WrongUse('Something is missing.');
    if (!needsWhat && (what !== '' || (action === 'list' && name !== ''))) throw new WrongUse('That is too much.');
    const { app, handlers } = await openCore();
    if (action === 'list') {
      const collections = app.listCollections();
      await output.say({ collections }, collections.map(wordsOf).join('\n') || 'There is no collection yet.');
      return 0;
    }
    if (action === 'create') {
      const input = { name, documentIds: [], folders: [] };
      const { collectionId } = (await handlers.createCollection(input, signal)) as { collectionId: CollectionId };
      await output.say({ type: 'created', collectionId, name }, `Created "${name}".`);
      return 0;
    }
    const collection = collectionNamed(app.listCollections(), name);
    const collectionId = collection.id;
    switch (action) {
      case 'show': {
        const documents = app.library.list().filter((one) => one.collections.includes(collectionId));
        const words = [wordsOf(collection), ...documents.map(documentWords)].join('\n');
        await output.say({ collection, documents: documents.map(documentFact) }, words);
        return 0;
      }
      case 'rename':
        await handlers.renameCollection({ collectionId, name: what }, signal);
        await output.say({ type: 'renamed', collectionId, name: what }, `"${collection.name}" is now "${what}".`);
        return 0;
      case 'delete':
        await handlers.deleteCollection({ collectionId }, signal);
        await output.say({ type: 'deleted', collectionId }, `Deleted "${collection.name}". Its documents stay.`);
        return 0;
      default: {
        const parts = await partsOf(app.library, collection, what);
        const input = { collectionId, ...parts };
        if (action === 'add') await handlers.addToCollection(input, signal);
        const numKept =
          action === 'take' ? ((await handlers.takeFromCollection(input, signal)) as { numKept: number }).numKept : 0;
        const after = app.listCollections().find(({ id }) => id === collectionId) ?? collection;
        const kept = numKept > 0 ? '\nIt is in it with its folder; take that out instead.' : '';
        await output.say({ type: action, collection: after, numKept }, `${wordsOf(after)}${kept}`);
        return numKept > 0 ? 1 : 0;
      }
    }
  },
};

function wordsOf({ name, numDocuments, numReady, folders }: Collection): string {
  const inside = folders.length > 0 ? `, with ${folders.map((folder) => folder.name).join('; ')}` : '';
  return `${name} (${numReady} of ${numDocuments} ready${inside})`;
}

type Library = Parameters<typeof scopeOf>[0];

/** A folder goes in and out as a whole; a document by its id, path, title or name. */
async function partsOf(
  library: Library,
  { folders }: Collection,
  what: string,
): Promise<{ documentIds: DocumentId[]; folders: PlaceKey[] }> {
  const path = await realpath(what).catch(() => null);
  const held = folders.find(({ name, folder }) => name === what || (path !== null && folder === placeKeyOf(path)));
  if (held) return { documentIds: [], folders: [held.folder] };
  const isFolder = path !== null && (await stat(path)).isDirectory() && library.under(path).length > 0;
  if (isFolder) return { documentIds: [], folders: [placeKeyOf(path)] };
  const scope = await scopeOf(library, what);
  if (scope.type === 'folder') {
    const watched = library.listFolders().find(({ id }) => id === scope.folderId);
    return { documentIds: [], folders: watched ? [watched.place] : [] };
  }
  return { documentIds: scope.type === 'documents' ? scope.documentIds : [], folders: [] };
}
