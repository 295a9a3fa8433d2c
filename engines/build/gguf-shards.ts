/** A GGUF model in one file or in several (`name-00001-of-00003.gguf`), read as one. */
import { basename, dirname, join } from 'node:path';
import { damaged, type FileBytes } from './checkpoint.ts';
import { type Gguf, type GgufTensor, type GgufValue, openGguf } from './gguf.ts';

const maxShards = 1000;

export type GgufModel = {
  /** The first file's. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly (GgufTensor & { readonly file: FileBytes })[];
  readonly path: string;
  close(): Promise<void>;
};

/** Opens the file, and those beside it that belong to it. Any of them may be named. The caller closes. */
export async function openGgufModel(path: string): Promise<GgufModel> {
  const shards: Gguf[] = [];
  const close = async () => {
    for (const shard of shards) await shard.file.close();
  };
  try {
    shards.push(await openGguf(path));
    const count = shardCount(shards[0]!);
    if (count > 1) {
      await close();
      shards.length = 0;
      for (const shard of shardPaths(path, count)) shards.push(await openGguf(shard));
      shards.forEach((shard, index) => {
        if (shardCount(shard) !== count || shard.metadata.get('split.no') !== index) {
          throw damaged(shard.file.path, `it is not number ${index} of ${count} files`);
        }
      });
    }
    const tensors = shards.flatMap(({ tensors: list, file }) => list.map((tensor) => ({ ...tensor, file })));
    const seen = new Set<string>();
    for (const { name, file } of tensors) {
      if (seen.has(name)) throw damaged(file.path, `the tensor ${name} stands in another file too`);
      seen.add(name);
    }
    const first = shards[0]!;
    const numTensors = first.metadata.get('split.tensors.count');
    if (count > 1 && numTensors !== undefined && numTensors !== tensors.length) {
      throw damaged(path, `its files have ${tensors.length} tensors instead of ${numTensors}`);
    }
    return { metadata: first.metadata, tensors, path: first.file.path, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function shardCount({ metadata, file }: Gguf): number {
  const count = metadata.get('split.count') ?? 1;
  // 0 stands in files that were joined again.
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 0 || count > maxShards) {
    throw damaged(file.path, 'its number of files is impossible');
  }
  return Math.max(1, count);
}

function shardPaths(path: string, count: number): string[] {
  const name = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/i.exec(basename(path));
  if (name === null || Number(name[3]) !== count) {
    throw damaged(path, `it is one of ${count} files, but its name does not say which`);
  }
  const five = (number: number): string => String(number).padStart(5, '0');
  return Array.from({ length: count }, (_, index) =>
    join(dirname(path), `${name[1]}-${five(index + 1)}-of-${name[3]}${name[4]}`),
  );
}
