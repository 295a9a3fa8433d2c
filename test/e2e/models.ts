/** Whether the models that some stories need are installed on this machine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { modelsFolder } from '../../main/folders.ts';

/** True when some installed plan is a chat model's. A plan's header says so within its first bytes. */
export function hasChatModel(): boolean {
  const folder = modelsFolder();
  if (!existsSync(folder)) return false;
  const plans = readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.quoth'));
  return plans.some((name) =>
    readFileSync(path.join(folder, String(name)))
      .subarray(0, 4096)
      .includes('"role":"chat"'),
  );
}
