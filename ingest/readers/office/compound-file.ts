/** Compound files (MS-CFB): what Word, Excel and PowerPoint wrote until 2003. A small file system: sectors, chains, a directory. */

export type CompoundFile = {
  /** The names of the streams at the top. */
  names: string[];
  /** A stream's bytes; undefined where there is none of the name. Throws where its chain is broken. */
  read(name: string): Uint8Array | undefined;
};

const headerBytes = 512;
const entryBytes = 128;
const endOfChain = 0xfffffffe;
const noEntry = 0xffffffff;
const mostEntries = 100_000;
/** Smaller streams lie in sectors of 64 bytes, within the stream of the root. */
const miniCutoff = 4096;
const miniSectorBytes = 64;

type Entry = { name: string; type: number; left: number; right: number; child: number; start: number; size: number };

/** Throws an error with a sentence where it is no compound file. Chains are bounded by the file's own sectors. */
export function openCompoundFile(bytes: Uint8Array): CompoundFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headerBytes || view.getUint32(0) !== 0xd0cf11e0) throw new Error('It is no compound file.');
  const shift = view.getUint16(30, true);
  if (shift !== 9 && shift !== 12) throw new Error('Its sectors have no known size.');
  const sectorBytes = 1 << shift;
  const numSectors = Math.ceil(bytes.length / sectorBytes);
  const offsetOf = (sector: number): number => (sector + 1) * sectorBytes;

  /** The sectors of a chain, by the table of what follows each. */
  const chain = (start: number, next: (sector: number) => number, most: number): number[] => {
    const sectors: number[] = [];
    for (let sector = start; sector < endOfChain - 3; sector = next(sector)) {
      if (sectors.length >= most) throw new Error('A chain of its sectors has no end.');
      sectors.push(sector);
    }
    return sectors;
  };
  const uint32At = (offset: number): number => (offset + 4 <= bytes.length ? view.getUint32(offset, true) : endOfChain);

  const tableSectors: number[] = [];
  for (let at = 0; at < 109; at++) tableSectors.push(uint32At(76 + 4 * at));
  const perSector = sectorBytes / 4;
  const nextDifat = (sector: number): number => uint32At(offsetOf(sector) + sectorBytes - 4);
  for (const sector of chain(view.getUint32(68, true), nextDifat, numSectors))
    for (let at = 0; at < perSector - 1; at++) tableSectors.push(uint32At(offsetOf(sector) + 4 * at));
  const next = (sector: number): number => {
    const table = tableSectors[Math.floor(sector / perSector)];
    return table === undefined || table >= numSectors
      ? endOfChain
      : uint32At(offsetOf(table) + 4 * (sector % perSector));
  };
  const readChain = (start: number, size: number): Uint8Array => {
    const parts = chain(start, next, numSectors).map((sector) =>
      bytes.subarray(offsetOf(sector), offsetOf(sector) + sectorBytes),
    );
    return new Uint8Array(Buffer.concat(parts)).subarray(0, size);
  };

  const directory = readChain(view.getUint32(48, true), Number.POSITIVE_INFINITY);
  const entries = entriesOf(directory.subarray(0, mostEntries * entryBytes));
  const root = entries.find(({ type }) => type === 5);
  if (!root) throw new Error('Its directory has no root.');
  const streams = new Map<string, Entry>();
  const seen = new Set<number>();
  const waiting = [root.child];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const entry = id === noEntry || seen.has(id) ? undefined : entries[id];
    if (!entry) continue;
    seen.add(id);
    if (entry.type === 2) streams.set(entry.name, entry);
    waiting.push(entry.left, entry.right);
  }
  const miniTable = readChain(view.getUint32(60, true), Number.POSITIVE_INFINITY);
  const miniView = new DataView(miniTable.buffer, miniTable.byteOffset, miniTable.byteLength);
  const miniNext = (sector: number): number =>
    4 * sector + 4 <= miniTable.length ? miniView.getUint32(4 * sector, true) : endOfChain;
  let miniStream: Uint8Array | undefined;

  return {
    names: [...streams.keys()],
    read(name) {
      const entry = streams.get(name);
      if (!entry) return undefined;
      const size = Math.min(entry.size, bytes.length);
      if (entry.size >= miniCutoff) return readChain(entry.start, size);
      miniStream ??= readChain(root.start, bytes.length);
      const parts = chain(entry.start, miniNext, miniTable.length / 4 + 1).map((sector) =>
        miniStream!.subarray(sector * miniSectorBytes, (sector + 1) * miniSectorBytes),
      );
      return new Uint8Array(Buffer.concat(parts)).subarray(0, size);
    },
  };
}

function entriesOf(directory: Uint8Array): Entry[] {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength);
  const entries: Entry[] = [];
  for (let at = 0; at + entryBytes <= directory.length; at += entryBytes) {
    const nameBytes = Math.min(64, view.getUint16(at + 64, true));
    const name = new TextDecoder('utf-16le').decode(directory.subarray(at, at + Math.max(0, nameBytes - 2)));
    entries.push({
      name,
      type: directory[at + 66]!,
      left: view.getUint32(at + 68, true),
      right: view.getUint32(at + 72, true),
      child: view.getUint32(at + 76, true),
      start: view.getUint32(at + 116, true),
      size: view.getUint32(at + 120, true),
    });
  }
  return entries;
}
