import { Tabs } from 'radix-ui';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { useQuoth } from '../common/quoth.tsx';
import { settingsSections } from './sections.tsx';

/** What the person can choose, and what this machine is: one part at a time, their names beside it or, if narrow, above. */
export function SettingsView() {
  const { t } = useTranslation();
  const { shell, view } = useQuoth();
  const part = useStore(view, (state) => state.settingsPart);
  const sections = settingsSections.filter(({ isThere }) => isThere?.(shell) ?? true);
  return (
    // By the view's own width in letters: large text in a wide window is narrow, too.
    <div className="@container h-full">
      <Tabs.Root
        value={part ?? sections[0]!.id}
        onValueChange={(id) => view.getState().showSettings(id)}
        orientation="vertical"
        className="flex h-full min-h-0 flex-col @max-4xl:overflow-y-auto @4xl:flex-row"
      >
        <div className="shrink-0 px-6 pt-8 @max-4xl:pb-3 @4xl:w-60 @4xl:overflow-y-auto @4xl:pr-2">
          <h1 className="font-serif text-2xl font-medium">{t('settings.title')}</h1>
          <Tabs.List
            aria-label={t('settings.title')}
            className="mt-5 flex gap-px @max-4xl:-mx-1 @max-4xl:flex-wrap @max-4xl:gap-1 @4xl:flex-col"
          >
            {sections.map(({ id, icon: Icon }) => (
              <Tabs.Trigger
                key={id}
                value={id}
                className="flex h-9 items-center gap-2.5 rounded-lg px-2.5 text-left text-sm text-soft hover:bg-hover/60 hover:text-ink data-[state=active]:bg-hover data-[state=active]:font-medium data-[state=active]:text-ink"
              >
                <Icon className="size-4 shrink-0" aria-hidden="true" />
                <span>{t(`sections.${id}`)}</span>
              </Tabs.Trigger>
            ))}
          </Tabs.List>
        </div>
        <div className="min-h-0 flex-1 @4xl:overflow-y-auto">
          <div className="mx-auto w-full max-w-[48rem] px-6 pt-4 pb-10 @4xl:pt-10">
            {sections.map(({ id, Content }) => (
              <Tabs.Content key={id} value={id} className="rounded-lg outline-offset-8">
                <Content />
              </Tabs.Content>
            ))}
          </div>
        </div>
      </Tabs.Root>
    </div>
  );
}
