import { useCallback } from 'react';
import type { ModelSummary } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';
import { text } from '../common/text/text.ts';

/** Installs a model and says what came of it. A model that is the first of its role is put to use by the core. */
export function useInstall() {
  const { models, notices } = useQuoth();
  return useCallback(
    (model: ModelSummary): void => {
      models
        .getState()
        .install(model.id)
        .then(() => notices.getState().tell(text('models.installed', { name: model.name })))
        .catch(notices.getState().tellError);
    },
    [models, notices],
  );
}
