import { expect, test } from 'vitest';
import { ahead } from '../../../engines/build/ahead.ts';

/** Work that ends when it is told to, so that the test decides the order of everything. */
function createWork() {
  const started: number[] = [];
  const finish = new Map<number, (error?: Error) => void>();
  return {
    started,
    finish: (item: number, error?: Error) => finish.get(item)!(error),
    work: (item: number) =>
      new Promise<string>((resolve, reject) => {
        started.push(item);
        finish.set(item, (error) => (error ? reject(error) : resolve(`done ${item}`)));
      }),
  };
}

test('later work goes on while a result is used, and results keep their order', async () => {
  const { started, finish, work } = createWork();
  const results = ahead([1, 2, 3], work, { bytesOf: () => 1, maxBytes: 2 });
  const first = results.next();
  expect(started).toEqual([1, 2]);
  finish(2);
  finish(1);
  expect(await first).toEqual({ done: false, value: 'done 1' });
  expect(started).toEqual([1, 2]); // 1 is still held by whoever took it
  const second = results.next();
  expect(await second).toEqual({ done: false, value: 'done 2' });
  const third = results.next();
  expect(started).toEqual([1, 2, 3]);
  finish(3);
  expect(await third).toEqual({ done: false, value: 'done 3' });
  expect((await results.next()).done).toBe(true);
});

test('what is in flight stays within its bytes, but one item always runs', async () => {
  let [inFlight, most] = [0, 0];
  const sizes = [5, 1, 1, 9, 30, 2, 2, 2, 2, 2, 2];
  const work = async (size: number): Promise<number> => {
    inFlight += size;
    most = Math.max(most, size > 10 ? 0 : inFlight);
    return size;
  };
  const seen: number[] = [];
  for await (const size of ahead(sizes, work, { bytesOf: (size) => size, maxBytes: 10 })) {
    seen.push(size);
    inFlight -= size;
  }
  expect(seen).toEqual(sizes);
  expect(most).toBeLessThanOrEqual(10);
});

test('a failure is told at its place, once, and nothing more is started', async () => {
  const { started, finish, work } = createWork();
  const results = ahead([1, 2, 3, 4], work, { bytesOf: () => 1, maxBytes: 2 });
  const first = results.next();
  finish(2, new Error('broken'));
  finish(1);
  expect((await first).value).toBe('done 1');
  const second = results.next();
  finish(3);
  await expect(second).rejects.toThrow('broken');
  expect((await results.next()).done).toBe(true);
  expect(started).toEqual([1, 2, 3]);
});

test('leaving waits for what runs, so that its files can be closed', async () => {
  const { finish, work } = createWork();
  const results = ahead([1, 2], work, { bytesOf: () => 1, maxBytes: 2 });
  const first = results.next();
  finish(1);
  await first;
  let left = false;
  const leaving = results.return(undefined).then(() => {
    left = true;
  });
  await new Promise((next) => setImmediate(next));
  expect(left).toBe(false);
  finish(2);
  await leaving;
});
