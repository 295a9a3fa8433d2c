/** Which models there are: the catalogue's and the person's own; what lies on the disk, and which one of a role is in use. */
import { readdir } from 'node:fs/promises';
import { z } from 'zod';
import type { ModelId, ModelSummary } from '../contract/types.ts';
import type { SettingsTable } from '../store/settings-table.ts';
import { fitOf, type MachineFacts } from './fit.ts';
import { isSound } from './keep-kit.ts';
import { isLocked, type ModelFolder, modelFolder, readModelFolder } from './model-folder.ts';
import { downloadBytesOf, isKit, type KitRole, type Offer, type PlanRole, type Role } from './offer.ts';

/** An installed kit, for a reader: it may open what lies in the folder. */
export type InstalledKit = { id: string; folder: string };

export type ModelList = {
  folderOf(offer: Pick<Offer, 'id'>): ModelFolder;
  /** The model of that id, or undefined. */
  find(id: string): Promise<Offer | undefined>;
  inUse(): Promise<Record<PlanRole, Offer | null>>;
  /** Of the languages of scanned pages, the first of those. */
  inUseOf(role: Role): Promise<Offer | null>;
  /** The speech model in use, or all languages of scanned pages that are. */
  kitsOf(role: KitRole): Promise<InstalledKit[]>;
  isInstalled(offer: Offer): Promise<boolean>;
  /** Whether it is the one of its role, or, of the languages of scanned pages, one of those that are used. */
  isInUse(offer: Offer): Promise<boolean>;
  /** True for an installed model whose plan is, to the last bit, what was built: installing it again would change nothing. */
  isWhole(offer: Offer, signal: AbortSignal): Promise<boolean>;
  /** `wanted` false sets a reranker or a language of scanned pages aside. */
  choose(offer: Offer, wanted: boolean): void;
  /** Who fetches one wants it used. */
  takeUp(offer: Pick<Offer, 'id' | 'role'>): void;
  isAside(offer: Pick<Offer, 'id' | 'role'>): boolean;
  /** Why a plan could not be loaded in this session. */
  unloadable: Map<string, string>;
  /** All of them, with the paths of their plans. */
  summaries(): Promise<ModelSummary[]>;
};

export function createModelList(parts: {
  offers: readonly Offer[];
  /** Where the models lie now. */
  folder: () => string;
  settings: SettingsTable;
  machine: MachineFacts;
  /** What is done with the model now. */
  busyWith: (id: string) => 'downloading' | 'building' | undefined;
}): ModelList {
  const { offers, folder, settings, machine } = parts;
  const unloadable = new Map<string, string>();
  const keyOf = (role: Role): string => `models.${role}`;
  const asideKey = 'models.reranker.aside';
  const scansAsideKey = 'models.scan.aside';
  const scansAside = (): string[] => settings.readValue(scansAsideKey, z.array(z.string()), []);
  const folderOf = (offer: Pick<Offer, 'id'>): ModelFolder => modelFolder(folder(), offer.id);
  const isAside = ({ id, role }: Pick<Offer, 'id' | 'role'>): boolean => {
    if (role === 'scan') return scansAside().includes(id);
    return role === 'reranker' && settings.readValue(asideKey, z.boolean(), false);
  };
  function setAside({ id, role }: Pick<Offer, 'id' | 'role'>, aside: boolean): void {
    if (role === 'reranker') settings.writeValue(asideKey, aside);
    else if (role === 'scan')
      settings.writeValue(scansAsideKey, [...scansAside().filter((one) => one !== id), ...(aside ? [id] : [])]);
  }

  /** The catalogue's, then the person's own by name. */
  async function all(): Promise<Offer[]> {
    const own: Offer[] = [];
    for (const name of await readdir(folder()).catch(() => [])) {
      if (!name.startsWith('own-') || offers.some(({ id }) => id === name)) continue;
      const found = await readModelFolder(folderOf({ id: name })).catch(() => null);
      if (found?.type === 'installed' || found?.type === 'broken') {
        const offer = found.manifest && ownOffer(name, found.manifest);
        if (offer) own.push(offer);
      }
    }
    return [...offers, ...own.sort((a, b) => a.name.localeCompare(b.name))];
  }

  const isInstalled = async (offer: Offer): Promise<boolean> =>
    (await readModelFolder(folderOf(offer))).type === 'installed';

  /** The chosen model of a role if it is installed, else the first installed one of the list's order. */
  async function inUseOf(role: Role): Promise<Offer | null> {
    const chosen = settings.readValue(keyOf(role), z.string().nullable(), null);
    const candidates = (await all()).filter((offer) => offer.role === role);
    candidates.sort((a, b) => Number(b.id === chosen) - Number(a.id === chosen));
    for (const offer of candidates) if (!isAside(offer) && (await isInstalled(offer))) return offer;
    return null;
  }

  async function inUse(): Promise<Record<PlanRole, Offer | null>> {
    const [chat, embedder, reranker] = await Promise.all([inUseOf('chat'), inUseOf('embedder'), inUseOf('reranker')]);
    return { chat, embedder, reranker };
  }

  async function kitsOf(role: KitRole): Promise<InstalledKit[]> {
    const one = role === 'speech' ? await inUseOf(role) : null;
    const candidates = role === 'speech' ? [one] : offers.filter((offer) => offer.role === role && !isAside(offer));
    const found: InstalledKit[] = [];
    for (const offer of candidates)
      if (offer && (await isInstalled(offer))) found.push({ id: offer.id, folder: folderOf(offer).kit });
    return found;
  }

  return {
    folderOf,
    find: async (id) => offers.find((offer) => offer.id === id) ?? (await all()).find((offer) => offer.id === id),
    inUse,
    inUseOf,
    kitsOf,
    isInstalled,
    isInUse: async (offer) =>
      offer.role === 'scan'
        ? !isAside(offer) && (await isInstalled(offer))
        : (await inUseOf(offer.role))?.id === offer.id,
    async isWhole(offer, signal) {
      const where = folderOf(offer);
      const found = await readModelFolder(where);
      if (found.type !== 'installed' || unloadable.has(offer.id)) return false;
      return isSound(where, found.manifest, signal);
    },
    choose(offer, wanted) {
      if (wanted && offer.role !== 'scan') settings.writeValue(keyOf(offer.role), offer.id);
      if (isAside(offer) === wanted) setAside(offer, !wanted);
    },
    takeUp(offer) {
      if (isAside(offer)) setAside(offer, false);
    },
    isAside,
    unloadable,
    async summaries() {
      const [known, using, speech, facts] = await Promise.all([all(), inUse(), inUseOf('speech'), machine.get()]);
      const isInUse = (offer: Offer): boolean =>
        offer.role === 'scan' ? !isAside(offer) : { ...using, speech }[offer.role]?.id === offer.id;
      const beside = using.embedder ?? offers.find(({ role }) => role === 'embedder') ?? null;
      return Promise.all(
        known.map(async (offer): Promise<ModelSummary> => {
          const where = folderOf(offer);
          const found = await readModelFolder(where);
          const busy = parts.busyWith(offer.id) ?? ((await isLocked(where)) ? 'downloading' : undefined);
          const why = found.type === 'broken' ? found.why : unloadable.get(offer.id);
          const atRest = why ? 'broken' : found.type === 'installed' ? 'installed' : 'available';
          const installed = found.type === 'installed';
          return {
            id: offer.id as ModelId,
            name: offer.name,
            role: offer.role,
            licence: offer.licence,
            licenceUrl: offer.licenceUrl ?? null,
            downloadBytes: downloadBytesOf(offer),
            planBytes: installed ? found.manifest.planBytes : offer.planBytes,
            ...(offer.languages ? { languages: [...offer.languages] } : {}),
            state: busy ?? atRest,
            fit: fitOf(offer, facts, beside),
            inUse: installed && isInUse(offer),
            own: offer.own === true,
            plan: installed && !isKit(offer) ? where.plan : null,
            note: why ?? offer.note,
          };
        }),
      );
    },
  };
}

/** What stands in the place of a catalogue's entry; null for a folder whose manifest says nothing of its own. */
function ownOffer(
  id: string,
  manifest: { planBytes: number; own?: { name: string; role: PlanRole } | undefined },
): Offer | null {
  if (!manifest.own) return null;
  const { name, role } = manifest.own;
  return toOwnOffer(id, name, role, manifest.planBytes);
}

export function toOwnOffer(id: string, name: string, role: PlanRole, planBytes: number): Offer {
  return { id, name, role, licence: '', planBytes, note: '', checkpoint: null, files: [], own: true };
}
