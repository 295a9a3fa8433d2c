/** Finds the checkpoint's tensors for the builder, and checks that each has the shape that the architecture asks for. */
import { parseGroupedType } from '../build/grouped-types.ts';
import { ModelError } from '../model-error.ts';
import { nearestName } from './near-names.ts';
import type { Taking, TensorShape, TensorShapes, Weight, WeightPart, WeightUse } from './types.ts';

/** `sentence` puts the architecture and its line before what is said. */
export function createWeightFinder(tensors: TensorShapes, sentence: (what: string) => string) {
  const refuse = (what: string): never => {
    throw new ModelError('unsupported-model', `${sentence(what)}.`);
  };

  const taken = new Set<string>();
  const find = (
    name: string,
    rows: number,
    columns: number,
    use: WeightUse,
    taking: Taking,
    optional: boolean,
  ): Weight | null => {
    const { order, tensorRows, plus } = taking;
    const known = tensors.get(name);
    // Packed weights are outputs × inputs whatever the unpacked ones are.
    const transposed = taking.transposed === true && (known === undefined || parseGroupedType(known.type) === null);
    // A vector has one row, however the checkpoint writes its shape; it is taken from by its numbers.
    const standing: [number, number] = rows === 1 ? [1, tensorRows ?? columns] : [tensorRows ?? rows, columns];
    const [wantedRows, wantedColumns] = transposed ? [standing[1], standing[0]] : standing;
    const tensor = tensors.imagine?.(name, wantedRows, wantedColumns, optional) ?? known;
    if (tensor === undefined) return null;
    if (tensor.rows !== wantedRows || tensor.columns !== wantedColumns) {
      const shape = `${tensor.rows} × ${tensor.columns}`;
      const problem = `the tensor ${name} is ${shape}, but ${wantedRows} × ${wantedColumns} is needed.`;
      throw new ModelError('invalid-checkpoint', sentence(problem + hintOf(tensor, wantedRows, wantedColumns)));
    }
    if (order !== undefined && order.length !== (rows === 1 ? columns : rows)) {
      refuse(`${name} is taken in an order of ${order.length} rows`);
    }
    taken.add(name);
    const part: WeightPart = {
      name,
      rows,
      columns,
      from: tensor.type,
      ...(order === undefined ? {} : { order }),
      ...(tensor.columnOrder === undefined ? {} : { columnOrder: tensor.columnOrder }),
      ...(transposed ? { transposed } : {}),
      ...(plus === undefined ? {} : { plus }),
    };
    return { use, columns, parts: [part] };
  };

  const computed = new Map<string, Float32Array | Int32Array>();
  const keepOne = (name: string, numbers: Float32Array | Int32Array): void => {
    const before = computed.get(name) ?? numbers;
    const isSame = before.length === numbers.length && before.every((number, i) => Object.is(number, numbers[i]));
    if (!isSame) refuse(`two constants are called ${name}`);
    computed.set(name, numbers);
  };

  /** A tensor that may have been meant by `name`: nobody has asked for it yet. */
  const nearest = (name: string): string | null =>
    nearestName(
      name,
      [...tensors.keys()].filter((other) => !taken.has(other)),
    );
  return { find, keepOne, nearest };
}

/** A turned matrix is the usual mistake: GPT-2 keeps its linears as inputs × outputs. */
function hintOf(tensor: TensorShape, rows: number, columns: number): string {
  const isTurned = tensor.rows === columns && tensor.columns === rows;
  return isTurned ? ' It stands the other way round: say `transposed`.' : '';
}
