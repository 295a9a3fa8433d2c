/**
 * MP4, M4A and MOV (ISO/IEC 14496-12): where the packets of the first sound track lie, and what they are. A film's pictures are
 * never read. Fragmented files (14496-12, 8.8) too.
 */
import { ReadingRefused } from '../../readers/refusal.ts';
import { type Box, boxesIn, boxesOf, findBox, nameAt } from './boxes.ts';
import type { ByteSource } from './byte-source.ts';
import { fragmentSamples } from './mp4-fragments.ts';
import { sampleTable } from './mp4-samples.ts';
import { decoderOfEntry } from './mp4-sound.ts';
import type { Packet, Recording, Sound } from './sound.ts';

/** The table of a film of twelve hours has 30 MB. */
const mostTableBytes = 256e6;
/** Samples that lie one behind the other are read at once. */
const mostRunBytes = 256 * 1024;

export type Sample = { at: number; length: number };

export async function openMp4(source: ByteSource): Promise<Recording> {
  let movie: Uint8Array | null = null;
  const fragments: Box[] = [];
  for await (const box of boxesOf(source)) {
    if (box.name === 'moov' && !movie) {
      if (box.length > mostTableBytes) throw new ReadingRefused('too-large', 'Its table is too large.');
      movie = await source.read(box.at, box.length);
    }
    if (box.name === 'moof') fragments.push(box);
  }
  if (!movie) throw new ReadingRefused('damaged', 'It has no table of what it holds: it was cut off.');
  const table = movie;
  const tracks = boxesIn(table, 0, table.length).filter(({ name }) => name === 'trak');
  const track = tracks.find((one) => handlerOf(table, one) === 'soun');
  if (!track) throw new ReadingRefused('no-text', 'It is a film without sound.');
  const sound = soundTrack(table, track);

  let done = 0;
  const samples =
    fragments.length > 0
      ? fragmentSamples(source, fragments, table, sound.trackId)
      : (async function* () {
          yield* sampleTable(table, sound.tables, source.sizeBytes);
        })();
  return {
    lengthSeconds: sound.lengthSeconds,
    done: () => done,
    sounds: (async function* (): AsyncIterable<Sound> {
      const decoder = await decoderOfEntry(table, sound.description);
      try {
        for await (const { packet, endsAt } of packetsOf(source, samples)) {
          done = endsAt / Math.max(1, source.sizeBytes);
          yield* await decoder.decode(packet);
        }
        yield* await decoder.finish();
      } finally {
        decoder.close();
      }
    })(),
  };
}

function handlerOf(table: Uint8Array, track: Box): string {
  const handler = findBox(table, track, 'mdia', 'hdlr');
  return handler && handler.length >= 12 ? nameAt(table, handler.at + 8) : '';
}

function soundTrack(table: Uint8Array, track: Box) {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const need = (...path: string[]): Box => {
    const box = findBox(table, track, ...path);
    if (!box) throw new ReadingRefused('damaged', `Its sound has no ${path.at(-1)}.`);
    return box;
  };
  const trackHead = need('tkhd');
  const mediaHead = need('mdia', 'mdhd');
  const tables = need('mdia', 'minf', 'stbl');
  const description = boxesIn(table, need('mdia', 'minf', 'stbl', 'stsd').at + 8, tables.at + tables.length)[0];
  if (!description || trackHead.length < 24 || mediaHead.length < 24)
    throw new ReadingRefused('damaged', 'It does not say what its sound is.');
  const isLong = table[mediaHead.at] === 1;
  const scale = view.getUint32(mediaHead.at + (isLong ? 20 : 12));
  const length = isLong ? Number(view.getBigUint64(mediaHead.at + 24)) : view.getUint32(mediaHead.at + 16);
  return {
    trackId: view.getUint32(trackHead.at + (table[trackHead.at] === 1 ? 20 : 12)),
    lengthSeconds: scale > 0 && length > 0 && length < 2 ** 32 - 1 ? length / scale : null,
    tables,
    description,
  };
}

/** Reads samples in runs. One that lies outside of the file ends it: the rest was cut off. */
async function* packetsOf(
  source: ByteSource,
  samples: AsyncIterable<Sample>,
): AsyncIterable<{ packet: Packet; endsAt: number }> {
  let run: Sample[] = [];
  let runBytes = 0;
  const read = async function* () {
    const first = run[0];
    if (!first) return;
    const bytes = await source.read(first.at, runBytes);
    for (const { at, length } of run) {
      const packet = bytes.subarray(at - first.at, at - first.at + length);
      if (packet.length < length) return;
      yield { packet, endsAt: at + length };
    }
  };
  for await (const sample of samples) {
    if (sample.length === 0) continue;
    if (sample.length > mostRunBytes || sample.at + sample.length > source.sizeBytes) break;
    const last = run.at(-1);
    if (last && (last.at + last.length !== sample.at || runBytes + sample.length > mostRunBytes)) {
      yield* read();
      run = [];
      runBytes = 0;
    }
    run.push(sample);
    runBytes += sample.length;
  }
  yield* read();
}
