/** The library's file name. */
export const cudaLibraryName: string;
/** Where the kernels for some architectures are kept; for all that they are for, when none are named. */
export function cudaCacheFolder(architectures?: string): string;
/** Why the CUDA kernels cannot be compiled here, as the end of a sentence; null when they can. */
export function whyNoCuda(): string | null;
/** What CMake calls the architecture of this machine's first GPU ("89-real"); null where there is none. */
export function gpuArchitecture(): string | null;
/** The library, compiled if these sources were not compiled before, and ptxas' report; or what the compiler complains of. */
export function compileCuda(
  architectures?: string,
): { library: string; report: string; complaint?: undefined } | { library?: undefined; complaint: string };
/** Puts the library beside an addon where it can be had; where it then is and what it is a copy of, or null. */
export function placeCuda(
  folder: string,
  options?: { say?: (line: string) => void; forAll?: boolean },
): { path: string; source: string } | null;
