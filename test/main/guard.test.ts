import { describe, expect, it } from 'vitest';
import { externalAddress, isOurPage, mayFetch, maySend, mayUse } from '../../main/electron/guard.ts';

describe('our page is app://quoth/ and nothing else', () => {
  it.each(['app://quoth/', 'app://quoth/index.html', 'app://quoth/?a#b'])('%s is', (address) => {
    expect(isOurPage(address)).toBe(true);
  });
  it.each([
    '',
    'about:blank',
    'app://evil/',
    'app://quoth.evil/',
    'app://quoth@evil/',
    'app://user@quoth/',
    'app:quoth',
    'https://quoth/',
    'file:///app://quoth/',
    'javascript:app://quoth/',
    'data:text/html,app://quoth/',
    'blob:app://quoth/1',
    'not an address',
  ])('%s is not', (address) => {
    expect(isOurPage(address)).toBe(false);
  });
});

describe('a message is taken', () => {
  const ours = { url: 'app://quoth/', isMainFrame: true, isOurWindow: true };
  it('from the main frame of our window on our page', () => {
    expect(maySend(ours)).toBe(true);
  });
  it.each([
    ['another page', { ...ours, url: 'https://example.com/' }],
    ['an empty page', { ...ours, url: 'about:blank' }],
    ['a malformed address', { ...ours, url: 'app://' }],
    ['a frame inside the page', { ...ours, isMainFrame: false }],
    ['a window that is not ours', { ...ours, isOurWindow: false }],
  ])('not from %s', (_what, sender) => {
    expect(maySend(sender)).toBe(false);
  });
});

it('the only permission is to copy what the person copies', () => {
  const permissions = 'media geolocation notifications midi pointerLock fullscreen openExternal clipboard-read hid usb';
  for (const permission of permissions.split(' ')) expect(mayUse(permission)).toBe(false);
  expect(mayUse('clipboard-sanitized-write')).toBe(true);
});

it('the page fetches its own files and what it made in memory, and nothing else', () => {
  for (const address of ['app://quoth/a.js', 'blob:app://quoth/1-2', 'data:image/png;base64,AA'])
    expect(mayFetch(address)).toBe(true);
  for (const address of [
    'https://example.com/',
    'http://127.0.0.1/',
    'file:///etc/passwd',
    'ws://quoth/',
    'blob:https://a/1',
  ])
    expect(mayFetch(address)).toBe(false);
});

describe('the person’s browser gets', () => {
  it.each([
    ['https://example.com/a?b=c#d', 'example.com'],
    ['https://www.youtube.com/watch?v=abc&t=62s', 'www.youtube.com'],
    ['HTTPS://EXAMPLE.COM', 'example.com'],
    // A look-alike shows what it is: the first letter is Cyrillic.
    ['https://аpple.com/', 'xn--pple-43d.com'],
    ['https://münchen.de/', 'xn--mnchen-3ya.de'],
    ['https://example.com:8443/', 'example.com:8443'],
  ])('%s, shown as %s', (address, host) => {
    expect(externalAddress(address)?.host).toBe(host);
  });
  it.each([
    'http://example.com/',
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'file:///etc/passwd',
    'file://server/share',
    'smb://server/share',
    '\\\\server\\share',
    'ms-msdt:/id',
    'ms-officecmd:{}',
    'search-ms:query=a',
    'vscode://file/a',
    'data:text/html,a',
    'blob:https://example.com/1',
    'ftp://example.com/',
    'mailto:a@example.com',
    'tel:1',
    'app://quoth/',
    'about:blank',
    'view-source:https://example.com',
    'https://user@evil.example/',
    'https://example.com:pass@evil.example/',
    'https://',
    'https:///',
    'C:\\Windows\\system32\\calc.exe',
    '/etc/passwd',
    '',
    'example.com',
    `https://example.com/${'a'.repeat(5_000)}`,
  ])('not %s', (address) => {
    expect(externalAddress(address)).toBeNull();
  });
});
