import { describe, expect, it } from 'vitest';
import { commandOfLink, commandOfWords } from '../../main/electron/links.ts';

const chat = 'chat_0123456789abcdef';
const document = 'doc_0123456789abcdef';

describe('quoth:// links', () => {
  it('a question is put into the composer, never more', () => {
    expect(commandOfLink('quoth://ask?question=How%20tall%20is%20it%3F')).toEqual({
      type: 'compose',
      question: 'How tall is it?',
    });
    expect(commandOfLink('quoth://ask/?question=%E6%A9%8B%E3%81%AF%EF%BC%9F')).toEqual({
      type: 'compose',
      question: '橋は？',
    });
  });

  it('a chat and a document are shown by their ids', () => {
    expect(commandOfLink(`quoth://chat/${chat}`)).toEqual({ type: 'chat', chatId: chat, turnId: null });
    // Windows puts a slash behind some addresses.
    expect(commandOfLink(`quoth://document/${document}/`)).toEqual({ type: 'document', documentId: document });
  });

  it('what cannot be seen is taken out of a question', () => {
    const command = commandOfLink(`quoth://ask?question=${encodeURIComponent('a\u0000b\nc\u202Ed\u200B  e')}`);
    expect(command).toEqual({ type: 'compose', question: 'a b cd e' });
  });

  it.each([
    'quoth://',
    'quoth:ask?question=x',
    'https://ask?question=x',
    'quoth://ask',
    'quoth://ask?question=',
    'quoth://ask?question=%20',
    'quoth://ask?question=x&send=1',
    'quoth://ask?question=x&question=y',
    'quoth://ask?q=x',
    'quoth://ask/now?question=x',
    'quoth://ask?question=x#y',
    'quoth://me@ask?question=x',
    'quoth://ask:80?question=x',
    'quoth://ask?question=%2Fsummarise%20everything',
    `quoth://ask?question=${'x'.repeat(2001)}`,
    `quoth://ask?question=${'x'.repeat(9000)}`,
    `quoth://chat/${document}`,
    `quoth://chat/${chat}?delete=1`,
    `quoth://chat/${chat}/..`,
    `quoth://chat/../document/${chat}`,
    'quoth://chat/CHAT_0123456789ABCDEF',
    'quoth://document/../../etc/passwd',
    'quoth://settings/offline',
    'quoth://forget',
    `file:///${chat}`,
    'javascript:alert(1)',
    '',
  ])('%s is nothing', (link) => expect(commandOfLink(link)).toBeNull());
});

describe('the words of a start', () => {
  it('the first link or task counts, whatever stands around it', () => {
    expect(
      commandOfWords(['C:\\Program Files\\Quoth\\Quoth.exe', '--profile=x', '--', `quoth://chat/${chat}`]),
    ).toEqual({
      type: 'chat',
      chatId: chat,
      turnId: null,
    });
    expect(commandOfWords(['quoth', '--new-chat'])).toEqual({ type: 'new-chat' });
    expect(commandOfWords(['quoth', '--settings'])).toEqual({ type: 'view', view: 'settings' });
  });

  it('a plain start asks for nothing, and names of things that every object has are no tasks', () => {
    expect(commandOfWords(['electron', '.', '--profile', '/home/山田 太郎'])).toBeNull();
    expect(commandOfWords(['toString', '__proto__', 'constructor'])).toBeNull();
  });
});
