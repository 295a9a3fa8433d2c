/** Writes a plan file: one tensor at a time, to a file beside the place, which it takes only when it is whole. */
import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { ModelError } from '../model-error.ts';
import {
  alignUp,
  maxHeaderBytes,
  type PlanHeader,
  type PlanSection,
  type PlanTensor,
  planMagic,
  planPreambleBytes,
  planTensorBytes,
  planVersion,
} from './format.ts';

export type PlanWithoutSections = Omit<PlanHeader, 'tokenizer' | 'tensors'> & {
  readonly tensors: readonly Omit<PlanTensor, keyof PlanSection>[];
};

const noHash = '0'.repeat(64);

/**
 * Writes the plan to `out`, which exists only when all of it is on the disk.
 *
 * `partsOf(i)` yields the bytes of tensor i in order; together they must be as many as its type and shape ask for.
 * Memory: one part at a time. Fails with `cancelled` when the signal says so; what was written is removed.
 */
export async function writePlan(options: {
  out: string;
  plan: PlanWithoutSections;
  tokenizer: unknown;
  partsOf: (tensorIndex: number) => AsyncIterable<Uint8Array>;
  signal?: AbortSignal;
}): Promise<PlanHeader> {
  const { out, plan, partsOf, signal } = options;
  const tokenizerBytes = Buffer.from(JSON.stringify(options.tokenizer), 'utf8');
  const sizes = plan.tensors.map((tensor) => {
    const bytes = planTensorBytes(tensor.type, tensor.rows, tensor.columns);
    if (bytes === null) {
      throw new ModelError('unsupported-model', `${tensor.name} cannot be ${tensor.type}: ${tensor.columns} columns.`);
    }
    return bytes;
  });
  let header = placeSections(plan, tokenizerBytes.length, sizes);

  const partial = `${out}.${randomBytes(6).toString('hex')}.partial`;
  const file = await open(partial, 'wx');
  try {
    const writeSection = async (section: PlanSection, parts: AsyncIterable<Uint8Array>, name: string) => {
      const hash = createHash('sha256');
      let done = 0;
      for await (const part of parts) {
        if (signal?.aborted) throw new ModelError('cancelled', 'Building the plan was cancelled.');
        if (done + part.length > section.sizeBytes)
          throw new ModelError('invalid-plan', `${name} is larger than planned.`);
        hash.update(part);
        for (let at = 0; at < part.length; ) {
          const { bytesWritten } = await file.write(part, at, part.length - at, section.offset + done + at);
          at += bytesWritten;
        }
        done += part.length;
      }
      if (done !== section.sizeBytes) throw new ModelError('invalid-plan', `${name} is smaller than planned.`);
      return { ...section, sha256: hash.digest('hex') };
    };
    const tokenizer = await writeSection(header.tokenizer, once(tokenizerBytes), 'The tokenizer');
    const tensors: PlanTensor[] = [];
    for (const [index, tensor] of header.tensors.entries()) {
      tensors.push({ ...tensor, ...(await writeSection(tensor, partsOf(index), tensor.name)) });
    }
    header = { ...header, tokenizer, tensors };
    const bytes = Buffer.from(JSON.stringify(header), 'utf8');
    const preamble = Buffer.alloc(planPreambleBytes);
    preamble.write(planMagic, 'latin1');
    preamble.writeUInt32LE(planVersion, 8);
    preamble.writeUInt32LE(bytes.length, 12);
    createHash('sha256').update(bytes).digest().copy(preamble, 16);
    await file.write(Buffer.concat([preamble, bytes]), 0, planPreambleBytes + bytes.length, 0);
    await file.sync();
    await file.close();
    await rename(partial, out);
    return header;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}

/** Hashes have a fixed length, so the header's size is known before they are; only the offsets' digits move it. */
function placeSections(plan: PlanWithoutSections, tokenizerBytes: number, sizes: number[]): PlanHeader {
  for (let headerBytes = 0; ; ) {
    let end = planPreambleBytes + headerBytes;
    const place = (sizeBytes: number): PlanSection => {
      const offset = alignUp(end);
      end = offset + sizeBytes;
      return { offset, sizeBytes, sha256: noHash };
    };
    const tokenizer = place(tokenizerBytes);
    const tensors = plan.tensors.map((tensor, index) => ({ ...tensor, ...place(sizes[index]!) }));
    const header: PlanHeader = { ...plan, tokenizer, tensors };
    const needed = Buffer.byteLength(JSON.stringify(header), 'utf8');
    if (needed > maxHeaderBytes)
      throw new ModelError('unsupported-model', 'The header of this plan would be too large.');
    if (needed === headerBytes) return header;
    headerBytes = needed;
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
