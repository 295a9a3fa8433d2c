/** Whether a model fits this machine, in words; and which one to begin with. */
import { type ModelFit, type ModelSummary, windowLanguages } from '../../app/contract/types.ts';
import { formatBytes, formatCount, formatDuration } from '../common/format.ts';
import { currentLanguage, text } from '../common/text/text.ts';

type Language = (typeof windowLanguages)[number];

/** Three quarters of a word to a token, as English has it; two figures, for it is no promise. */
export function wordsOf(tokens: number): string {
  const words = tokens * 0.75;
  const digit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, words))) - 1);
  return formatCount(Math.round(words / digit) * digit);
}

/** Where it would run and what it takes, in a sentence or two. */
export function fitWords({
  verdict,
  device,
  contextTokens,
  neededBytes,
  freeBytes,
  tokensPerSecond,
}: ModelFit): string {
  const sizes = { need: formatBytes(neededBytes), free: formatBytes(freeBytes) };
  if (verdict === 'too-large') return text(device === 'cuda' ? 'models.why.tooLargeGpu' : 'models.why.tooLarge', sizes);
  const parts: string[] = [];
  if (device === 'cuda') parts.push(text('models.why.gpu', sizes));
  else if (tokensPerSecond === null) parts.push(text('models.why.cpu', sizes));
  else {
    const rate = formatCount(Math.max(1, Math.round(tokensPerSecond * 0.75)));
    parts.push(text(verdict === 'slow' ? 'models.why.slow' : 'models.why.cpuRate', { ...sizes, rate }));
  }
  if (contextTokens > 0) parts.push(text('models.why.context', { words: wordsOf(contextTokens) }));
  return parts.join(' ');
}

/** "322 MB to fetch, about 30 s": the time only where a download has been measured. */
export function toFetch(bytes: number, bytesPerSecond: number | null): string {
  const size = text('models.toDownload', { size: formatBytes(bytes) });
  if (!bytesPerSecond) return size;
  return text('models.withTime', { size, time: formatDuration((1000 * bytes) / bytesPerSecond) });
}

/** For the languages that a window has: the best that is small enough comes first. All may be used for any purpose. */
const chatModels: Record<Language, readonly string[]> = {
  en: ['mistral-7b-instruct-v0.3', 'llama-3.2-3b-instruct', 'llama-3.2-1b-instruct', 'tinyllama-1.1b-chat'],
  fr: ['llama-3.1-8b-instruct', 'llama-3.2-3b-instruct', 'llama-3.2-1b-instruct', 'qwen2.5-0.5b-instruct'],
  it: ['llama-3.1-8b-instruct', 'llama-3.2-3b-instruct', 'llama-3.2-1b-instruct', 'qwen2.5-0.5b-instruct'],
  ja: ['qwen2.5-7b-instruct', 'qwen2.5-1.5b-instruct', 'qwen2.5-0.5b-instruct'],
  zh: ['qwen2.5-7b-instruct', 'qwen2.5-1.5b-instruct', 'qwen2.5-0.5b-instruct'],
};
const embedders: Record<Language, readonly string[]> = {
  en: ['all-minilm-l6-v2'],
  fr: ['multilingual-e5-small'],
  it: ['multilingual-e5-small'],
  ja: ['multilingual-e5-small'],
  zh: ['multilingual-e5-small'],
};

/** What to begin with in a role: of those for the window's language the first that fits, else whatever fits, else the first. */
export function recommended(models: readonly ModelSummary[], role: 'chat' | 'embedder'): ModelSummary | undefined {
  const language = windowLanguages.find((one) => one === currentLanguage()) ?? 'en';
  const offered = models.filter((model) => model.role === role && !model.own);
  const fits = (model: ModelSummary): boolean => model.fit === null || model.fit.verdict === 'fits';
  const ranked = (role === 'chat' ? chatModels : embedders)[language].flatMap(
    (id) => offered.find((model) => model.id === id) ?? [],
  );
  return ranked.find(fits) ?? offered.find(fits) ?? offered[0];
}
