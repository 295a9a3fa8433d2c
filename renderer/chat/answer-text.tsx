import { memo, type ReactNode } from 'react';
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
  a: ({ href, children }) => <InertLink address={href ?? ''}>{children}</InertLink>,
  cite: ({ title }) => <CitationChip n={Number(title)} />,
  pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
  th: ({ children }) => <th>{children}</th>,
  td: ({ children }) => <td>{children}</td>,
};

/** An answer's Markdown as React elements: raw HTML stays text, pictures become words, links wait for a click and a yes. */
export const AnswerText = memo(function AnswerText({ text }: { text: string }) {
  return (
    <div className="prose-answer">
      <Markdown
        remarkPlugins={[remarkGfm, remarkCitations]}
        allowedElements={allowedElements}
        unwrapDisallowed
        components={components}
      >
        {text}
      </Markdown>
    </div>
  );
});

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
