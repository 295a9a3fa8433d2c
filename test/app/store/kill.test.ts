import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { createProfile, openStore } from './profile.ts';

type Said = { type: string; name: string; round: number; chatId: string };

/** Runs the writer and kills it after it has said `numMessages` things and a random moment more. */
async function writeAndKill(
  profile: string,
  firstRound: number,
  numMessages: number,
  extraMs: number,
): Promise<Said[]> {
  const script = path.join(import.meta.dirname, 'replace-until-killed.ts');
  const child = spawn(process.execPath, [script, profile, String(firstRound)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint += String(chunk);
  });
  const said: Said[] = [];
  for await (const line of createInterface(child.stdout)) {
    said.push(JSON.parse(line) as Said);
    if (said.length === numMessages) setTimeout(() => child.kill('SIGKILL'), extraMs);
  }
  if (said.length < numMessages) throw new Error(`the writer ended by itself: ${complaint}`);
  return said;
}

// 20 kills here; QUOTH_KILLS=1000 for the long form.
const numKills = Number(process.env.QUOTH_KILLS ?? 20);

test('a killed process loses nothing that was acknowledged and leaves no half document', {
  timeout: 60_000 + numKills * 2000,
}, async () => {
  const profile = createProfile();
  let nextRound = 0;
  const wanted = new Map<string, number | null>();
  const chatIds: string[] = [];
  for (let kill = 0; kill < numKills; kill++) {
    const said = await writeAndKill(profile, nextRound, 1 + (kill % 9), (kill * 7919) % 23);
    for (const { type, name, round, chatId } of said) {
      if (type === 'document') wanted.set(name, round);
      if (type === 'removed') wanted.set(name, null);
      if (type === 'chat') chatIds.push(chatId);
      if (round !== undefined) nextRound = round + 1;
    }
    const { database, documents, passages, chats, settings } = openStore(profile);
    expect(database.notice).toBeNull();
    expect(database.sqlite.pragma('integrity_check', { simple: true })).toBe('ok');

    for (const [name, round] of wanted) {
      const document = documents.findByLocation(`/files/${name}`);
      if (!document) {
        // Gone: because it was said, or by the removal that was under way.
        expect(round === null || round % 7 === 6 || nextRound % 7 === 6).toBe(true);
        wanted.set(name, null);
        continue;
      }
      const stored = passages.passagesOf(document.id, 0, 1000);
      if (document.title === name) {
        // Queued anew after its removal, and not read yet.
        expect(round).toBeNull();
        expect(stored).toEqual([]);
        continue;
      }
      // A whole round: the acknowledged one, or the one that was committed but not said any more.
      const lastRound = Number(/round (\d+)/.exec(document.title)?.[1] ?? Number.NaN);
      if (round !== null) expect(lastRound).toBeGreaterThanOrEqual(round);
      expect(lastRound).toBeLessThanOrEqual(nextRound);
      expect(stored.map(({ text }) => text)).toEqual(
        Array.from({ length: stored.length }, (_, i) => `round${lastRound} word${i} of ${name}`),
      );
      expect([0, 20]).toContain(stored.length);
      if (round !== null) expect(stored).toHaveLength(20);
      const found = passages.searchWords(`round${lastRound}`, 100).map(({ passageId }) => passageId);
      expect(new Set(found)).toEqual(new Set(stored.map(({ passageId }) => passageId)));
    }
    const numPassages = documents.counts().numPassages;
    expect(passages.numVectors('hash')).toBe(numPassages);
    const listed = new Set<string>(chats.list().map(({ id }) => id));
    for (const chatId of chatIds) expect(listed.has(chatId)).toBe(true);
    for (const { id } of chats.list()) expect(chats.read(id).turns.length).toBeLessThanOrEqual(1);
    const lastSetting = said.filter(({ type }) => type === 'setting').at(-1);
    if (lastSetting) expect(settings.readValue('round', z.number(), -1)).toBeGreaterThanOrEqual(lastSetting.round);
    database.close();
    // Rounds that were begun and not said are not begun again under the same number.
    nextRound += 1;
  }
});
