import { type CSSProperties, createContext, memo, type ReactNode, useContext, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import Markdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { parseAddress } from '../../common/address.ts';
import { useLeave } from '../../common/use-leave.ts';
import { splitBlocks } from './blocks.ts';
import { CitationChip } from './citation-chip.tsx';
import { CodeBlock } from './code-block.tsx';
import { FormulaView } from './formula.tsx';
import { countMarks, type Formula, markMaths } from './maths.ts';
import { remarkAnswer, type Stretch } from './remark-answer.ts';
import { remarkCitations } from './remark-citations.ts';

// What an answer may be made of. No picture, no frame, no form, no anchor with an address of its own. `var` is a formula, and
// `span` a sentence without a quote: HTML of the text's own stays text, so both are ours.
const allowedElements =
  'p,br,hr,em,strong,del,code,pre,blockquote,ul,ol,li,h1,h2,h3,h4,h5,h6,table,thead,tbody,tr,th,td,a,cite,var,span'.split(
    ',',
  );

/** The formulas of the block around, by number from `first` on. */
const Formulas = createContext<{ first: number; formulas: readonly Formula[] }>({ first: 0, formulas: [] });

const components: Components = {
  var: ({ title }) => <NumberedFormula number={Number(title)} />,
  cite: ({ title }) => <CitationChip n={Number(title)} />,
  pre: ({ node, children }) => {
    const code = node?.children[0];
    if (code?.type !== 'element') return <pre>{children}</pre>;
    const words = code.children.map((child) => (child.type === 'text' ? child.value : '')).join('');
    const { className } = code.properties;
    const language = Array.isArray(className) ? /^language-(.+)$/.exec(String(className[0]))?.[1] : undefined;
    return <CodeBlock code={words} language={language?.toLowerCase() ?? null} />;
  },
  span: ({ children }) => <Unsupported>{children}</Unsupported>,
  table: ({ children }) => <ScrollingTable>{children}</ScrollingTable>,
  th: ({ children, style }) => <th style={aligned(style)}>{children}</th>,
  td: ({ children, style }) => <td style={aligned(style)}>{children}</td>,
};

/** Of the styles of a cell, how its words are aligned: Markdown says no more. */
function aligned(style: CSSProperties | undefined): CSSProperties | undefined {
  return style?.textAlign ? { textAlign: style.textAlign } : undefined;
}

type AnswerTextProps = {
  text: string;
  /** The person's own words: an address is a link when it stands there, and else text. */
  question: string;
  /** The words of documents hold no formulas of ours. */
  hasMaths?: boolean;
  /** The sentences for which no quote was found, by their places in `text`. */
  unsupported?: readonly Stretch[] | undefined;
};

/**
 * An answer's Markdown as React elements: raw HTML stays text, pictures become words. A document may have told the model to
 * show a link: only what the person wrote is one, and it waits for a click and a yes. It is read in blocks: while an answer
 * is written, those that are whole stay as they are.
 */
export const AnswerText = memo(function AnswerText(props: AnswerTextProps) {
  const { text, question, hasMaths = true, unsupported = [] } = props;
  const marked = useMemo(() => markMaths(text, hasMaths), [text, hasMaths]);
  let numBefore = 0;
  return (
    <div className="prose-answer">
      {splitBlocks(marked.text).map((block) => {
        const numFormulas = countMarks(block.text);
        const formulas = marked.formulas.slice(numBefore, numBefore + numFormulas);
        const firstFormula = numBefore;
        numBefore += numFormulas;
        const end = block.start + block.text.length;
        const inside = unsupported
          .filter((one) => one.start < end && block.start < one.endExclusive)
          .map((one) => ({ start: one.start - block.start, endExclusive: one.endExclusive - block.start }));
        return (
          <AnswerBlock
            key={block.start}
            text={block.text}
            question={question}
            firstFormula={firstFormula}
            formulas={formulas}
            unsupported={inside}
          />
        );
      })}
    </div>
  );
});

type AnswerBlockProps = {
  text: string;
  question: string;
  firstFormula: number;
  formulas: readonly Formula[];
  unsupported: readonly Stretch[];
};

const AnswerBlock = memo(
  function AnswerBlock({ text, question, firstFormula, formulas, unsupported }: AnswerBlockProps) {
    const withLinks = useMemo<Components>(
      () => ({
        ...components,
        a: ({ href, children }) =>
          personWrote(href ?? '', question) ? <InertLink address={href ?? ''}>{children}</InertLink> : children,
      }),
      [question],
    );
    return (
      <Formulas value={{ first: firstFormula, formulas }}>
        <Markdown
          remarkPlugins={[remarkGfm, [remarkAnswer, { unsupported }], remarkCitations]}
          allowedElements={allowedElements}
          unwrapDisallowed
          components={withLinks}
        >
          {text}
        </Markdown>
      </Formulas>
    );
  },
  (before, now) =>
    before.text === now.text &&
    before.question === now.question &&
    before.firstFormula === now.firstFormula &&
    JSON.stringify([before.formulas, before.unsupported]) === JSON.stringify([now.formulas, now.unsupported]),
);

function NumberedFormula({ number }: { number: number }) {
  const { first, formulas } = useContext(Formulas);
  const formula = formulas[number - first];
  return formula ? <FormulaView formula={formula} /> : null;
}

/** A sentence that no quote was found for: it looks it, and says so to whoever asks. */
function Unsupported({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  return (
    <span className="unsupported" title={t('answer.unsupported')}>
      {children}
    </span>
  );
}

function ScrollingTable({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section className="table-frame" aria-label={t('answer.table')} tabIndex={0}>
      <table>{children}</table>
    </section>
  );
}

/** The address stands in these words, with or without `https://`. */
function personWrote(address: string, words: string): boolean {
  const bare = (text: string): string => text.toLowerCase().replace(/^https?:\/\/(?:www\.)?|^www\./, '');
  const wanted = bare(address).replace(/\/$/, '');
  return parseAddress(address) !== null && wanted !== '' && words.toLowerCase().includes(wanted);
}

function InertLink({ address, children }: { address: string; children: ReactNode }) {
  const leave = useLeave();
  const url = parseAddress(address);
  if (!url) return <span>{children}</span>;
  return (
    <button
      type="button"
      className="cursor-pointer text-left text-accent underline decoration-1 underline-offset-2 hover:decoration-2"
      title={url.href}
      onClick={() => leave(url.href)}
    >
      {children}
    </button>
  );
}
