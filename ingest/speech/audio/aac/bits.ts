/** Bits from the left of bytes. Past the end it throws: a frame that is cut off is a damaged one. */
export type BitReader = {
  /** `numBits` at most 24. */
  read(numBits: number): number;
  flag(): boolean;
  skip(numBits: number): void;
  align(): void;
  left(): number;
};

export function createBitReader(bytes: Uint8Array): BitReader {
  const numBits = bytes.length * 8;
  let at = 0;
  function read(count: number): number {
    if (at + count > numBits) throw new Error('It ends within a frame.');
    let value = 0;
    let left = count;
    while (left > 0) {
      const inByte = 8 - (at & 7);
      const taken = Math.min(inByte, left);
      value = (value << taken) | ((bytes[at >> 3]! >> (inByte - taken)) & ((1 << taken) - 1));
      at += taken;
      left -= taken;
    }
    return value;
  }
  return {
    read,
    flag: () => read(1) === 1,
    skip(count) {
      if (at + count > numBits) throw new Error('It ends within a frame.');
      at += count;
    },
    align() {
      at = (at + 7) & ~7;
    },
    left: () => numBits - at,
  };
}
