import { useEffect, useState } from 'react';
import type { DocumentDetails, DocumentSummary } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';

/** What the core knows beside the row; asked for again when the document comes to another state. Null until it is there. */
export function useDetails({ id, state, numPassages }: DocumentSummary): DocumentDetails | null {
  const { client, notices } = useQuoth();
  const [details, setDetails] = useState<DocumentDetails | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another state has other details
  useEffect(() => {
    const controller = new AbortController();
    client
      .describeDocument({ documentId: id }, controller.signal)
      .then((next) => !controller.signal.aborted && setDetails(next))
      .catch((thrown: unknown) => !controller.signal.aborted && notices.getState().tellError(thrown));
    return () => controller.abort();
  }, [client, notices, id, state, numPassages]);
  return details;
}
