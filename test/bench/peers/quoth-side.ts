/** Our side: the engine in this process, through the typed door. */
import { composeNative } from '../../../main/engine/in-process.ts';
import { greedy } from '../../../native/index.ts';
import { serveSide } from './side.ts';

serveSide(async ({ model, numThreads }) => {
  const native = await composeNative();
  const engine = await native.loadEngine({ plan: model, device: 'cpu', numThreads, kvTokens: 1024 });
  return async (task, clock) => {
    if (task.type === 'score') return [...(await engine.score(Int32Array.from(task.ids)))];
    if (task.type === 'embed') {
      const texts = task.texts.map((ids) => Int32Array.from(ids));
      clock.start();
      const vectors = await engine.embed(texts);
      clock.stop();
      return [...vectors];
    }
    const ids = Int32Array.from(task.ids);
    const maxTokens = task.type === 'prefill' ? 1 : task.count + 1;
    const request = { ids, maxTokens, stopIds: [], sampling: greedy, priority: 10, speculation: 'off' as const };
    const out: number[] = [];
    if (task.type === 'prefill') clock.start();
    for await (const event of engine.generate(request)) {
      if (event.type === 'started' && event.numCachedTokens > 0) throw new Error('The prompt was known.');
      if (event.type !== 'tokens') continue;
      if (out.length === 0 && task.type === 'decode') clock.start();
      out.push(...event.ids);
    }
    clock.stop();
    return out;
  };
});
