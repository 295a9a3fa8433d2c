/** Changes bytes at random, the same for the same seed. */

export type Random = {
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number;
  pick<Item>(items: readonly Item[]): Item;
};

/** xorshift with 32 bits: enough to be different, and the same on every machine. */
export function createRandom(seed: number): Random {
  let state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  const below = (most: number): number => next() % Math.max(1, most);
  return { below, pick: (items) => items[below(items.length)]! };
}

/** Numbers at which programs go wrong. */
const odd: readonly bigint[] = [
  0n,
  1n,
  2n,
  7n,
  31n,
  255n,
  256n,
  65_535n,
  2n ** 20n,
  2n ** 24n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 48n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** What stands in JSON where something else should. */
const words: readonly string[] = [
  'null',
  'true',
  '-1',
  '0',
  '1e308',
  '1e999',
  '0.5',
  '9007199254740993',
  '18446744073709551616',
  '""',
  '"F32"',
  '"BF16"',
  '[]',
  '[[]]',
  '{}',
  '{"":0}',
  '"__proto__"',
  '"constructor"',
  '"\\ud800"',
  '"../../x.safetensors"',
];

/** One to four changes; the first part of a file, where its sizes stand, is changed most. */
export function mutate(original: Uint8Array, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = change(bytes, random);
  return bytes;
}

function change(bytes: Buffer, random: Random): Buffer {
  const reach = random.pick([64, 512, 4096, bytes.length]);
  const at = random.below(Math.min(reach, bytes.length));
  switch (random.below(11)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at)]);
    case 1:
      if (bytes.length > 0) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 2:
      if (bytes.length > 0) bytes[at] = random.below(256);
      return bytes;
    case 3:
      return withNumber(bytes, at, 4, random);
    case 4:
      return withNumber(bytes, at, 8, random);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(16))]);
    case 6: {
      const again = bytes.subarray(at, at + 1 + random.below(64));
      return Buffer.concat([bytes.subarray(0, at), again, bytes.subarray(at)]);
    }
    case 7: {
      const from = random.below(bytes.length);
      bytes.copy(bytes, at, from, from + 1 + random.below(32));
      return bytes;
    }
    default:
      return withWord(bytes, random);
  }
}

function withNumber(bytes: Buffer, at: number, size: 4 | 8, random: Random): Buffer {
  const place = random.below(2) === 0 ? at : at - (at % size);
  if (place + size > bytes.length) return bytes;
  const number = random.pick(odd);
  if (size === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, number), place);
  else bytes.writeUInt32LE(Number(BigInt.asUintN(32, number)), place);
  return bytes;
}

/** Puts another value into JSON, of the whole file or inside it; elsewhere a digit becomes another one. */
function withWord(bytes: Buffer, random: Random): Buffer {
  const text = bytes.subarray(0, 1 << 20).toString('latin1');
  const values = [...text.matchAll(/-?\d+(\.\d+)?|"[A-Za-z0-9_.-]{1,60}"|true|false|null/g)];
  if (values.length === 0) return bytes;
  const value = random.pick(values);
  const put = random.below(3) === 0 ? random.pick(values)[0] : random.pick(words);
  // Of the same length where that can be: a safetensors header keeps its size then.
  const same = put.length <= value[0].length && random.below(4) > 0 ? put.padEnd(value[0].length) : put;
  return Buffer.concat([
    bytes.subarray(0, value.index),
    Buffer.from(same, 'latin1'),
    bytes.subarray(value.index + value[0].length),
  ]);
}
