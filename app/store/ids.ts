const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';

/**
 * A fresh id: `prefix_` and 16 characters of [0-9a-z], about 82 random bits. Bytes above 251 = 7 × 36 - 1 are thrown away, so
 * that every character is as likely as any other.
 */
export function createId<Prefix extends string>(
  prefix: Prefix,
  randomBytes: (numBytes: number) => Uint8Array,
): `${Prefix}_${string}` {
  let characters = '';
  while (characters.length < 16)
    for (const byte of randomBytes(24)) if (byte < 252 && characters.length < 16) characters += alphabet[byte % 36];
  return `${prefix}_${characters}`;
}
