/** The device's memory comes back, also from loads that fail; and a load that fails says why and ends nothing. */
import { type Engine, greedy } from '../../../native/index.ts';
import { codeOf, generateAll, randomIds } from '../native.ts';
import { type Check, judge, withEngine } from './checks.ts';
import { buildLlama, smallLlama } from './models.ts';

const numLoads = 200;

export const deviceMemory: Check = {
  name: 'memory',
  async *run(place) {
    const { native, device } = place;
    const plan = await buildLlama(place.folder, smallLlama);
    const options = { plan, kvTokens: 4096, stepTokens: 512 };
    const ask = () =>
      withEngine(place, options, async (engine) => {
        const ids = Int32Array.from(randomIds(100, smallLlama.vocabulary, 1));
        const asked = { ids, maxTokens: 3, stopIds: [], sampling: greedy, priority: 0 };
        return (await generateAll(engine, asked)).ids.join();
      });
    const first = await ask();
    const free = async (): Promise<number> => (await native.planMemory({ ...options, device })).freeBytes;
    const before = await free();
    let same = true;
    const loads = place.isSmall ? 10 : numLoads;
    for (let load = 0; load < loads; load += 1) same &&= (await ask()) === first;
    const lost = before - (await free());
    // Of the CPU's memory others take and give while we look.
    const isRight = device === 'cpu' || lost < 16 * 2 ** 20;
    yield judge(
      `${loads} loads leave the memory as it was`,
      `${(lost / 2 ** 20).toFixed(1)} MiB less`,
      isRight && same,
    );

    const { totalBytes } = await native.planMemory({ ...options, device });
    const tooMany = 2 ** 26;
    const codes = [
      await codeOf(native.loadEngine({ ...options, device, kvTokens: tooMany })),
      await codeOf(native.loadEngine({ ...options, device, memoryBytes: 2 ** 20 })),
    ];
    yield judge(
      'what does not fit is refused',
      codes.join(),
      codes.every((code) => code === 'out-of-memory'),
      `of ${totalBytes}`,
    );

    // Several engines that would all fit alone: some load, the next ones do not, and those that did still answer.
    const half = Math.floor((0.4 * (await free())) / 2 ** 20) * 2 ** 20;
    const kvTokens = Math.floor(half / (4 * smallLlama.layers * smallLlama.kvHeads * 128) / 64) * 64;
    if (device === 'cuda') {
      const held: Engine[] = [];
      const ends: string[] = [];
      for (let at = 0; at < 5; at += 1)
        ends.push(
          await codeOf(
            native
              .loadEngine({
                plan,
                device,
                kvTokens: Math.min(kvTokens, tooMany),
                minKvTokens: Math.min(kvTokens, tooMany),
              })
              .then((engine) => held.push(engine)),
          ),
        );
      const answer = await ask().catch((error: Error) => error.message);
      for (const engine of held) await engine.close();
      const left = before - (await free());
      const isAsWanted = ends.includes('answered') && ends.includes('out-of-memory') && left < 16 * 2 ** 20;
      yield judge(
        'a device that is full refuses, and gives all back',
        `${ends.join()}; ${answer === first ? 'small ones still load' : answer}; ${(left / 2 ** 20).toFixed(1)} MiB less`,
        isAsWanted,
      );
    }
    yield judge('the process goes on after it', 'an answer', (await ask()) === first);
  },
};
