import { describe, expect, test } from 'vitest';
import { chooseRoom } from '../../../app/models/room.ts';
import type { DeviceName, EngineOptions, MemoryPlan } from '../../../native/index.ts';

const gigabyte = 1e9;

/** A machine whose engine reckons as the real one: 4 GB of weights, 128 KiB a token in 16 bits, kv pages of 64. */
function machine(freeBytes: { cuda?: number; cpu: number }) {
  const asked: EngineOptions[] = [];
  const planMemory = async (options: EngineOptions): Promise<MemoryPlan> => {
    asked.push(options);
    const device: DeviceName = options.device ?? (freeBytes.cuda === undefined ? 'cpu' : 'cuda');
    const free = Math.min(options.memoryBytes ?? Number.POSITIVE_INFINITY, freeBytes[device] ?? 0);
    const [wanted, least] = [options.kvTokens!, options.minKvTokens!];
    const tokensOf = (tokenBytes: number) =>
      Math.min(wanted, Math.max(0, Math.floor((free - 4 * gigabyte) / tokenBytes / 64) * 64));
    const inBytes = options.kvType === 'auto' && device === 'cuda' && tokensOf(131_072) < wanted;
    const kvTokens = tokensOf(inBytes ? 66_560 : 131_072);
    return {
      device,
      fits: kvTokens >= least,
      sentence: '',
      totalBytes: 0,
      freeBytes: free,
      neededBytes: 0,
      weightBytes: 4 * gigabyte,
      activationBytes: 0,
      kvBytes: 0,
      kvTokens,
      wantedKvTokens: wanted,
      kvType: inBytes ? 'i8' : 'f16',
    };
  };
  return { planMemory, asked };
}

/** What the load would then get. */
async function got(freeBytes: { cuda?: number; cpu: number }, modelContextTokens = 32_768) {
  const native = machine(freeBytes);
  const { contextTokens, options } = await chooseRoom(native, 'a.plan', modelContextTokens);
  const { device, fits, kvTokens, kvType } = await native.planMemory(options);
  return { device, fits, kvTokens, kvType, contextTokens };
}

describe('The room for a chat model', () => {
  // Of what is free, 0.25 GB stay for the embedder. A context of 8,192 is 1.07 GB, in bytes 0.55.
  test.each([
    ['much', 12, { device: 'cuda', kvTokens: 16_384, kvType: 'f16' }],
    ['a context and a half', 6, { device: 'cuda', kvTokens: 13_312, kvType: 'f16' }],
    ['one context', 5.4, { device: 'cuda', kvTokens: 8768, kvType: 'f16' }],
    ['less than one: bytes', 5, { device: 'cuda', kvTokens: 8192, kvType: 'i8' }],
    ['less than one of bytes', 4.5, { device: 'cuda', kvTokens: 3712, kvType: 'i8' }],
    ['nothing: the processor', 4.3, { device: 'cpu', kvTokens: 16_384, kvType: 'f16' }],
  ])('on a GPU with %s', async (_, gigabytes, expected) => {
    expect(await got({ cuda: gigabytes * gigabyte, cpu: 16 * gigabyte })).toMatchObject({ ...expected, fits: true });
  });

  test('without a GPU', async () => {
    expect(await got({ cpu: 16 * gigabyte })).toMatchObject({ device: 'cpu', kvTokens: 16_384, contextTokens: 8192 });
    expect(await got({ cpu: 4.5 * gigabyte })).toMatchObject({ device: 'cpu', kvTokens: 1856, kvType: 'f16' });
  });

  test('a model that was made for less gets no more', async () => {
    expect(await got({ cpu: 16 * gigabyte }, 2048)).toMatchObject({ kvTokens: 4096, contextTokens: 2048 });
    expect(await got({ cpu: 16 * gigabyte }, 512)).toMatchObject({ kvTokens: 1024, contextTokens: 512 });
  });

  test('what fits nowhere is left to the load to say', async () => {
    expect(await got({ cuda: 2 * gigabyte, cpu: 2 * gigabyte })).toMatchObject({ device: 'cuda', fits: false });
  });
});
