import type { Formula } from './maths.ts';

/** A formula as it was written. */
export function WrittenFormula({ formula }: { formula: Formula }) {
  return <code className="whitespace-pre-wrap">{formula.tex}</code>;
}
