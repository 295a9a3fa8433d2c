import { useEffect, useState } from 'react';
import type { QuothContract } from '../../app/contract/contract.ts';
import { type ErrorMessage, toErrorMessage } from '../../app/contract/errors.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { DocumentId, PassageId, Place } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';

export type StoredPassage = { passageId: PassageId; place: Place; heading: string | null; text: string };
export type Passages = { passages: StoredPassage[]; complete: boolean; error: ErrorMessage | null };

const piece = 500; // The contract's limit.

/** The stored text of a document, piece by piece as it comes; read again when `version` is another. */
export function usePassages(documentId: DocumentId, version = ''): Passages {
  const { client } = useQuoth();
  const [state, setState] = useState<Passages>({ passages: [], complete: false, error: null });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version is another text
  useEffect(() => {
    const controller = new AbortController();
    setState({ passages: [], complete: false, error: null });
    readAll(client, documentId, controller.signal, setState).catch((thrown: unknown) => {
      if (!controller.signal.aborted) setState((before) => ({ ...before, error: toErrorMessage(thrown) }));
    });
    return () => controller.abort();
  }, [client, documentId, version]);
  return state;
}

async function readAll(
  client: Client<QuothContract>,
  documentId: DocumentId,
  signal: AbortSignal,
  tell: (state: Passages) => void,
): Promise<void> {
  const passages: StoredPassage[] = [];
  for (;;) {
    const answer = await client.readDocument({ documentId, fromPassage: passages.length, numPassages: piece }, signal);
    passages.push(...answer.passages);
    const complete = answer.passages.length === 0 || passages.length >= answer.numPassages;
    if (signal.aborted) return;
    tell({ passages: [...passages], complete, error: null });
    if (complete) return;
  }
}
