/** MP4 in fragments: each says where its own samples lie (ISO/IEC 14496-12, 8.8). */
import { type Box, boxesIn, findBox } from './boxes.ts';
import type { ByteSource } from './byte-source.ts';
import type { Sample } from './mp4.ts';

const mostFragmentBytes = 16e6;
const mostRunSamples = 1_000_000;

/** The samples of one track in the order of the fragments. `movie`: the table that holds what is true of all. */
export async function* fragmentSamples(
  source: ByteSource,
  fragments: readonly Box[],
  movie: Uint8Array,
  trackId: number,
): AsyncIterable<Sample> {
  const usualSize = usualSizeOf(movie, trackId);
  for (const fragment of fragments) {
    if (fragment.length > mostFragmentBytes) continue;
    const bytes = await source.read(fragment.at, fragment.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // Behind its head: the fragment begins at the head itself.
    const start = fragment.at - 8;
    for (const track of boxesIn(bytes, 0, bytes.length).filter(({ name }) => name === 'traf')) {
      const head = findBox(bytes, track, 'tfhd');
      if (!head || head.length < 8 || view.getUint32(head.at + 4) !== trackId) continue;
      const facts = headOf(view, head);
      let at = facts.base ?? start;
      for (const run of boxesIn(bytes, track.at, track.at + track.length).filter(({ name }) => name === 'trun')) {
        if (run.length < 8) continue;
        const flags = view.getUint32(run.at) & 0xffffff;
        const numSamples = Math.min(view.getUint32(run.at + 4), mostRunSamples);
        let field = run.at + 8;
        const end = run.at + run.length;
        if (flags & 1 && field + 4 <= end) {
          at = (facts.base ?? start) + view.getInt32(field);
          field += 4;
        }
        if (flags & 4) field += 4;
        const entryBytes = 4 * [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length;
        for (let sample = 0; sample < numSamples; sample++) {
          if (field + entryBytes > end) break;
          const sizeAt = field + (flags & 0x100 ? 4 : 0);
          const length = flags & 0x200 ? view.getUint32(sizeAt) : (facts.size ?? usualSize);
          field += entryBytes;
          if (length <= 0 || at < 0) break;
          yield { at, length };
          at += length;
        }
      }
    }
  }
}

function headOf(view: DataView, head: Box): { base: number | null; size: number | null } {
  const flags = view.getUint32(head.at) & 0xffffff;
  let at = head.at + 8;
  const has = (flag: number, numBytes: number): number | null => {
    if (!(flags & flag)) return null;
    const field = at;
    at += numBytes;
    return field + numBytes <= head.at + head.length ? field : null;
  };
  const base = has(1, 8);
  has(2, 4);
  has(8, 4);
  const size = has(16, 4);
  return {
    base: base === null ? null : Number(view.getBigUint64(base)),
    size: size === null ? null : view.getUint32(size),
  };
}

function usualSizeOf(movie: Uint8Array, trackId: number): number {
  const view = new DataView(movie.buffer, movie.byteOffset, movie.byteLength);
  const extends_ = findBox(movie, { name: '', at: 0, length: movie.length }, 'mvex');
  if (!extends_) return 0;
  for (const box of boxesIn(movie, extends_.at, extends_.at + extends_.length))
    if (box.name === 'trex' && box.length >= 20 && view.getUint32(box.at + 4) === trackId)
      return view.getUint32(box.at + 16);
  return 0;
}
