import type { ReadResult } from '../../source.ts';

/** Reads a file that lies in another one: given by the caller, so that no reader knows all others. Archives are refused. */
export type ReadMember = (bytes: Uint8Array, name: string) => Promise<ReadResult>;
