/**
 * Linears kept in groups (AWQ, GPTQ, compressed-tensors): the name of their type, and what becomes of them in a plan.
 * The layouts are in native/build/grouped.h.
 */
import type { PlanType } from '../plan/format.ts';

export type GroupedLayout =
  | 'awq_gemm'
  | 'awq_gemv'
  | 'awq_gemv_fast'
  | 'gptq'
  | 'gptq_v2'
  | 'compressed'
  | 'compressed_symmetric';

const layouts: ReadonlySet<string> = new Set<GroupedLayout>([
  'awq_gemm',
  'awq_gemv',
  'awq_gemv_fast',
  'gptq',
  'gptq_v2',
  'compressed',
  'compressed_symmetric',
]);

export type GroupedType = {
  readonly layout: GroupedLayout;
  readonly bits: 4 | 8;
  /** Columns that share a scale and a zero point. */
  readonly groupSize: number;
  readonly scales: 'f16' | 'bf16' | 'f32';
};

/** "gptq-4-128-f16": the type's name in a graph and in a request to the builder. */
export function nameOfGroupedType({ layout, bits, groupSize, scales }: GroupedType): string {
  return `${layout}-${bits}-${groupSize}-${scales}`;
}

/** Null for the name of another type. */
export function parseGroupedType(name: string): GroupedType | null {
  const [layout, bits, groupSize, scales, more] = name.split('-');
  if (layout === undefined || !layouts.has(layout) || more !== undefined) return null;
  if ((bits !== '4' && bits !== '8') || !/^[1-9]\d{0,9}$/.test(groupSize ?? '')) return null;
  if (scales !== 'f16' && scales !== 'bf16' && scales !== 'f32') return null;
  return { layout: layout as GroupedLayout, bits: bits === '4' ? 4 : 8, groupSize: Number(groupSize), scales };
}

/**
 * The plan's type that keeps every code and zero point of such a linear, or null where none does: groups of 16 columns,
 * or columns that are no multiple of 32. 8 bits are kept where code − zero fits them: always when symmetric.
 */
export function planTypeOfGroups(type: GroupedType, columns: number): PlanType | null {
  const fits = (size: number): boolean =>
    columns % size === 0 && (type.groupSize % size === 0 || type.groupSize >= columns);
  if (type.bits === 4 && fits(128)) return 'int4_g128';
  if (!fits(32)) return null;
  return type.bits === 4 ? 'int4_g32' : 'q8';
}
