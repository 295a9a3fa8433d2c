/** The sample tables of MP4: sizes, chunks and their places → where each sample lies (ISO/IEC 14496-12, 8.7). */
import { ReadingRefused } from '../../readers/refusal.ts';
import { type Box, findBox } from './boxes.ts';
import type { Sample } from './mp4.ts';

/** A day of the shortest packets. */
const mostSamples = 20_000_000;

/** `tables`: the `stbl` within `bytes`. `fileBytes`: a sample of one size cannot be more often than the file is long. */
export function* sampleTable(bytes: Uint8Array, tables: Box, fileBytes: number): Iterable<Sample> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const list = (name: string, headBytes: number, entryBytes: number) => {
    const box = findBox(bytes, tables, name);
    if (!box || box.length < headBytes) return null;
    const said = view.getUint32(box.at + headBytes - 4);
    const room = Math.floor((box.length - headBytes) / Math.max(1, entryBytes));
    return { at: box.at + headBytes, count: entryBytes === 0 ? said : Math.min(said, room), said, box };
  };
  const sizeBox = findBox(bytes, tables, 'stsz');
  if (!sizeBox || sizeBox.length < 12) throw new ReadingRefused('damaged', 'Its sound has no table of sizes.');
  const oneSize = view.getUint32(sizeBox.at + 4);
  const numSaid = view.getUint32(sizeBox.at + 8);
  const numSamples = oneSize > 0 ? numSaid : Math.min(numSaid, (sizeBox.length - 12) >> 2);
  if (numSamples > mostSamples || oneSize * numSamples > fileBytes * 2)
    throw new ReadingRefused('damaged', 'It says that it has more sound than it has room for.');
  const sizeOf = (sample: number): number => (oneSize > 0 ? oneSize : view.getUint32(sizeBox.at + 12 + 4 * sample));

  const long = list('co64', 8, 8);
  const places = long ?? list('stco', 8, 4);
  const chunks = list('stsc', 8, 12);
  if (!places || !chunks || chunks.count === 0)
    throw new ReadingRefused('damaged', 'It does not say where its sound lies.');
  let sample = 0;
  for (let chunk = 0, entry = 0; chunk < places.count && sample < numSamples; chunk++) {
    while (entry + 1 < chunks.count && view.getUint32(chunks.at + 12 * (entry + 1)) <= chunk + 1) entry += 1;
    const inChunk = view.getUint32(chunks.at + 12 * entry + 4);
    let at = long ? Number(view.getBigUint64(places.at + 8 * chunk)) : view.getUint32(places.at + 4 * chunk);
    if (oneSize > 0 && oneSize <= 64 && inChunk > 0) {
      // Samples of sound that is not packed: a chunk of them is read as one.
      const count = Math.min(inChunk, numSamples - sample);
      for (let left = oneSize * count; left > 0; ) {
        const length = Math.min(left, 64 * 1024);
        yield { at, length };
        at += length;
        left -= length;
      }
      sample += count;
      continue;
    }
    for (let index = 0; index < inChunk && sample < numSamples; index++, sample++) {
      const length = sizeOf(sample);
      yield { at, length };
      at += length;
    }
  }
}
