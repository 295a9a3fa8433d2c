/** Compound files (MS-CFB) as tests need them. */

const sectorBytes = 512;
export const streamBytes = 4096;

/** A compound file with two streams of 4096 bytes: the sector of chains, the directory, then the streams. */
export function compoundOf(streams: [string, Uint8Array][]): Uint8Array {
  const file = Buffer.alloc(sectorBytes * (3 + 8 * streams.length));
  const sector = (number: number) => file.subarray((number + 1) * sectorBytes);
  file.set([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
  file.writeUInt16LE(9, 30);
  file.writeUInt16LE(6, 32);
  file.writeUInt32LE(1, 44);
  file.writeUInt32LE(1, 48); // the directory
  file.writeUInt32LE(4096, 56);
  file.writeUInt32LE(0xfffffffe, 60);
  file.writeUInt32LE(0xfffffffe, 68);
  for (let at = 0; at < 109; at++) file.writeUInt32LE(at === 0 ? 0 : 0xffffffff, 76 + 4 * at);
  const chains = sector(0);
  for (let at = 0; at < 128; at++) chains.writeUInt32LE(0xffffffff, 4 * at);
  chains.writeUInt32LE(0xfffffffd, 0);
  chains.writeUInt32LE(0xfffffffe, 4);
  const entry = (
    id: number,
    name: string,
    type: number,
    links: [number, number, number],
    start: number,
    size: number,
  ) => {
    const at = sector(1).subarray(id * 128);
    at.write(name, 0, 'utf16le');
    at.writeUInt16LE(2 * name.length + 2, 64);
    at[66] = type;
    for (const [index, link] of links.entries()) at.writeUInt32LE(link, 68 + 4 * index);
    at.writeUInt32LE(start, 116);
    at.writeUInt32LE(size, 120);
  };
  const none = 0xffffffff;
  entry(0, 'Root Entry', 5, [none, none, 1], 0xfffffffe, 0);
  for (const [index, [name, content]] of streams.entries()) {
    const first = 2 + 8 * index;
    for (let at = 0; at < 8; at++) chains.writeUInt32LE(at === 7 ? 0xfffffffe : first + at + 1, 4 * (first + at));
    entry(index + 1, name, 2, [none, index + 1 < streams.length ? index + 2 : none, none], first, streamBytes);
    sector(first).set(content);
  }
  return new Uint8Array(file);
}
