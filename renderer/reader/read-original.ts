import type { QuothContract } from '../../app/contract/contract.ts';
import { QuothError } from '../../app/contract/errors.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { DocumentId } from '../../app/contract/types.ts';

const maxBytes = 512 * 1024 * 1024; // What a window can hold beside everything else.

/** The bytes of a document's original file. `onProgress` hears the fraction that has come. */
export async function readOriginal(
  client: Client<QuothContract>,
  documentId: DocumentId,
  signal: AbortSignal,
  onProgress: (fraction: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  let bytes: Uint8Array<ArrayBuffer> | null = null;
  let numBytes = 0;
  for await (const piece of client.readOriginal({ documentId }, signal)) {
    if (!Number.isSafeInteger(piece.totalBytes) || piece.totalBytes < 0 || piece.totalBytes > maxBytes)
      throw new QuothError('unsupported', 'This file is too large to show its pages. Its text is here all the same.');
    bytes ??= new Uint8Array(piece.totalBytes);
    const text = atob(piece.base64);
    if (numBytes + text.length > bytes.length)
      throw new QuothError('unreadable', 'The file changed while it was read. Please open it again.');
    for (let index = 0; index < text.length; index++) bytes[numBytes + index] = text.charCodeAt(index);
    numBytes += text.length;
    onProgress(bytes.length === 0 ? 1 : numBytes / bytes.length);
  }
  if (!bytes || numBytes !== bytes.length)
    throw new QuothError('unreadable', 'The file ended too early. Please open it again.');
  return bytes;
}
