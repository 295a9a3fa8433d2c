/** The rerankers: a question and a passage to one number. */
import { xlmLanguages } from './embedders.ts';
import { hubFile, licences, sized } from './entry.ts';
import type { shapes } from './shapes.ts';
import type { RerankerEntry } from './types.ts';

type Named = Pick<RerankerEntry, 'id' | 'name' | 'licence' | 'licenceUrl' | 'languages' | 'contextTokens' | 'note'>;

function folder(named: Named, shape: keyof typeof shapes, repository: string, aboutBytes: number): RerankerEntry {
  const files = ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => hubFile(repository, name));
  return sized(
    shape,
    'q8',
    { ...named, role: 'reranker' as const, checkpoint: { type: 'folder' as const }, files },
    aboutBytes,
  );
}

export const rerankers: readonly RerankerEntry[] = [
  folder(
    {
      id: 'ms-marco-minilm-l6-v2',
      name: 'MS MARCO MiniLM L6 v2',
      ...licences.apache,
      languages: ['en'],
      contextTokens: 512,
      note: 'Small and quick, for English.',
    },
    'minilm-l6-reranker',
    'cross-encoder/ms-marco-MiniLM-L-6-v2',
    91_600_000,
  ),
  folder(
    {
      id: 'bge-reranker-base',
      name: 'BGE reranker base',
      ...licences.mit,
      languages: ['en', 'zh'],
      contextTokens: 512,
      note: 'For English and Chinese.',
    },
    'xlm-r-base-reranker',
    'BAAI/bge-reranker-base',
    1_130_000_000,
  ),
  folder(
    {
      id: 'bge-reranker-v2-m3',
      name: 'BGE reranker v2 M3',
      ...licences.apache,
      languages: xlmLanguages,
      contextTokens: 8192,
      note: 'For some ninety languages and long passages.',
    },
    'xlm-r-large-reranker',
    'BAAI/bge-reranker-v2-m3',
    2_290_000_000,
  ),
];
