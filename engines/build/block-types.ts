/** How many values and bytes a block of each checkpoint type has. The same names as in native/build/dequantize.cc. */
export type BlockType = { readonly name: string; readonly values: number; readonly bytes: number };

const block = (name: string, values: number, bytes: number): BlockType => ({ name, values, bytes });

/** GGUF's numbers of types. Those without an entry in `readableTypes` are known, so that sizes can be checked, not read. */
export const ggufTypes: ReadonlyMap<number, BlockType> = new Map([
  [0, block('f32', 1, 4)],
  [1, block('f16', 1, 2)],
  [2, block('q4_0', 32, 18)],
  [3, block('q4_1', 32, 20)],
  [6, block('q5_0', 32, 22)],
  [7, block('q5_1', 32, 24)],
  [8, block('q8_0', 32, 34)],
  [9, block('q8_1', 32, 36)],
  [10, block('q2_k', 256, 84)],
  [11, block('q3_k', 256, 110)],
  [12, block('q4_k', 256, 144)],
  [13, block('q5_k', 256, 176)],
  [14, block('q6_k', 256, 210)],
  [15, block('q8_k', 256, 292)],
  [16, block('iq2_xxs', 256, 66)],
  [17, block('iq2_xs', 256, 74)],
  [18, block('iq3_xxs', 256, 98)],
  [19, block('iq1_s', 256, 50)],
  [20, block('iq4_nl', 32, 18)],
  [21, block('iq3_s', 256, 110)],
  [22, block('iq2_s', 256, 82)],
  [23, block('iq4_xs', 256, 136)],
  [24, block('i8', 1, 1)],
  [25, block('i16', 1, 2)],
  [26, block('i32', 1, 4)],
  [27, block('i64', 1, 8)],
  [28, block('f64', 1, 8)],
  [29, block('iq1_m', 256, 56)],
  [30, block('bf16', 1, 2)],
]);

export const readableTypes: ReadonlySet<string> = new Set(
  'f32 f16 bf16 q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q3_k q4_k q5_k q6_k iq2_xxs iq4_nl iq4_xs'.split(' '),
);

/** safetensors' types with the bytes of a value. */
export const safetensorsTypes: ReadonlyMap<string, number> = new Map([
  ['F64', 8],
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
  ['F8_E4M3', 1],
  ['F8_E5M2', 1],
  ['I64', 8],
  ['U64', 8],
  ['I32', 4],
  ['U32', 4],
  ['I16', 2],
  ['U16', 2],
  ['I8', 1],
  ['U8', 1],
  ['BOOL', 1],
]);
