/** What is done to a text before it is cut into words: a tokenizer's `normalizer`, as far as it is ours. */
import { ModelError } from '../model-error.ts';
import { type Charsmap, readCharsmap } from './charsmap.ts';
import type { NormalizerStep, SpaceRule } from './types.ts';
import { type NormalForm, toNormalForm } from './unicode.ts';

/** SentencePiece's mark for a space. */
export const spaceMark = '\u2581';

/** One function for all steps. Fails with `invalid-checkpoint` for a damaged table. */
export function createNormalizer(steps: readonly NormalizerStep[], where: string): (text: string) => string {
  const functions = steps.map((step) => functionOf(step, where));
  return (text) => functions.reduce((changed, step) => step(changed), text);
}

function functionOf(step: NormalizerStep, where: string): (text: string) => string {
  switch (step.type) {
    case 'charsmap': {
      const charsmap: Charsmap = readCharsmap(Buffer.from(step.charsmap, 'base64'), where);
      return step.by === 'longest' ? charsmap.replaceLongest : charsmap.replaceGraphemes;
    }
    case 'nfc':
    case 'nfd':
    case 'nfkc':
    case 'nfkd': {
      const form = step.type.toUpperCase() as NormalForm;
      return (text) => toNormalForm(text, form);
    }
    case 'lowercase':
      // Letter by letter: a sigma at a word's end is no other than one within.
      return (text) => text.replaceAll('Σ', 'σ').toLowerCase();
    case 'strip': {
      const { left, right } = step;
      return (text) => {
        const cut = left ? text.replace(/^\p{White_Space}+/u, '') : text;
        return right ? cut.slice(0, lengthWithoutSpaces(cut)) : cut;
      };
    }
    case 'replace':
      return (text) => text.replaceAll(step.from, step.to);
    case 'collapse':
      return (text) => text.replace(/ {2,}/g, step.to);
    default:
      throw new ModelError('unsupported-model', `The tokenizer of ${where} has a normalizer that is not known here.`);
  }
}

/** Linear, whatever the text: `\s+$` would try every space of it. */
function lengthWithoutSpaces(text: string): number {
  let end = text.length;
  while (end > 0 && /^\p{White_Space}$/u.test(text[end - 1]!)) end--;
  return end;
}

/** Applies a rule for spaces and returns the words that are cut up one by one. `first`: nothing stands before the text. */
export function markSpaces(text: string, rule: SpaceRule, first: boolean): string[] {
  let body = text;
  if (rule.removeExtra) body = body.replace(/^ +/, '').replace(/ {2,}/g, ' ');
  if (body === '') return [];
  const parts = rule.words === 'white-space' ? body.split(/\p{White_Space}+/u).filter((part) => part !== '') : [body];
  const words: string[] = [];
  parts.forEach((part, at) => {
    let marked = part.replaceAll(' ', spaceMark);
    const isPrefixed = rule.prefix === 'always' || (rule.prefix === 'first' && first && at === 0);
    if (isPrefixed && !(rule.unlessSpace && marked.startsWith(spaceMark))) marked = spaceMark + marked;
    if (rule.removeExtra) marked = withoutLastMarks(marked);
    if (rule.words === undefined) words.push(marked);
    else words.push(...marked.split(/(?=\u2581)/u));
  });
  return words.filter((word) => word !== '');
}

function withoutLastMarks(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === spaceMark) end--;
  return text.slice(0, end);
}
