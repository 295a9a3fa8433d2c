/**
 * Chat templates for checkpoints that bring none, and where a checkpoint keeps its own. Each writes its family's published
 * format; which one a vocabulary was trained for shows in the control tokens that it has.
 */
import { asObject } from './tokenizer/json-parts.ts';

export type BuiltInTemplate = {
  readonly name: 'llama-2' | 'llama-3' | 'mistral-v1' | 'mistral-v3' | 'zephyr' | 'chatml' | 'gemma' | 'phi-3';
  /** Jinja, for `renderChat`. */
  readonly template: string;
  /** The control token at which an answer is over, where it is another than the vocabulary's end; else null. */
  readonly stop: string | null;
};

const turns = (body: string): string => `{%- for message in messages -%}${body}{%- endfor -%}`;

const templates: Readonly<Record<BuiltInTemplate['name'], Omit<BuiltInTemplate, 'name'>>> = {
  // <s>[INST] <<SYS>>…<</SYS>> question [/INST] answer </s>, each turn between its own start and end.
  'llama-2': {
    template: `{%- set ns = namespace(system='') -%}${turns(
      "{%- if message.role == 'system' -%}{%- set ns.system = '<<SYS>>\\n' ~ message.content ~ '\\n<</SYS>>\\n\\n' -%}" +
        "{%- elif message.role == 'user' -%}{{- bos_token ~ '[INST] ' ~ ((ns.system ~ message.content) | trim) ~ ' [/INST]' -}}" +
        "{%- set ns.system = '' -%}" +
        "{%- else -%}{{- ' ' ~ (message.content | trim) ~ ' ' ~ eos_token -}}{%- endif -%}",
    )}`,
    stop: null,
  },
  'llama-3': {
    template: `{{- bos_token -}}${turns(
      "{{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\\n\\n' ~ (message.content | trim) ~ '<|eot_id|>' -}}",
    )}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}`,
    stop: '<|eot_id|>',
  },
  // v0.1 and v0.2: the system's text has no place of its own, whoever renders puts it before the first question.
  'mistral-v1': {
    template: `{{- bos_token -}}${turns(
      "{%- if message.role == 'user' -%}{{- '[INST] ' ~ message.content ~ ' [/INST]' -}}" +
        "{%- elif message.role == 'assistant' -%}{{- message.content ~ eos_token -}}" +
        "{%- else -%}{{- raise_exception('There is no role but user and assistant.') -}}{%- endif -%}",
    )}`,
    stop: null,
  },
  // v0.3: [INST] is a control token, and the system's text stands before the last question.
  'mistral-v3': {
    template: `{%- set ns = namespace(system='') -%}{{- bos_token -}}${turns(
      "{%- if message.role == 'system' -%}{%- set ns.system = message.content ~ '\\n\\n' -%}" +
        "{%- elif message.role == 'user' -%}{{- '[INST] ' ~ (ns.system if loop.last else '') ~ message.content ~ '[/INST]' -}}" +
        "{%- else -%}{{- ' ' ~ message.content ~ eos_token -}}{%- endif -%}",
    )}`,
    stop: null,
  },
  zephyr: {
    template: `${turns(
      "{{- '<|' ~ message.role ~ '|>\\n' ~ message.content ~ eos_token ~ '\\n' -}}",
    )}{{- '<|assistant|>\\n' -}}`,
    stop: null,
  },
  chatml: {
    template: `${turns(
      "{{- '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' -}}",
    )}{{- '<|im_start|>assistant\\n' -}}`,
    stop: '<|im_end|>',
  },
  gemma: {
    template: `{{- bos_token -}}${turns(
      "{%- if message.role == 'system' -%}{{- raise_exception('There is no role system.') -}}{%- endif -%}" +
        "{{- '<start_of_turn>' ~ ('model' if message.role == 'assistant' else message.role) ~ '\\n' -}}" +
        "{{- (message.content | trim) ~ '<end_of_turn>\\n' -}}",
    )}{{- '<start_of_turn>model\\n' -}}`,
    stop: '<end_of_turn>',
  },
  'phi-3': {
    template: `${turns("{{- '<|' ~ message.role ~ '|>\\n' ~ message.content ~ '<|end|>\\n' -}}")}{{- '<|assistant|>\\n' -}}`,
    stop: '<|end|>',
  },
};

export const builtInTemplates: readonly BuiltInTemplate[] = Object.entries(templates).map(([name, entry]) => ({
  name: name as BuiltInTemplate['name'],
  ...entry,
}));

/** Control tokens that only one family has, the most telling first. */
const marks: readonly [BuiltInTemplate['name'], readonly string[]][] = [
  ['llama-3', ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>']],
  ['chatml', ['<|im_start|>', '<|im_end|>']],
  ['gemma', ['<start_of_turn>', '<end_of_turn>']],
  ['phi-3', ['<|user|>', '<|assistant|>', '<|end|>']],
  ['mistral-v3', ['[INST]', '[/INST]']],
];

/**
 * The template for a chat model that brings none, or null where nothing tells: then the prompt is plain words.
 *
 * First by the control tokens of the vocabulary (`idOf` of its tokenizer). A vocabulary that has no more than `<s>` and
 * `</s>` was shared by several families: there the architecture (`model_type`) decides, and for Llama's, which TinyLlama and
 * Mistral files claim too, the model's name if it is known.
 */
export function builtInTemplateFor(model: {
  architecture: string;
  name?: string | null;
  idOf: (piece: string) => number | null;
}): BuiltInTemplate | null {
  const has = (piece: string): boolean => model.idOf(piece) !== null;
  const marked = marks.find(([, pieces]) => pieces.every(has))?.[0];
  const name = marked ?? (has('<s>') && has('</s>') ? ofPlainVocabulary(model.architecture, model.name ?? '') : null);
  return name === null ? null : { name, ...templates[name] };
}

function ofPlainVocabulary(architecture: string, name: string): BuiltInTemplate['name'] | null {
  if (/zephyr|tiny-?_?llama/i.test(name)) return 'zephyr';
  if (architecture === 'mistral' || (architecture === 'llama' && /mistral/i.test(name))) return 'mistral-v1';
  return architecture === 'llama' ? 'llama-2' : null;
}

/**
 * A checkpoint's own template: `chat_template` of tokenizer_config.json (a text, or several by name, of which the one for
 * plain chats is taken), or the newer file chat_template.jinja. Null when it brings none.
 */
export function chatTemplateOf(tokenizerConfig: unknown, jinjaFile: string | null = null): string | null {
  if (jinjaFile !== null && jinjaFile.trim() !== '') return jinjaFile;
  const template = asObject(tokenizerConfig)?.chat_template;
  if (typeof template === 'string') return template.trim() === '' ? null : template;
  if (!Array.isArray(template)) return null;
  const named = template.map((entry) => asObject(entry)).find((entry) => entry?.name === 'default');
  return typeof named?.template === 'string' ? named.template : null;
}
