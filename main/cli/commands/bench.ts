export { command } from '../bench/bench.ts';
