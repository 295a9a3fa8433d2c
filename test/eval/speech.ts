/**
 * Speech to text on recordings whose words are known: word error rate (Levenshtein over words, without marks and capitals), processor
 * time and memory.
 *
 *   node test/eval/speech.ts <folder of a speech model> <recording> <its words as text>…
 *
 * Prints a row of a table for each recording. The decoder, the model and the thresholds are those of the app; it runs in this process.
 */
import { open, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { bytesOfFile } from '../../ingest/speech/audio/byte-source.ts';
import { decodeAudio } from '../../ingest/speech/decode-audio.ts';
import { transcribe } from '../../ingest/speech/transcribe.ts';
import { loadSpeechModel } from '../../ingest/speech/whisper/model.ts';

/** Chinese and Japanese have no spaces: each of their letters counts as a word. */
export function wordsOf(text: string): string[] {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[’']/g, ' ')
    .replace(/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}/gu, ' $& ')
    .replace(/[^\p{L}\p{N}\s]/gu, ' ')
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** Insertions, deletions and substitutions over the words that were said. */
export function wordErrors(said: readonly string[], heard: readonly string[]): number {
  let row = Array.from({ length: heard.length + 1 }, (_, index) => index);
  for (const [index, word] of said.entries()) {
    const next = [index + 1];
    for (const [other, candidate] of heard.entries())
      next.push(Math.min(row[other + 1]! + 1, next[other]! + 1, row[other]! + (word === candidate ? 0 : 1)));
    row = next;
  }
  return row.at(-1)!;
}

async function measure(modelFolder: string, recording: string, transcript: string): Promise<string> {
  const model = await loadSpeechModel(modelFolder);
  const file = await open(recording);
  let mostBytes = 0;
  try {
    const audio = await decodeAudio(bytesOfFile(file, (await stat(recording)).size));
    const before = process.cpuUsage();
    const { segments, lengthSeconds, language } = await transcribe(audio.pieces, model, {
      onStretch() {
        mostBytes = Math.max(mostBytes, process.memoryUsage.rss());
      },
    });
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    const said = wordsOf(await readFile(transcript, 'utf8'));
    const heard = wordsOf(segments.map(({ text }) => text).join(' '));
    const rate = wordErrors(said, heard) / Math.max(1, said.length);
    const figures = [
      `${(lengthSeconds / 60).toFixed(1)} min`,
      `${said.length}`,
      `${language}`,
      `${(100 * rate).toFixed(1)} %`,
      `${(lengthSeconds / seconds).toFixed(1)} ×`,
      `${(mostBytes / 1e6).toFixed(0)} MB`,
    ];
    if (process.env.QUOTH_EVAL_SHOW)
      for (const one of segments) console.error(one.startSeconds, one.endSeconds, one.text);
    return `| ${basename(modelFolder)} | ${basename(recording)} | ${figures.join(' | ')} |`;
  } finally {
    await file.close();
  }
}

if (import.meta.main) {
  const [modelFolder, ...files] = process.argv.slice(2);
  if (!modelFolder || files.length < 2 || files.length % 2 !== 0) {
    console.error('node test/eval/speech.ts <model folder> <recording> <transcript>…');
    process.exit(2);
  }
  console.log('| Model | Recording | Length | Words | Language | Word errors | Real time ÷ processor time | Memory |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (let index = 0; index < files.length; index += 2)
    console.log(await measure(modelFolder, files[index]!, files[index + 1]!));
}
