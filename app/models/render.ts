import { Template } from '@huggingface/jinja';
import type { PlanHeader } from '../../engines/plan/format.ts';
import type { PromptPiece, Tokenizer } from '../../engines/tokenizer/tokenizer.ts';

/** A prompt in the plan's own template; what is said in it never becomes a control token. */
export function encodePrompt(tokenizer: Tokenizer, header: PlanHeader, system: string, user: string): Int32Array {
  const pieces: PromptPiece[] = header.template
    ? renderPieces(header.template, header, tokenizer, system, user)
    : [{ type: 'text', text: `${system}\n\n${user}\nAnswer:` }];
  return tokenizer.encodePieces(pieces);
}

function renderPieces(template: string, header: PlanHeader, tokenizer: Tokenizer, system: string, user: string): PromptPiece[] {
  const marks = { system: '\u0001system\u0001', user: '\u0001user\u0001' };
  const nameOf = (id: number | undefined): string => ['</s>', '<s>'].find((name) => tokenizer.idOf(name) === id) ?? '';
  const rendered = new Template(template).render({
    messages: [
      { role: 'system', content: marks.system },
      { role: 'user', content: marks.user },
    ],
    add_generation_prompt: true,
    bos_token: '',
    eos_token: nameOf(header.stopIds[0]),
  });
  const texts: Record<string, string> = { [marks.system]: system, [marks.user]: user };
  return rendered
    .split(new RegExp(`(${marks.system}|${marks.user})`))
    .map((text): PromptPiece => (text in texts ? { type: 'text', text: texts[text]! } : { type: 'special', text }))
    .filter(({ text }) => text !== '');
}
