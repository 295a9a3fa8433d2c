import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArchiveMember } from '../../../app/models/archive.ts';

const content = randomBytes(200_123);
const longName = `package/${'deep/'.repeat(30)}model.part`;
let folder: string;

/** One entry as tar writes it. */
function entry(name: string, bytes: Buffer, typeFlag = '0'): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(typeFlag, 156);
  header.write('ustar\0', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

async function archiveOf(...entries: Buffer[]): Promise<string> {
  const path = join(folder, `${randomBytes(4).toString('hex')}.tgz`);
  await writeFile(path, gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)])));
  return path;
}

async function read(archive: string, member: string, maxBytes = 1e9): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readArchiveMember(archive, member, maxBytes, new AbortController().signal))
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quoth-archive-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('an archive', () => {
  it('gives out the one file that is asked for', async () => {
    const archive = await archiveOf(
      entry('package/package.json', Buffer.from('{}')),
      entry('package/model.part', content),
      entry('package/readme.md', Buffer.from('hello')),
    );
    expect(Buffer.compare(await read(archive, 'package/model.part'), content)).toBe(0);
    expect((await read(archive, 'package/readme.md')).toString()).toBe('hello');
  });

  it('understands what the system tar writes, long names too', async () => {
    const root = join(folder, 'system');
    await mkdir(join(root, longName, '..'), { recursive: true });
    await writeFile(join(root, longName), content);
    for (const format of ['pax', 'gnu']) {
      const archive = join(folder, `${format}.tgz`);
      execFileSync('tar', ['-czf', archive, `--format=${format}`, '-C', root, 'package']);
      expect(Buffer.compare(await read(archive, longName), content)).toBe(0);
    }
  });

  it('says when the file is not in it, and does not follow a link', async () => {
    const archive = await archiveOf(entry('package/model.part', Buffer.alloc(0), '2'), entry('../model.part', content));
    await expect(read(archive, 'package/model.part')).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('stops at the limit of what may be unpacked', async () => {
    const archive = await archiveOf(entry('package/zeros', Buffer.alloc(5_000_000)), entry('package/model', content));
    await expect(read(archive, 'package/model', 1_000_000)).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('ends with a reason, wherever it was cut or bent', async () => {
    const whole = await readFile(await archiveOf(entry('package/model.part', content)));
    const path = join(folder, 'bent.tgz');
    for (let round = 0; round < 40; round++) {
      await writeFile(path, whole.subarray(0, Math.floor((round / 40) * whole.length * 0.99)));
      await expect(read(path, 'package/model.part')).rejects.toMatchObject({ code: 'unreadable' });
    }
    const bentHeader = entry('package/model.part', content);
    bentHeader[3]! ^= 1;
    await expect(read(await archiveOf(bentHeader), 'package/model.part')).rejects.toMatchObject({ code: 'unreadable' });
    await writeFile(path, 'no archive at all');
    await expect(read(path, 'package/model.part')).rejects.toMatchObject({ code: 'unreadable' });
  });
});
