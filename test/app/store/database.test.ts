import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../../app/store/database.ts';
import { migrations } from '../../../app/store/migrations/migrations.ts';
import { chunksOf, createProfile, facts, fileSource, openStore } from './profile.ts';

const open = (profileFolder: string) => openDatabase({ profileFolder, nowMs: Date.now, log: () => {} });
const coded = (code: string) => expect.objectContaining({ name: 'QuothError', code });

const lorem = 'lorem ipsum '.repeat(30);

/** A profile with documents, chats and settings, closed. */
function createFilledProfile(): string {
  const profile = createProfile();
  const store = openStore(profile);
  for (let i = 0; i < 30; i++) {
    const { id } = store.documents.insertQueued(fileSource(`${i}.txt`));
    const texts = Array.from({ length: 20 }, (_, k) => `document ${i} passage ${k} ${lorem}`);
    store.passages.replacePassages(id, chunksOf(texts), null, facts);
    const chat = store.chats.create(`chat ${i}`);
    store.chats.addTurn(chat, `question ${i} ${'dolor '.repeat(100)}`);
  }
  store.settings.change({ theme: 'dark' });
  store.database.close();
  return profile;
}

describe('opening', () => {
  test('a profile is made where there is none, in a folder with any letters', () => {
    const profile = path.join(createProfile(), 'новый 新しい', 'profile');
    const database = open(profile);
    expect(database.notice).toBeNull();
    expect(database.sqlite.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(database.sqlite.pragma('synchronous', { simple: true })).toBe(2);
    expect(database.sqlite.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(database.sqlite.pragma('secure_delete', { simple: true })).toBe(1);
    expect(database.sqlite.pragma('user_version', { simple: true })).toBe(migrations.length);
    database.close();
    database.close();
    expect(fs.readdirSync(profile)).toEqual(['quoth.db']);
  });

  test('a second Quoth on the same profile is told so, and gets it once the first has closed', () => {
    const profile = createProfile();
    const first = open(profile);
    expect(() => open(profile)).toThrow(coded('busy'));
    expect(() => open(profile)).toThrow(/already using this profile/);
    const script = `import { openDatabase } from ${JSON.stringify(new URL('../../../app/store/database.ts', import.meta.url).href)};
      try { openDatabase({ profileFolder: ${JSON.stringify(profile)}, nowMs: Date.now, log() {} }); console.log('open'); }
      catch (error) { console.log(error.code); }`;
    const tryInOtherProcess = () =>
      spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout.trim();
    expect(tryInOtherProcess()).toBe('busy');
    first.close();
    expect(tryInOtherProcess()).toBe('open'); // and it ends without closing
    open(profile).close();
  });

  test('a database of a newer Quoth is refused politely and left as it is', () => {
    const profile = createFilledProfile();
    const file = path.join(profile, 'quoth.db');
    const newer = new Sqlite(file);
    newer.pragma(`user_version = ${migrations.length + 1}`);
    newer.close();
    const before = fs.readFileSync(file);
    expect(() => open(profile)).toThrow(coded('unsupported'));
    expect(() => open(profile)).toThrow(/newer Quoth/);
    expect(fs.readFileSync(file).equals(before)).toBe(true);
    expect(fs.readdirSync(profile)).toEqual(['quoth.db']);
  });

  test('a profile that cannot be a folder is denied in words', () => {
    const file = path.join(createProfile(), 'a-file');
    fs.writeFileSync(file, 'x');
    expect(() => open(file)).toThrow(coded('denied'));
    expect(() => open(path.join(file, 'below'))).toThrow(coded('denied'));
  });

  test('a full database says that the disk is full, loses nothing, and goes on once there is room', () => {
    const profile = createProfile();
    const { database, documents, passages } = openStore(profile);
    const { id } = documents.insertQueued(fileSource('a.txt'));
    passages.replacePassages(id, chunksOf(['kept words']), null, facts);
    const numPages = database.sqlite.pragma('page_count', { simple: true }) as number;
    database.sqlite.pragma(`max_page_count = ${numPages + 2}`);
    const large = chunksOf(Array.from({ length: 500 }, (_, i) => `text ${i} ${'x'.repeat(500)}`));
    expect(() => passages.replacePassages(id, large, null, facts)).toThrow(coded('disk-full'));
    expect(passages.searchWords('kept', 5)).toHaveLength(1);
    database.sqlite.pragma('max_page_count = 1000000');
    expect(passages.replacePassages(id, large, null, facts).addedIds).toHaveLength(500);
  });
});

describe('damage', () => {
  /** Opens after the fault and says what is there; whatever the fault, the store must work and be sound. */
  function openAfter(damage: (file: string) => void) {
    const profile = createFilledProfile();
    const file = path.join(profile, 'quoth.db');
    damage(file);
    const store = openStore(profile);
    expect(store.database.sqlite.pragma('integrity_check', { simple: true })).toBe('ok');
    const { id } = store.documents.insertQueued(fileSource('new.txt'));
    const { addedIds } = store.passages.replacePassages(id, chunksOf(['fresh words']), null, facts);
    expect(store.passages.searchWords('fresh', 5)).toMatchObject([{ passageId: addedIds[0] }]);
    const kept = fs.readdirSync(profile).filter((name) => name.includes('.corrupt-'));
    return { ...store, kept, profile, newId: addedIds[0]! };
  }

  test('a file that is no database is kept beside a new one, and the person is told', () => {
    const { database, kept, profile, logged } = openAfter((file) => fs.writeFileSync(file, 'x'.repeat(5000)));
    expect(kept).toHaveLength(1);
    expect(fs.readFileSync(path.join(profile, kept[0]!), 'utf8')).toBe('x'.repeat(5000));
    expect(database.notice).toContain(kept[0]);
    expect(logged.length).toBeGreaterThan(0);
  });

  test('chats, settings and the list of documents are taken over, the documents to be read again', () => {
    const { database, documents, chats, settings, kept, newId } = openAfter((file) => {
      // The page of the root of the passages: damage in the text, not in the chats.
      const sqlite = new Sqlite(file);
      const root = sqlite.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'passages'").pluck().get() as number;
      const pageBytes = sqlite.pragma('page_size', { simple: true }) as number;
      sqlite.close();
      const handle = fs.openSync(file, 'r+');
      fs.writeSync(handle, Buffer.alloc(pageBytes, 0xaa), 0, pageBytes, (root - 1) * pageBytes);
      fs.closeSync(handle);
      fs.writeFileSync(`${file}-wal`, ''); // as after an end without a close: the pages are checked
    });
    expect(kept).toHaveLength(1);
    expect(database.notice).toMatch(/30 documents are being read again and 30 chats were kept/);
    expect(documents.listUnfinished()).toHaveLength(30);
    expect(chats.list()).toHaveLength(30);
    expect(chats.read(chats.list()[0]!.id).turns).toHaveLength(1);
    expect(settings.read().theme).toBe('dark');
    // No old citation can point to a new passage.
    expect(newId).toBeGreaterThan(1_000_000_000);
  });

  test('a file cut anywhere, a zeroed page, or a lost one opens, and is never read as sound', () => {
    let numKept = 0;
    for (let step = 0; step < 24; step++) {
      const { kept, documents, passages } = openAfter((file) => {
        const { size } = fs.statSync(file);
        const place = Math.floor((size * step) / 24);
        if (step % 2 === 0) fs.truncateSync(file, place);
        else {
          const handle = fs.openSync(file, 'r+');
          fs.writeSync(handle, Buffer.alloc(4096), 0, 4096, place - (place % 4096));
          fs.closeSync(handle);
        }
        fs.writeFileSync(`${file}-wal`, '');
      });
      // What was not noticed at the opening (a page in the middle of a long text) is noticed by whoever reads it.
      for (const document of documents.list())
        for (const { text, ordinal } of passages.passagesOf(document.id, 0, 100))
          if (text !== 'fresh words')
            expect(text).toBe(`document ${Number.parseInt(document.name, 10)} passage ${ordinal} ${lorem}`);
      numKept += kept.length;
    }
    expect(numKept).toBeGreaterThan(18);
  });

  test('a changed letter in a stored text is noticed: the passage is not found, its document is read again', () => {
    const profile = createFilledProfile();
    const file = path.join(profile, 'quoth.db');
    const bytes = fs.readFileSync(file);
    const place = bytes.indexOf('document 7 passage 3 ');
    bytes[place + 9] = '8'.charCodeAt(0);
    fs.writeFileSync(file, bytes);
    const { documents, passages } = openStore(profile);
    const document = documents.findByLocation(fileSource('7.txt').path)!;
    const ordinals = passages.passagesOf(document.id, 0, 100).map(({ ordinal }) => ordinal);
    expect(ordinals).toEqual(Array.from({ length: 20 }, (_, i) => i).filter((i) => i !== 3));
    expect(documents.find(document.id)).toMatchObject({ state: 'queued', contentHash: null });
  });

  test('damage that is met while Quoth runs leads to a check of every page at the next opening', () => {
    const profile = createFilledProfile();
    const file = path.join(profile, 'quoth.db');
    const sqlite = new Sqlite(file);
    const root = sqlite.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'passages'").pluck().get() as number;
    sqlite.close();
    const bytes = fs.readFileSync(file);
    bytes.fill(0xaa, (root - 1) * 4096, root * 4096);
    fs.writeFileSync(file, bytes);
    const first = openStore(profile); // a clean end came before: no check
    expect(first.database.notice).toBeNull();
    expect(() => first.passages.passages([1, 2, 3])).toThrow(coded('unreadable'));
    first.database.close();
    const second = openStore(profile);
    expect(second.database.notice).toMatch(/30 chats were kept/);
    second.database.close();
    expect(openStore(profile).database.notice).toBeNull();
  });

  test('a damaged write-ahead log costs at most what it held, and nothing half comes back', () => {
    for (let step = 0; step < 12; step++) {
      const profile = createFilledProfile();
      const file = path.join(profile, 'quoth.db');
      const first = openStore(profile);
      const { id } = first.documents.insertQueued(fileSource('late.txt'));
      const texts = Array.from({ length: 40 }, (_, k) => `late ${k} ${'word '.repeat(50)}`);
      first.passages.replacePassages(id, chunksOf(texts), null, facts);
      // A copy of both files as they are, as a crash would leave them.
      const copy = createProfile();
      for (const suffix of ['', '-wal']) fs.copyFileSync(file + suffix, path.join(copy, `quoth.db${suffix}`));
      const wal = path.join(copy, 'quoth.db-wal');
      const bytes = fs.readFileSync(wal);
      const place = Math.floor((bytes.length * step) / 12);
      bytes[place]! ^= 0x40;
      fs.writeFileSync(wal, step % 3 === 2 ? bytes.subarray(0, place) : bytes);
      const { documents, passages, database } = openStore(copy);
      expect(database.sqlite.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(documents.list().length).toBeGreaterThanOrEqual(30);
      const late = documents.findByLocation(fileSource('late.txt').path);
      if (late) expect([0, 40]).toContain(passages.passagesOf(late.id, 0, 100).length);
    }
  });
});
