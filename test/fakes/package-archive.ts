import { gzipSync } from 'node:zlib';

/** A package's archive, as a registry hands it out: each file below `package/`. */
export function archiveOf(...files: [name: string, bytes: Buffer][]): Buffer {
  const blocks = files.map(([name, bytes]) => {
    const header = Buffer.alloc(512);
    header.write(`package/${name}`, 0, 100);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        ', 148);
    header.write('0', 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}
