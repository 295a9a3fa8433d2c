/** Protocol buffers, as far as a tokenizer.model needs them. Untrusted: every length is checked against what is there. */

/** One field of a message. A `varint` is its low 32 bits, signed; `fixed` are 4 or 8 bytes, `bytes` any number. */
export type Field =
  | { readonly number: number; readonly type: 'varint'; readonly value: number }
  | { readonly number: number; readonly type: 'fixed' | 'bytes'; readonly bytes: Uint8Array };

/** The fields of a message, in order. `refuse` is called with what is wrong, and must throw. */
export function* fieldsOf(message: Uint8Array, refuse: (why: string) => never): Generator<Field> {
  let at = 0;
  /** The low 32 bits of a varint; `high` are all others. */
  let high = 0;
  const varint = (): number => {
    let low = 0;
    high = 0;
    for (let i = 0; i < 10; i++) {
      const byte = message[at++];
      if (byte === undefined) return refuse('a number ends with the file');
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= (bits & 0xf) << 28;
        high |= bits >>> 4;
      } else high |= bits;
      if (byte < 0x80) return low;
    }
    return refuse('a number has no end');
  };
  const take = (length: number): Uint8Array => {
    if (length > message.length - at) refuse('a field is longer than what holds it');
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = varint();
    const number = tag >>> 3;
    if (high !== 0 || number === 0) refuse('a field has no number');
    const wire = tag & 7;
    if (wire === 0) yield { number, type: 'varint', value: varint() };
    else if (wire === 1) yield { number, type: 'fixed', bytes: take(8) };
    else if (wire === 5) yield { number, type: 'fixed', bytes: take(4) };
    else if (wire === 2) {
      const length = varint();
      if (high !== 0 || length < 0) refuse('a field is longer than what holds it');
      yield { number, type: 'bytes', bytes: take(length) };
    } else refuse('a field is of no known type');
  }
}
