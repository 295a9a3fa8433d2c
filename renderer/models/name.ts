import type { Install, ModelSummary } from '../../app/contract/types.ts';
import { languageName } from '../common/language-name.ts';
import { text } from '../common/text/text.ts';

/** What a model is called: a language of scanned pages by its name in the window's language, all others by their own. */
export function nameOfModel({ role, name, languages }: Pick<ModelSummary, 'role' | 'name' | 'languages'>): string {
  const [language] = languages ?? [];
  return role === 'scan' && language ? text('models.scanName', { language: languageName(language) }) : name;
}

/** The same of one on its way. */
export function nameOfInstall(install: Install, models: readonly ModelSummary[]): string {
  const model = models.find(({ id }) => id === install.modelId);
  return model ? nameOfModel(model) : install.name;
}
