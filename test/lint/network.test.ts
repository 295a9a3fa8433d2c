/**
 * There is one way to other computers. Every place in the sources that could be another one is found here, by reading
 * their syntax: a free `fetch` (not a parameter of that name), a socket, a program that is started.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { filesOfTheRepository } from './repository-files.mjs';

const root = path.resolve(import.meta.dirname, '../..');
const globals = ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest', 'RTCPeerConnection', 'WebTransport'];
const modules =
  /^(node:)?(net|tls|http|https|http2|dgram|dns|dns\/promises|child_process|inspector|cluster)$|^(undici|ws|electron-updater)$/;

/** Who may use what, and why that is no way around. */
const allowed: Record<string, string[]> = {
  // The runtime's fetch, on its way into the application's one way out.
  'main/compose.ts': ['globalThis.fetch'],
  'main/only-way-out.ts': ['globalThis.fetch'],
  // Takes it away from the readers.
  'ingest/readers/serve-reader.ts': ['globalThis.fetch', 'node:net', 'node:dns'],
  // They listen on 127.0.0.1 and connect to nowhere.
  'main/loopback/http.ts': ['node:http', 'ws'],
  'main/loopback/socket-port.ts': ['ws'],
  'main/local-api/server.ts': ['node:http'],
  // Our own processes, of our own files.
  'ingest/readers/node-spawner.ts': ['node:child_process'],
  'main/processes.ts': ['node:child_process'],
  'main/cli/commands/window.ts': ['node:child_process'],
  // Only when the person asks for a newer version, and never while offline.
  'main/electron/start-updates.ts': ['electron-updater'],
  // npm, which the application asks through `network.around`.
  'main/package-address.ts': ['node:child_process'],
  // The page talks to the server that it came from; its policy (connect-src) allows nothing else.
  'renderer/connection.ts': ['fetch', 'WebSocket'],
};

/** Names of globals that are used as such in a source, and modules that it imports for more than types. */
function waysOut(fileName: string, source: string): string[] {
  const found = new Set<string>();
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.Latest, true);
  const declares = (scope: ts.Node, name: string): boolean => {
    let isDeclared = false;
    const look = (node: ts.Node): void => {
      if (isDeclared) return;
      const isBinding =
        ts.isParameter(node) ||
        ts.isVariableDeclaration(node) ||
        ts.isBindingElement(node) ||
        ts.isFunctionDeclaration(node);
      if (isBinding && node.name && ts.isIdentifier(node.name) && node.name.text === name) isDeclared = true;
      if (ts.isImportSpecifier(node) && node.name.text === name) isDeclared = true;
      // What a function inside declares is its own.
      if (node !== scope && ts.isFunctionLike(node)) return;
      ts.forEachChild(node, look);
    };
    look(scope);
    return isDeclared;
  };
  const isFree = (node: ts.Identifier): boolean => {
    for (let scope: ts.Node | undefined = node.parent; scope; scope = scope.parent)
      if ((ts.isFunctionLike(scope) || ts.isSourceFile(scope)) && declares(scope, node.text)) return false;
    return true;
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return;
    if (ts.isImportDeclaration(node)) {
      const name = (node.moduleSpecifier as ts.StringLiteral).text;
      if (modules.test(name) && !node.importClause?.isTypeOnly) found.add(name);
      const bindings = node.importClause?.namedBindings;
      if (name === 'electron' && bindings && ts.isNamedImports(bindings))
        for (const { name: one } of bindings.elements) if (one.text === 'net') found.add('electron.net');
      return;
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument) && modules.test(argument.text)) found.add(argument.text);
    }
    if (ts.isPropertyAccessExpression(node) && node.name.text === 'sendBeacon') found.add('sendBeacon');
    const isGlobalMember =
      ts.isPropertyAccessExpression(node) &&
      ts.isIdentifier(node.expression) &&
      ['globalThis', 'window', 'self', 'global'].includes(node.expression.text);
    if (isGlobalMember && globals.includes(node.name.text)) found.add(`${node.expression.getText()}.${node.name.text}`);
    const isTaken =
      ts.isVariableDeclaration(node) &&
      node.initializer !== undefined &&
      ts.isIdentifier(node.initializer) &&
      ['globalThis', 'window'].includes(node.initializer.text) &&
      ts.isObjectBindingPattern(node.name);
    if (isTaken)
      for (const { propertyName, name } of (node.name as ts.ObjectBindingPattern).elements) {
        const taken = (propertyName ?? name).getText();
        if (globals.includes(taken)) found.add(`globalThis.${taken}`);
      }
    if (ts.isIdentifier(node) && globals.includes(node.text)) {
      const { parent } = node;
      const isName =
        (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
        (ts.isPropertyAssignment(parent) && parent.name === node) ||
        (ts.isPropertySignature(parent) && parent.name === node) ||
        ts.isBindingElement(parent) ||
        ts.isParameter(parent) ||
        ts.isVariableDeclaration(parent);
      if (!isName && isFree(node)) found.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...found].sort();
}

describe('ways to other computers', () => {
  const files = filesOfTheRepository().filter(
    (file) => /^(app|engines|ingest|main|native|renderer)\/.*\.tsx?$/.test(file) && !file.startsWith('main/setup/'),
  );

  it('are found by this test where they are', () => {
    expect(waysOut('a.ts', "const a = await fetch('https://x');")).toEqual(['fetch']);
    expect(waysOut('a.ts', 'const a = globalThis.fetch;')).toEqual(['globalThis.fetch']);
    expect(waysOut('a.ts', 'const { fetch: take } = globalThis;')).toEqual(['globalThis.fetch']);
    expect(waysOut('a.ts', 'const outside = { fetch };')).toEqual(['fetch']);
    expect(waysOut('a.ts', 'function a(fetch: () => void) { fetch(); }')).toEqual([]);
    expect(waysOut('a.ts', 'function a({ fetch }: Outside) { return () => fetch(); }')).toEqual([]);
    expect(waysOut('a.ts', 'function a(fetch: () => void) {} fetch();')).toEqual(['fetch']);
    expect(waysOut('a.ts', 'type A = { fetch: typeof globalThis.fetch };')).toEqual([]);
    expect(waysOut('a.ts', 'outside.fetch(address);')).toEqual([]);
    expect(waysOut('a.ts', "import { request } from 'node:https';")).toEqual(['node:https']);
    expect(waysOut('a.ts', "import type { Server } from 'node:http';")).toEqual([]);
    expect(waysOut('a.ts', "await import('undici');")).toEqual(['undici']);
    expect(waysOut('a.ts', 'navigator.sendBeacon(address);')).toEqual(['sendBeacon']);
    expect(waysOut('a.ts', "import { app, net } from 'electron';")).toEqual(['electron.net']);
  });

  it.each(files)('%s has none that is not known', (file) => {
    const found = waysOut(file, readFileSync(path.join(root, file), 'utf8'));
    expect(found.filter((way) => !allowed[file]?.includes(way))).toEqual([]);
  });

  it('no permission is left over', () => {
    for (const file of Object.keys(allowed)) expect(files).toContain(file);
  });
});
