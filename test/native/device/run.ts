/**
 * The checks of whole models on a device, one line each; the exit status says whether all went well. Needs Node and the addon
 * (QUOTH_ADDON), no packages:
 *
 *   node test/native/device/run.ts [--device cpu|cuda] [--small] [--only reference,greedy,memory,story,torch]
 */
import { parseArgs } from 'node:util';
import { openNative } from '../native.ts';
import { runChecks } from './checks.ts';
import { families } from './families.ts';

const { values } = parseArgs({
  options: { device: { type: 'string' }, only: { type: 'string' }, small: { type: 'boolean', default: false } },
});
const wanted = values.only?.split(',') ?? Object.keys(families);
const checks = Object.entries(families).flatMap(([name, check]) => (wanted.includes(name) ? [check] : []));
const device = values.device === 'cpu' ? 'cpu' : 'cuda';
let [numRight, numWrong] = [0, 0];
await runChecks(checks, { native: await openNative(), device, isSmall: values.small }, ({ name, reached, failure }) => {
  if (failure === undefined) numRight += 1;
  else numWrong += 1;
  process.stdout.write(
    failure === undefined ? `ok ${name}: ${reached}\n` : `not ok ${name}: ${reached}\n  ${failure}\n`,
  );
});
process.stdout.write(`# ${numRight} passed, ${numWrong} failed\n`);
process.exitCode = numWrong === 0 && numRight > 0 ? 0 : 1;
