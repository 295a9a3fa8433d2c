/** What was dropped or pasted: files with their paths inside of what was dropped, or addresses. */
import { parseAddress } from '../common/address.ts';

export type Dropped =
  | { type: 'files'; items: File[]; relativePaths: string[] }
  | { type: 'addresses'; addresses: string[] }
  | { type: 'nothing' };

const maxFiles = 10_000; // One request of the contract takes so many.
const maxDepth = 64;

/** Whether a drag carries something that the library could take. */
export function canTake(transfer: DataTransfer | null): boolean {
  return transfer !== null && [...transfer.types].some((type) => type === 'Files' || type === 'text/uri-list');
}

/**
 * Reads a drop. Must be called inside of the event's own turn: a `DataTransfer` is empty afterwards, so all that it holds
 * is taken out before the first wait. `walkFolders` is for a browser, where a folder's files are given one by one; Electron
 * gives the folder itself.
 */
export async function readDropped(transfer: DataTransfer, walkFolders: boolean): Promise<Dropped> {
  const items = [...transfer.files];
  if (items.length > 0) {
    if (!walkFolders) return { type: 'files', items, relativePaths: items.map((file) => file.name) };
    const entries = [...transfer.items].flatMap((item) => {
      const entry = item.kind === 'file' ? item.webkitGetAsEntry?.() : null;
      return entry ? [entry] : [];
    });
    if (entries.length === 0) return { type: 'files', items, relativePaths: items.map((file) => file.name) };
    const found: { file: File; path: string }[] = [];
    for (const entry of entries) await walk(entry, found, 0);
    return { type: 'files', items: found.map(({ file }) => file), relativePaths: found.map(({ path }) => path) };
  }
  const words = transfer.getData('text/uri-list') || transfer.getData('text/plain');
  const addresses = addressesIn(words);
  return addresses.length > 0 ? { type: 'addresses', addresses } : { type: 'nothing' };
}

/** The addresses of a list of them, one a line, each once. Lines with `#` are remarks, as in `text/uri-list`. */
export function addressesIn(text: string): string[] {
  const urls = text
    .split(/\r?\n/)
    .filter((line) => !line.startsWith('#'))
    .flatMap((line) => parseAddress(line)?.href ?? []);
  return [...new Set(urls)];
}

async function walk(entry: FileSystemEntry, found: { file: File; path: string }[], depth: number): Promise<void> {
  if (found.length >= maxFiles || depth > maxDepth) return;
  const path = entry.fullPath.replace(/^\//, '');
  if (entry.isFile) {
    const file = await new Promise<File | null>((resolve) =>
      (entry as FileSystemFileEntry).file(resolve, () => resolve(null)),
    );
    if (file) found.push({ file, path });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A directory is read in pieces; an empty piece is the end.
    const piece = await new Promise<FileSystemEntry[]>((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (piece.length === 0) return;
    for (const child of piece) await walk(child, found, depth + 1);
  }
}
