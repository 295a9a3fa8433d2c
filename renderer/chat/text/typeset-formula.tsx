/** The part of the window that knows KaTeX: loaded with its fonts when the first formula is shown. */
import 'katex/dist/katex.min.css';
import katex, { type KatexOptions } from 'katex';
import { useLayoutEffect, useRef, useState } from 'react';
import type { Formula } from './maths.ts';
import { WrittenFormula } from './written-formula.tsx';

/**
 * What a formula may do is: be drawn. It leads nowhere and fetches nothing (`trust`), and neither its macros nor its sizes
 * grow without end. Each has macros of its own.
 */
const options: KatexOptions = {
  trust: false,
  throwOnError: true,
  strict: 'ignore',
  maxExpand: 300,
  maxSize: 20,
  output: 'htmlAndMathml',
};

/** KaTeX builds elements, not HTML: their styles are set one by one, which the page's policy allows. */
export default function TypesetFormula({ formula }: { formula: Formula }) {
  const { tex, isDisplay } = formula;
  const place = useRef<HTMLSpanElement>(null);
  const [refused, setRefused] = useState<string | null>(null);
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    try {
      katex.render(tex, element, { ...options, displayMode: isDisplay, macros: {} });
      // Nothing of it is for the keyboard, and nothing has an address.
      if (element.querySelector('[href], [src], img, a')) throw new Error('A formula must lead nowhere.');
      setRefused(null);
    } catch {
      element.replaceChildren();
      setRefused(tex);
    }
  }, [tex, isDisplay]);
  if (refused === tex) return <WrittenFormula formula={formula} />;
  return isDisplay ? (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <span tabIndex={0} className="formula-display">
      <span ref={place} />
    </span>
  ) : (
    <span ref={place} className="formula" />
  );
}
