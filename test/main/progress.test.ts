import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createOutput } from '../../main/cli/output.ts';
import { createPace, progressInWords } from '../../main/cli/progress.ts';

describe('A pace', () => {
  test('is told once it can be, over the last seconds alone', () => {
    let nowMs = 0;
    const paceOf = createPace(() => nowMs);
    expect(paceOf(0, 1000)).toEqual({ bytesPerSecond: null, secondsLeft: null });
    nowMs = 100;
    expect(paceOf(10, 1000).bytesPerSecond).toBeNull();
    nowMs = 1000;
    expect(paceOf(100, 1000)).toEqual({ bytesPerSecond: 100, secondsLeft: 9 });
    for (nowMs = 2000; nowMs <= 20_000; nowMs += 1000) paceOf(100, 1000);
    expect(paceOf(100, 1000).bytesPerSecond).toBeNull();
    nowMs = 22_000;
    expect(paceOf(400, 1000).bytesPerSecond).toBeLessThan(100);
  });

  test('is said in words', () => {
    const pace = { bytesPerSecond: 512e6, secondsLeft: 4.2 };
    expect(progressInWords(1.8e9, 4.2e9, pace)).toBe('42 %, 1.8 of 4.2 GB, 512 MB/s, 5 s left');
    expect(progressInWords(1e6, 4e6, { bytesPerSecond: null, secondsLeft: null })).toBe('25 %, 1.0 of 4.0 MB');
    expect(progressInWords(0, 4e9, { bytesPerSecond: 1e6, secondsLeft: 4000 })).toContain('67 min left');
    expect(progressInWords(0, 4e9, { bytesPerSecond: 1e5, secondsLeft: 40_000 })).toContain('11.1 h left');
  });
});

describe('The line of progress', () => {
  const written = async (isTTY: boolean, json: boolean): Promise<string> => {
    const stream = Object.assign(new PassThrough(), { isTTY });
    const output = createOutput(stream, json);
    await output.status('1 %');
    await output.status('1 %');
    await output.status('10 %');
    await output.say({ type: 'done' }, 'Done.');
    return String(stream.read());
  };

  test('takes the place of the one before on a terminal, and leaves none behind', async () => {
    expect(await written(true, false)).toBe('\r\u001b[2K1 %\r\u001b[2K10 %\r\u001b[2KDone.\n');
  });

  test('is not written where it could not be taken back', async () => {
    expect(await written(false, false)).toBe('Done.\n');
    expect(await written(true, true)).toBe('{"type":"done"}\n');
  });
});
