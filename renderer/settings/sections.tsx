import { Cpu, LibraryBig, MonitorCog, PanelsTopLeft, PenLine, Plug, Shield, SunMoon } from 'lucide-react';
import type { ComponentType } from 'react';
import type { QuothShell } from '../../app/contract/shell.ts';
import { AnswersSection } from './answers-section.tsx';
import { ApiSection } from './api-section.tsx';
import { AppearanceSection } from './appearance-section.tsx';
import { DesktopSection } from './desktop-section.tsx';
import { LibrarySection } from './library-section.tsx';
import { MachineSection } from './machine-section.tsx';
import { ModelsSection } from './models-section.tsx';
import { PrivacySection } from './privacy-section.tsx';

export type SettingsSection = {
  /** Its name is the text `sections.<id>`. */
  id: string;
  icon: typeof Cpu;
  Content: ComponentType;
  /** Absent: everywhere. */
  isThere?: (shell: QuothShell) => boolean;
};

/** The parts of the settings, in their order. */
export const settingsSections: SettingsSection[] = [
  { id: 'appearance', icon: SunMoon, Content: AppearanceSection },
  { id: 'answers', icon: PenLine, Content: AnswersSection },
  { id: 'library', icon: LibraryBig, Content: LibrarySection },
  { id: 'models', icon: Cpu, Content: ModelsSection },
  { id: 'desktop', icon: PanelsTopLeft, Content: DesktopSection, isThere: ({ desktop }) => desktop !== undefined },
  { id: 'privacy', icon: Shield, Content: PrivacySection },
  { id: 'programs', icon: Plug, Content: ApiSection },
  { id: 'machine', icon: MonitorCog, Content: MachineSection },
];
