import { describe, expect, it } from 'vitest';
import { checkIncludes } from './includes.mjs';

const check = (path: string, line: string) => checkIncludes([path], () => `${line}\n`);

describe('the rule of includes', () => {
  it('lets the addon, and only the addon, see Node-API', () => {
    expect(check('native/addon/addon.cc', '#include <napi.h>')).toBeNull();
    expect(check('native/engine/engine.cc', '#include <napi.h>')).toContain('native/addon');
    expect(check('kernels/cpu/norm.cc', '#include "node_api.h"')).toContain('native/addon');
  });

  it('keeps CUDA in kernels/cuda', () => {
    expect(check('kernels/cuda/linear.cu', '#include <cuda_fp16.h>')).toBeNull();
    expect(check('native/engine/device.cc', '#  include <cuda_runtime.h>')).toContain('kernels/cuda');
  });

  it('shows native three headers of kernels and no more', () => {
    for (const header of ['ops', 'tensor', 'error'])
      expect(check('native/engine/engine.cc', `#include "../../kernels/${header}.h"`)).toBeNull();
    expect(check('native/engine/engine.cc', '#include "../../kernels/cpu/device.h"')).toContain('only ops.h');
  });

  it('hides native from kernels, and test from everyone', () => {
    expect(check('kernels/cpu/norm.cc', '#include "../../native/engine/engine.h"')).toContain('nothing of native');
    expect(check('kernels/cpu/norm.cc', '#include "../../test/kernels/oracle.h"')).toContain('test');
  });
});
