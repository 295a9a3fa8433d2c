/** Chat models as one GGUF file, or as a folder of AutoAWQ's. */
import { hubFile, sized } from './entry.ts';
import { shapes } from './shapes.ts';
import { awqCheckpointBytes } from './sizes.ts';
import type { ChatEntry } from './types.ts';

type Named = Pick<
  ChatEntry,
  'id' | 'name' | 'licence' | 'licenceUrl' | 'languages' | 'contextTokens' | 'template' | 'note'
>;

/** One GGUF file of the hub. `bytes` null: about `aboutBytes`. */
export function gguf(
  named: Named,
  shape: keyof typeof shapes,
  weights: 'q4' | 'q8' | 'int4_g32',
  file: { repository: string; name: string; sizeBytes: number | null; sha256: string | null; aboutBytes?: number },
): ChatEntry {
  const files = [hubFile(file.repository, file.name, file.sizeBytes, file.sha256)];
  const given = { ...named, role: 'chat' as const, checkpoint: { type: 'file' as const, name: file.name }, files };
  return sized(shape, weights, given, file.aboutBytes);
}

/** A folder of AutoAWQ's: one file of weights, as these are published below 10 GB. */
export function awq(named: Named, shape: keyof typeof shapes, repository: string): ChatEntry {
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const files = names.map((name) => hubFile(repository, name));
  const given = { ...named, role: 'chat' as const, checkpoint: { type: 'folder' as const }, files };
  return sized(shape, 'int4_g128', given, awqCheckpointBytes(shapes[shape]));
}
