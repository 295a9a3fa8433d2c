/** A display to test on: the one that is there, or a virtual one that lives as long as the test. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

export type Display = { name: string; close(): void };

const xvfb = '/usr/bin/Xvfb';

export function canOpenDisplay(): boolean {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY) || existsSync(xvfb);
}

/** Starts Xvfb on a display number that it chooses itself. */
export async function openDisplay(): Promise<Display> {
  if (process.platform !== 'linux' || process.env.DISPLAY)
    return { name: process.env.DISPLAY ?? '', close: () => undefined };
  const server = spawn(xvfb, ['-displayfd', '3', '-screen', '0', '1400x1000x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await new Promise<string>((resolve, reject) => {
    const output = server.stdio[3];
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`Xvfb ended with code ${code}`)));
    let text = '';
    output?.on('data', (piece: Buffer) => {
      text += piece.toString();
      if (text.endsWith('\n')) resolve(text.trim());
    });
  });
  return { name: `:${number}`, close: () => void server.kill() };
}
