/**
 * Takes outputs out of an ONNX file that nobody asks for. Whisper's encoder as published also gives the attentions of all its
 * layers, and what a network gives is kept until its run is over: 430 MB for Whisper base, 1.3 GB for small.
 *
 * The file is one message of Protocol Buffers: `ModelProto.graph` is field 7, `GraphProto.output` field 12 of it, and
 * `ValueInfoProto.name` field 1 of that (onnx.proto, ONNX 1.x).
 */

const graphField = 7;
const outputField = 12;
const nameField = 1;

/** `bytes` with those of its outputs alone that `isWanted` names. Throws for bytes that are no such message. */
export function withOutputs(bytes: Uint8Array, isWanted: (name: string) => boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const field of fieldsOf(bytes)) {
    if (field.number !== graphField || !field.body) {
      parts.push(field.whole);
      continue;
    }
    const kept = fieldsOf(field.body).filter(
      ({ number, body }) => number !== outputField || !body || isWanted(nameOf(body)),
    );
    const length = kept.reduce((sum, { whole }) => sum + whole.length, 0);
    parts.push(varint(graphField * 8 + 2), varint(length), ...kept.map(({ whole }) => whole));
  }
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** `whole`: with its tag and length. `body`: of a field that has a length. */
type Field = { number: number; whole: Uint8Array; body: Uint8Array | null };

function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined || scale > 2 ** 49) throw new Error('This is no network: a number in it has no end.');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const start = at;
    const tag = read();
    const number = Math.floor(tag / 8);
    let bodyBytes: number | null = null;
    switch (tag % 8) {
      case 0:
        read();
        break;
      case 1:
        at += 8;
        break;
      case 2:
        bodyBytes = read();
        at += bodyBytes;
        break;
      case 5:
        at += 4;
        break;
      default:
        throw new Error('This is no network: a field in it is of no known kind.');
    }
    if (at > message.length) throw new Error('This is no network: it ends within a field.');
    const body = bodyBytes === null ? null : message.subarray(at - bodyBytes, at);
    fields.push({ number, whole: message.subarray(start, at), body });
  }
  return fields;
}

function nameOf(valueInfo: Uint8Array): string {
  const name = fieldsOf(valueInfo).find(({ number }) => number === nameField)?.body;
  return name ? new TextDecoder().decode(name) : '';
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}
