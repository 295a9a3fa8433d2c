/** What decoders give: channels of the same number of samples from -1 to 1. */
export type Sound = { channels: readonly Float32Array[]; sampleRate: number };

/** A recording whose sound is decoded as it is asked for. */
export type Recording = {
  /** Null where only its end would tell. */
  lengthSeconds: number | null;
  /** How much of it lies behind, from 0 to 1. */
  done(): number;
  sounds: AsyncIterable<Sound>;
};

/** One stretch of coded sound as it lies in a container. */
export type Packet = Uint8Array;

/** Turns packets into sound. A packet that is damaged gives nothing; throws for what is not read at all. */
export type PacketDecoder = {
  decode(packet: Packet): Promise<Sound[]>;
  /** What the decoder still held. */
  finish(): Promise<Sound[]>;
  close(): void;
};

const leastRate = 1000;
const mostRate = 400_000;

/** Decoders speak for untrusted files: a rate or a channel that cannot be is left out. */
export function soundOf(channels: readonly Float32Array[], sampleRate: number): Sound[] {
  const used = channels.filter(({ length }) => length > 0 && length === channels[0]!.length).slice(0, 8);
  return used.length > 0 && sampleRate >= leastRate && sampleRate <= mostRate ? [{ channels: used, sampleRate }] : [];
}
