/** A WAV file (RIFF, PCM of 8 bits) that hums a low note, louder and softer by the second. */
export function makeWav(numSeconds: number, samplesPerSecond = 8000): Uint8Array {
  const samples = new Uint8Array(numSeconds * samplesPerSecond);
  for (let at = 0; at < samples.length; at++)
    samples[at] = 128 + Math.round(40 * Math.sin((at * 2 * Math.PI * 220) / samplesPerSecond));
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20); // PCM
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(samplesPerSecond, 24);
  head.writeUInt32LE(samplesPerSecond, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return new Uint8Array(Buffer.concat([head, samples]));
}
