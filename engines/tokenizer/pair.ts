/** Two texts as one sequence, as a cross-encoder reads a question and a passage. */
import type { Tokenizer } from './types.ts';

/** The control tokens around and between the two: [CLS] a [SEP] b [SEP] of BERT, <s> a </s></s> b </s> of RoBERTa. */
export type PairIds = {
  readonly start: readonly number[];
  readonly between: readonly number[];
  readonly end: readonly number[];
  /** The model was taught both texts as the first segment. */
  readonly oneSegment?: boolean;
};

export type EncodedPair = {
  readonly ids: Int32Array;
  /** How many of them are BERT's first segment: the first text, with what stands before and right after it. */
  readonly firstLength: number;
};

/** Of the room for both, what the second text keeps when the first is too long: a question is hardly ever that long. */
const leastShareOfSecond = 1 / 4;

/**
 * The two texts in at most `maxTokens`. The second is cut first; the first stays whole unless it would leave the second
 * less than a quarter. Neither becomes a control token, whatever it holds.
 */
export function encodePair(
  tokenizer: Pick<Tokenizer, 'encode'>,
  around: PairIds,
  first: string,
  second: string,
  maxTokens: number,
): EncodedPair {
  const room = Math.max(0, maxTokens - around.start.length - around.between.length - around.end.length);
  const a = tokenizer.encode(first, { addSpecial: false });
  const b = tokenizer.encode(second, { addSpecial: false });
  const keptOfSecond = Math.min(b.length, Math.max(room - a.length, Math.floor(room * leastShareOfSecond)));
  const head = [...around.start, ...a.subarray(0, room - keptOfSecond), ...around.between];
  const ids = Int32Array.from([...head, ...b.subarray(0, keptOfSecond), ...around.end]);
  return { ids, firstLength: around.oneSegment === true ? ids.length : head.length };
}

type Json = Record<string, unknown>;

/**
 * What a tokenizer.json's post-processor puts around a pair; null where it has none that is known here. `config` is the
 * tokenizer_config.json: it may say that the model is not given segments.
 */
export function pairIdsOf(tokenizer: Json, config: Json = {}): PairIds | null {
  const found = aroundPair(tokenizer);
  const inputs = config.model_input_names;
  const withoutSegments = Array.isArray(inputs) && !inputs.includes('token_type_ids');
  return found !== null && withoutSegments ? { ...found, oneSegment: true } : found;
}

function aroundPair(tokenizer: Json): PairIds | null {
  const processor = asObject(tokenizer.post_processor);
  const steps = processor?.type === 'Sequence' ? asList(processor.processors) : [processor];
  for (const step of steps) {
    if (step?.type === 'BertProcessing' || step?.type === 'RobertaProcessing') {
      const [start, end] = [step.cls, step.sep].map((token) => (Array.isArray(token) ? token[1] : null));
      if (!isId(start) || !isId(end)) return null;
      return { start: [start], between: step.type === 'BertProcessing' ? [end] : [end, end], end: [end] };
    }
    if (step?.type === 'TemplateProcessing')
      return fromTemplate(asList(step.pair), asObject(step.special_tokens) ?? {});
  }
  return null;
}

function fromTemplate(items: readonly (Json | null)[], tokens: Json): PairIds | null {
  const parts: number[][] = [[], [], []];
  let [part, segment] = [0, 1 as unknown];
  for (const item of items) {
    const sequence = asObject(item?.Sequence);
    const token = asObject(item?.SpecialToken);
    if (sequence !== null) {
      if (sequence.id !== ['A', 'B'][part]) return null;
      part += 1;
      segment = sequence.type_id;
    } else {
      const ids = asObject(tokens[String(token?.id)])?.ids;
      if (!Array.isArray(ids) || !ids.every(isId)) return null;
      parts[part]!.push(...ids);
    }
  }
  const [start = [], between = [], end = []] = parts;
  if (part !== 2) return null;
  return segment === 0 ? { start, between, end, oneSegment: true } : { start, between, end };
}

function asObject(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}
function asList(value: unknown): (Json | null)[] {
  return Array.isArray(value) ? value.map(asObject) : [];
}
function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
