#!/usr/bin/env node
/** Compiles the CUDA kernels for every GPU they are for, or says why it does not. For `.ci/run` and by hand. */
import { compileCuda, whyNoCuda } from '../../main/setup/cuda.mjs';
import { say } from '../../main/setup/tools.mjs';
import { spillsOf } from './cuda.mjs';

const why = whyNoCuda();
if (why !== null) {
  say(`skipped  CUDA kernels: ${why}`);
} else {
  const { library, report, complaint } = compileCuda();
  const complaints = complaint === undefined ? spillsOf(report) : [complaint];
  if (complaints.length > 0) {
    say(`FAILED  CUDA kernels\n${complaints.join('\n')}`);
    process.exitCode = 1;
  } else {
    say(`ok      CUDA kernels compile: ${library}`);
  }
}
