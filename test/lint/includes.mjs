/**
 * Who may include whom in C++: napi.h only in native/addon; CUDA's headers only in kernels/cuda; native sees of kernels
 * only ops.h, tensor.h and error.h; kernels see nothing of native.
 *
 * @param {string[]} paths files to check, from the repository's root
 * @param {(path: string) => string} read
 * @returns {string | null} what is wrong, a line each, or null
 */
export function checkIncludes(paths, read) {
  const complaints = [];
  for (const path of paths.filter((candidate) => /^(native|kernels)\//.test(candidate))) {
    for (const [, header] of read(path).matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)) {
      const complain = (rule) => complaints.push(`${path}: includes ${header}, but ${rule}`);
      if (/napi\.h$|node_api\.h$/.test(header) && !path.startsWith('native/addon/'))
        complain('Node-API belongs in native/addon');
      if (/^(cuda|cublas|cooperative_groups|mma\.h|nvrtc)/.test(header) && !path.startsWith('kernels/cuda/'))
        complain('CUDA belongs in kernels/cuda');
      if (path.startsWith('native/') && /kernels\//.test(header) && !/kernels\/(ops|tensor|error)\.h$/.test(header))
        complain('native sees of kernels only ops.h, tensor.h and error.h');
      if (path.startsWith('kernels/') && /native\//.test(header)) complain('kernels know nothing of native');
      if (/(^|\/)test\//.test(header)) complain('nothing includes test');
    }
  }
  return complaints.length > 0 ? complaints.join('\n') : null;
}
