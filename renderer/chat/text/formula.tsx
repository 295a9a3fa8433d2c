import { lazy, Suspense } from 'react';
import type { Formula } from './maths.ts';
import { WrittenFormula } from './written-formula.tsx';

/** KaTeX is loaded when the first formula is shown. Where it cannot be, the formula is read as it was written. */
const Typeset = lazy(() => import('./typeset-formula.tsx').catch(() => ({ default: WrittenFormula })));

/** A formula, typeset; as it was written until then, and where it is none. */
export function FormulaView({ formula }: { formula: Formula }) {
  return (
    <Suspense fallback={<WrittenFormula formula={formula} />}>
      <Typeset formula={formula} />
    </Suspense>
  );
}
