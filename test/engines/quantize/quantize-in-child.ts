/** Quantizes a checkpoint and prints the most memory that this process ever held, in bytes: for memory.test.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { quantizeCheckpoint } from '../../../engines/quantize/quantize.ts';
import { quantizer } from './small-llama.ts';

const [checkpoint = '', withText] = process.argv.slice(2);
await quantizeCheckpoint({
  ...{ checkpoint, method: 'rtn', arithmetic: quantizer() },
  target: { type: 'plan', out: join(checkpoint, 'model.plan') },
  ...(withText === 'text' ? { texts: ['The quick brown fox. '.repeat(6)], sequenceTokens: 64, lossRows: 32 } : {}),
});
// Not maxRSS: Linux lets a process begin with the height of the one that started it.
const status = readFileSync('/proc/self/status', 'utf8');
console.log(Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024);
