/** The parts of a tokenizer.json that all kinds share, read with care: the file is somebody else's. */
import { type NormalizerStep, pieceKinds, type SpaceRule } from './types.ts';

export type Json = Record<string, unknown>;

export function asObject(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

/** A `Sequence`'s steps under `name`, a single step as a list, nothing as an empty one. */
export function stepsOf(value: unknown, name: string): Json[] {
  const step = asObject(value);
  if (step === null) return [];
  if (step.type !== 'Sequence') return [step];
  return Array.isArray(step[name]) ? step[name].flatMap((inner) => stepsOf(inner, name)) : [];
}

export type Pieces = {
  pieces: string[];
  kinds: number[];
  /** [pieces.length] Unigram's; 0 elsewhere. */
  scores: number[];
  stripLeftIds?: number[];
  stripRightIds?: number[];
};

/** The pieces by id, with the added ones; null where ids have holes past all reason, or entries are none. */
export function piecesOf(json: Json, model: Json): Pieces | null {
  const entries: [string, number, number][] = [];
  if (Array.isArray(model.vocab)) {
    for (const [id, entry] of model.vocab.entries()) {
      const [piece, score] = Array.isArray(entry) ? entry : [];
      if (typeof piece !== 'string' || typeof score !== 'number') return null;
      entries.push([piece, id, score]);
    }
  } else {
    const vocabulary = asObject(model.vocab);
    if (vocabulary === null) return null;
    for (const [piece, id] of Object.entries(vocabulary)) entries.push([piece, id as number, 0]);
  }
  const added: Json[] = Array.isArray(json.added_tokens)
    ? json.added_tokens.map((token: unknown) => asObject(token) ?? {})
    : [];
  const isId = (id: unknown): boolean => Number.isSafeInteger(id) && (id as number) >= 0;
  const isAdded = ({ content, id }: Json): boolean => typeof content === 'string' && isId(id);
  if (!entries.every(([, id]) => isId(id)) || !added.every(isAdded)) return null;
  const ids = [...entries.map(([, id]) => id), ...added.map(({ id }) => id as number)];
  const size = ids.reduce((most, id) => Math.max(most, id + 1), 0);
  if (size > 2 * ids.length + 1024) return null;
  const pieces = new Array<string>(size).fill('');
  const kinds = new Array<number>(size).fill(pieceKinds.normal);
  const scores = new Array<number>(size).fill(0);
  for (const [piece, id, score] of entries) {
    pieces[id] = piece;
    scores[id] = score;
  }
  for (const token of added) {
    pieces[token.id as number] = token.content as string;
    kinds[token.id as number] = token.special === true ? pieceKinds.control : pieceKinds.userDefined;
  }
  const stripping = (side: 'lstrip' | 'rstrip') =>
    added.filter((token) => token[side] === true).map(({ id }) => id as number);
  const [left, right] = [stripping('lstrip'), stripping('rstrip')];
  return {
    pieces,
    kinds,
    scores,
    ...(left.length > 0 && { stripLeftIds: left }),
    ...(right.length > 0 && { stripRightIds: right }),
  };
}

/** An added token that counts only as a word of its own is found by no rule here. */
export function hasWholeWordTokens(json: Json): boolean {
  return Array.isArray(json.added_tokens) && json.added_tokens.some((token) => asObject(token)?.single_word === true);
}

/** "left right", in order; null where there are none. */
export function mergesOf(model: Json): string[] | null {
  if (!Array.isArray(model.merges)) return null;
  return model.merges.map((merge: unknown) => (Array.isArray(merge) ? merge.join(' ') : String(merge)));
}

/** What the post-processor puts around one text. */
export function idsAround(json: Json, pieces: readonly string[]): { startIds: number[]; endIds: number[] } {
  const around = { startIds: [] as number[], endIds: [] as number[] };
  const idOf = (named: unknown): number[] => {
    const id = Array.isArray(named) ? (named[1] as unknown) : pieces.indexOf(String(named));
    return Number.isInteger(id) && (id as number) >= 0 && (id as number) < pieces.length ? [id as number] : [];
  };
  for (const step of stepsOf(json.post_processor, 'processors')) {
    if (step.type === 'BertProcessing' || step.type === 'RobertaProcessing') {
      around.startIds.push(...idOf(step.cls));
      around.endIds.push(...idOf(step.sep));
    }
    if (step.type !== 'TemplateProcessing' || !Array.isArray(step.single)) continue;
    let isBefore = true;
    for (const item of step.single) {
      const part = asObject(item) ?? {};
      if ('Sequence' in part) isBefore = false;
      const name = asObject(part.SpecialToken)?.id;
      if (name !== undefined) (isBefore ? around.startIds : around.endIds).push(...idOf(name));
    }
  }
  return around;
}

/** The normalizer's steps in our words; null when one of them is not ours. */
export function normalizerOf(json: Json): NormalizerStep[] | null {
  const steps: NormalizerStep[] = [];
  for (const step of stepsOf(json.normalizer, 'normalizers')) {
    const found = normalizerStepOf(step);
    if (found === null) return null;
    steps.push(...found);
  }
  return steps;
}

function normalizerStepOf(step: Json): NormalizerStep[] | null {
  switch (step.type) {
    case 'Precompiled': {
      const charsmap = step.precompiled_charsmap;
      if (charsmap === null || charsmap === '') return [];
      return typeof charsmap === 'string' ? [{ type: 'charsmap', charsmap, by: 'grapheme' }] : null;
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return [{ type: step.type.toLowerCase() as 'nfc' | 'nfd' | 'nfkc' | 'nfkd' }];
    case 'Lowercase':
      return [{ type: 'lowercase' }];
    case 'Strip':
      return [{ type: 'strip', left: step.strip_left !== false, right: step.strip_right !== false }];
    case 'Replace': {
      const pattern = asObject(step.pattern);
      const to = step.content;
      if (typeof to !== 'string') return null;
      if (pattern?.Regex === ' {2,}') return [{ type: 'collapse', to }];
      return typeof pattern?.String === 'string' && pattern.String !== ''
        ? [{ type: 'replace', from: pattern.String, to }]
        : null;
    }
    default:
      return null;
  }
}

/** The rule of a `Metaspace` step; null for another step, or another mark than U+2581. */
export function metaspaceOf(step: Json | undefined): SpaceRule | null {
  if (step?.type !== 'Metaspace' || step.replacement !== '\u2581') return null;
  const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? 'never' : 'always');
  if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never') return null;
  const rule = { prefix: scheme, unlessSpace: true, removeExtra: false } as const;
  return step.split === false ? rule : { ...rule, words: 'spaces' };
}
