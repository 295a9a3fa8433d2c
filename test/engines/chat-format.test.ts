import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../engines/build/build.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';
import { hasShared, safetensorsFile, sharedData, withFolder, writeTo } from './checkpoints.ts';

const config = {
  model_type: 'llama',
  _name_or_path: 'Llama-2-7b-chat',
  hidden_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  intermediate_size: 128,
  vocab_size: 32000,
  max_position_embeddings: 256,
  eos_token_id: 2,
};

/** A hub folder of the older kind: SentencePiece's own file and no tokenizer.json. */
async function writeFolder(folder: string, more: Record<string, string> = {}): Promise<void> {
  const tensor = { 'model.norm.weight': { dtype: 'F32', shape: [64], data_offsets: [0, 256] } };
  await writeTo(folder, 'config.json', JSON.stringify(config));
  await writeTo(folder, 'model.safetensors', safetensorsFile(tensor, 256));
  await writeTo(
    folder,
    'tokenizer.model',
    gunzipSync(readFileSync(join(sharedData, 'tokenizers/llama2/tokenizer.model.gz'))),
  );
  for (const [name, text] of Object.entries(more)) await writeTo(folder, name, text);
}

async function read(folder: string) {
  const checkpoint = await openCheckpoint(folder);
  await checkpoint.close();
  return checkpoint;
}

describe.skipIf(!hasShared)('A folder with a tokenizer.model alone', () => {
  test('has that tokenizer, and the chats of its family', () =>
    withFolder(async (folder) => {
      await writeFolder(folder);
      const { tokenizer, template, startIds, stopIds } = await read(folder);
      const { encode, decode } = loadTokenizer(tokenizer);
      expect([...encode('Hello world')]).toEqual([1, 15043, 3186]);
      expect(decode(encode('  two  spaces, 山田 🙂'))).toBe('  two  spaces, 山田 🙂');
      expect(template).toContain('[INST]');
      expect([startIds, stopIds]).toEqual([[1], [2]]);
    }));

  test('is spoken to by its own template where it has one', () =>
    withFolder(async (folder) => {
      await writeFolder(folder, {
        'chat_template.jinja': '{{ messages[0].content }}!',
        'tokenizer_config.json': JSON.stringify({ chat_template: 'older' }),
      });
      expect((await read(folder)).template).toBe('{{ messages[0].content }}!');
    }));

  test('is refused by name when it is damaged', () =>
    withFolder(async (folder) => {
      await writeFolder(folder);
      await writeTo(folder, 'tokenizer.model', Buffer.from('no protobuf at all'));
      await expect(openCheckpoint(folder)).rejects.toThrow(/tokenizer\.model is damaged/);
    }));
});
