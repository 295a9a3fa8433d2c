#!/usr/bin/env node
/** Compiles the CUDA kernels for every GPU they are for, or says why it does not. For `.ci/run` and by hand. */
import { say } from '../../main/setup/tools.mjs';
import { compileCuda, whyNoCuda } from './cuda.mjs';

const why = whyNoCuda();
if (why !== null) {
  say(`skipped  CUDA kernels: ${why}`);
} else {
  const answer = compileCuda();
  if (answer.complaint !== undefined) {
    say(`FAILED  CUDA kernels\n${answer.complaint}`);
    process.exitCode = 1;
  } else {
    say(`ok      CUDA kernels compile: ${answer.library}`);
  }
}
