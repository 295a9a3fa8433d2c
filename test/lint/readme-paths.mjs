import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../main/setup/tools.mjs';

/**
 * Every path that README.md names in backquotes exists, and every folder at the top is named in it.
 * @returns {string | null} what is wrong, a line each, or null
 */
export function checkReadmePaths() {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const complaints = [];
  const prose = readme.replace(/^```[\s\S]*?^```/gm, '');
  for (const [, path] of prose.matchAll(/`((?:app|renderer|main|native|kernels|engines|ingest|test)\/[^`\s*{}…]*)`/g)) {
    if (!existsSync(join(root, path))) complaints.push(`README.md names ${path}, which does not exist`);
  }
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.startsWith('.') || ['node_modules', 'out'].includes(entry.name)) continue;
    if (!readme.includes(`\`${entry.name}/\``)) complaints.push(`README.md does not say what ${entry.name}/ is`);
  }
  return complaints.length > 0 ? complaints.join('\n') : null;
}
