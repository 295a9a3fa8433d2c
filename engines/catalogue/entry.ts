/** Entries from what is particular to them: sizes come from the shape, addresses from the repository. */
import { type HubConfig, shapes } from './shapes.ts';
import { sizesOf, type WeightKind } from './sizes.ts';
import type { CatalogueEntry, CheckpointFile } from './types.ts';

export const licences = {
  apache: { licence: 'Apache-2.0', licenceUrl: 'https://www.apache.org/licenses/LICENSE-2.0' },
  mit: { licence: 'MIT', licenceUrl: 'https://opensource.org/license/mit' },
  llama2: { licence: 'Llama 2 Community License', licenceUrl: 'https://ai.meta.com/llama/license/' },
  llama31: { licence: 'Llama 3.1 Community License', licenceUrl: 'https://www.llama.com/llama3_1/license/' },
  llama32: { licence: 'Llama 3.2 Community License', licenceUrl: 'https://www.llama.com/llama3_2/license/' },
  gemma: { licence: 'Gemma Terms of Use', licenceUrl: 'https://ai.google.dev/gemma/terms' },
  qwenResearch: {
    licence: 'Qwen Research License (no commercial use)',
    licenceUrl: 'https://huggingface.co/Qwen/Qwen2.5-3B-Instruct/blob/main/LICENSE',
  },
} as const;

const unverified = 'No hash is known for every file beforehand: those without are checked by their structure alone.';

/** A file of a repository of the Hugging Face hub. Size and hash where they are published. */
export function hubFile(
  repository: string,
  name: string,
  sizeBytes: number | null = null,
  sha256: string | null = null,
): CheckpointFile {
  const url = `https://huggingface.co/${repository}/resolve/main/${name}`;
  return { name, sizeBytes, sha256, sources: [{ type: 'address', url }] };
}

/** What the shape says. `aboutBytes`: the files whose size is not published, together. */
export function sized<Given extends { files: readonly CheckpointFile[]; note: string }>(
  shapeName: keyof typeof shapes,
  weights: WeightKind,
  given: Given,
  aboutBytes = 0,
) {
  const shape: HubConfig = shapes[shapeName];
  const { parameters, planBytes, kvBytesPerThousandTokens } = sizesOf(shape, weights);
  const known = given.files.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  const isUnverified = given.files.some(({ sha256 }) => sha256 === null);
  return {
    parameters,
    planBytes,
    kvBytesPerThousandTokens,
    weights,
    shape,
    downloadBytes: known + aboutBytes,
    gated: false,
    ...given,
    note: isUnverified ? `${given.note} ${unverified}` : given.note,
  };
}

/** What a file whose size is not published takes, about: the weights are what is left of the whole. */
export function aboutBytesOf(entry: CatalogueEntry, file: CheckpointFile): number {
  if (file.sizeBytes !== null) return file.sizeBytes;
  if (!isWeights(file)) return file.name === 'tokenizer.json' ? tokenizerBytes : smallFileBytes;
  const others = entry.files.filter((other) => other !== file && (!isWeights(other) || other.sizeBytes !== null));
  const rest = entry.downloadBytes - others.reduce((sum, other) => sum + aboutBytesOf(entry, other), 0);
  return Math.max(
    1,
    Math.round(rest / entry.files.filter((other) => isWeights(other) && other.sizeBytes === null).length),
  );
}

/** The largest of these, XLM-R's, has 17 MB; a configuration some hundred bytes. */
const tokenizerBytes = 2_000_000;
const smallFileBytes = 1_000;

const isWeights = ({ name }: CheckpointFile): boolean => /\.(safetensors|gguf)$/.test(name);
