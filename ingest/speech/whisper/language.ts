/** Which language is spoken: the likeliest one after the transcript's first token (Radford et al. 2022, section 2.3). */
import type { Heard, SpeechModel } from './model.ts';

export type SpokenLanguage = { code: string; token: number; probability: number };

/** Null for a model of one language. */
export async function detectLanguage(model: SpeechModel, heard: Heard): Promise<SpokenLanguage | null> {
  const { languages, startOfTranscript } = model.vocabulary;
  if (languages.size === 0) return null;
  const scores = await heard.begin([startOfTranscript]);
  const most = Math.max(...Array.from(languages.values(), (token) => scores[token]!));
  let sum = 0;
  let best: SpokenLanguage | null = null;
  for (const [code, token] of languages) {
    const probability = Math.exp(scores[token]! - most);
    sum += probability;
    if (!best || probability > best.probability) best = { code, token, probability };
  }
  return best && { ...best, probability: best.probability / sum };
}
