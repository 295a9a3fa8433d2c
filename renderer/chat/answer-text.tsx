import { memo, type ReactNode, useMemo } from 'react';
import Markdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { parseAddress } from '../common/address.ts';
import { useLeave } from '../common/use-leave.ts';
import { CitationChip } from './citation-chip.tsx';
import { CodeBlock } from './code-block.tsx';
import { remarkCitations } from './remark-citations.ts';

// What an answer may be made of. No picture, no frame, no form, no anchor with an address of its own.
const allowedElements =
  'p,br,hr,em,strong,del,code,pre,blockquote,ul,ol,li,h1,h2,h3,h4,h5,h6,table,thead,tbody,tr,th,td,a,cite'.split(',');

const components: Components = {
  cite: ({ title }) => <CitationChip n={Number(title)} />,
  pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
  th: ({ children }) => <th>{children}</th>,
  td: ({ children }) => <td>{children}</td>,
};

type AnswerTextProps = {
  text: string;
  /** The person's own words: an address is a link when it stands there, and else text. */
  question: string;
};

/**
 * An answer's Markdown as React elements: raw HTML stays text, pictures become words. A document may have told the model to
 * show a link: only what the person wrote is one, and it waits for a click and a yes.
 */
export const AnswerText = memo(function AnswerText({ text, question }: AnswerTextProps) {
  const withLinks = useMemo<Components>(
    () => ({
      ...components,
      a: ({ href, children }) =>
        personWrote(href ?? '', question) ? <InertLink address={href ?? ''}>{children}</InertLink> : children,
    }),
    [question],
  );
  return (
    <div className="prose-answer">
      <Markdown
        remarkPlugins={[remarkGfm, remarkCitations]}
        allowedElements={allowedElements}
        unwrapDisallowed
        components={withLinks}
      >
        {text}
      </Markdown>
    </div>
  );
});

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
