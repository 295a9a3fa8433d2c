// A parser that eats memory while nobody but itself watches.
import { watchMemory } from '../../../ingest/readers/serve-reader.ts';

watchMemory(Number(process.env.QUOTH_READER_MEMORY_BYTES));
process.on('message', () => {
  const eaten: Buffer[] = [];
  setInterval(() => eaten.push(Buffer.alloc(30e6, 1)), 5);
});
