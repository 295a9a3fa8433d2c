/** Reads a config.json key by key. Every value in it is untrusted. */
import { basename } from 'node:path';
import { ModelError } from '../model-error.ts';

export type ConfigReader = {
  readonly modelType: string;
  readonly numKeys: number;
  has(key: string): boolean;
  /** Whether the key is there and says null, where that means another thing than a missing key. */
  isNull(key: string): boolean;
  /** A whole number from 1 to 2^24. */
  size(key: string, otherwise?: number): number;
  /** A whole number from 0 to 2^24. */
  whole(key: string): number;
  /** A number above 0. */
  real(key: string, otherwise?: number): number;
  flag(key: string, otherwise: boolean): boolean;
  text(key: string, otherwise?: string): string;
  /** Numbers above 0; null where the key is missing. */
  reals(key: string): number[] | null;
  /** Texts, at most 10,000; null where the key is missing. */
  texts(key: string): string[] | null;
  /** An object inside; null where the key is missing. */
  section(key: string): ConfigReader | null;
  /** `The model asks for <what>, which is not read here.` */
  unsupported(what: string): never;
  /** `config.json is damaged: <why>.` */
  damaged(why: string): never;
};

const maxItems = 10_000;

/** A key that is null counts as missing, as in the hub's own reader. `path` is what errors name. */
export function createConfigReader(json: Readonly<Record<string, unknown>>, path: string, place = ''): ConfigReader {
  const damaged = (why: string): never => {
    throw new ModelError('invalid-checkpoint', `${basename(path)} is damaged: ${why}.`);
  };
  const found = (key: string): unknown => (Object.hasOwn(json, key) ? (json[key] ?? undefined) : undefined);
  const bad = (key: string): never =>
    damaged(`${place}${key} is ${found(key) === undefined ? 'missing' : 'impossible'}`);
  const isReal = (value: unknown): value is number => typeof value === 'number' && value > 0 && Number.isFinite(value);
  const list = <Item>(key: string, fits: (item: unknown) => item is Item): Item[] | null => {
    const value = found(key);
    if (value === undefined) return null;
    if (!Array.isArray(value) || value.length > maxItems || !value.every(fits)) return bad(key);
    return value;
  };
  return {
    modelType: typeof json.model_type === 'string' ? json.model_type : '',
    numKeys: Object.keys(json).length,
    has: (key) => found(key) !== undefined,
    isNull: (key) => Object.hasOwn(json, key) && json[key] === null,
    size(key, otherwise) {
      const value = found(key) ?? otherwise;
      const fits = typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= 2 ** 24;
      return fits ? value : bad(key);
    },
    whole(key) {
      const value = found(key);
      return value === 0 ? 0 : this.size(key);
    },
    real(key, otherwise) {
      const value = found(key) ?? otherwise;
      return isReal(value) ? value : bad(key);
    },
    flag(key, otherwise) {
      const value = found(key) ?? otherwise;
      return typeof value === 'boolean' ? value : bad(key);
    },
    text(key, otherwise) {
      const value = found(key) ?? otherwise;
      return typeof value === 'string' && value.length <= maxItems ? value : bad(key);
    },
    reals: (key) => list(key, isReal),
    texts: (key) => list(key, (item) => typeof item === 'string'),
    section(key) {
      const value = found(key);
      if (value === undefined) return null;
      if (typeof value !== 'object' || Array.isArray(value)) return bad(key);
      return createConfigReader(value as Record<string, unknown>, path, `${place}${key}.`);
    },
    unsupported(what) {
      throw new ModelError('unsupported-model', `The model asks for ${what}, which is not read here.`);
    },
    damaged,
  };
}
